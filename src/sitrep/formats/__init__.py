"""File formats in and out. A format is a module with `read(path, context)` and, where it makes sense, `write(articles, path)`.

To add one, write the module and name it in `FORMATS` and, if its file ending belongs to it alone, in `ENDINGS`. A module whose
folders hold other files too says which are its own: `FILES`, patterns of file names.
"""

from __future__ import annotations

import glob
import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from sitrep.articles import Article, Source
from sitrep.errors import InputError, did_you_mean
from sitrep.formats import annotated, brat, conll, indicators, jsonl, re3d, text
from sitrep.formats.files import Context, Reject, RowError, read_text, refuse

__all__ = ["FORMATS", "RowError", "list_files", "read_articles"]

log = logging.getLogger(__name__)

FORMATS: dict[str, ModuleType] = {
    "annotated": annotated, "brat": brat, "conll": conll, "indicators": indicators, "jsonl": jsonl, "re3d": re3d, "text": text,
}  # fmt: skip
ENDINGS = {".md": "markdown", ".txt": "text", ".jsonl": "jsonl", ".ann": "brat", ".conll": "conll"}


def read_articles(
    path: str | Path, *, format: str | None = None, text_dir: str | Path | None = None, reject: Reject = refuse
) -> Iterator[Article]:
    """Yield the articles of a file, a folder (recursive) or a glob, in the order of their paths, as a stream.

    Args:
        path: the file, folder or glob; README.* and hidden files of a folder are skipped.
        format: a name in `FORMATS`; None chooses by file ending.
        text_dir: where brat looks for texts that do not stand beside their `.ann`.
        reject: called with each file or row that cannot be read; the default raises.

    Raises:
        InputError: if the path does not exist or holds no readable file.
    """
    if format is not None and format not in FORMATS:
        raise InputError(f"format={format!r} is no format{did_you_mean(format, FORMATS)}")
    root = Path(path)
    for file in list_files(root, format):
        inside = file.relative_to(root) if root.is_dir() else Path(file.name)
        context = Context(inside.with_suffix("").as_posix(), Path(text_dir) if text_dir else None, reject)
        try:
            yield from _reader(file, format).read(file, context)
        except RowError as error:
            reject(error)
        except InputError as error:
            reject(RowError(Source(str(file)), str(error)))


def list_files(path: Path, format: str | None = None) -> list[Path]:
    """Return the files that `path` (file, folder or glob) stands for, sorted.

    A folder's files of unknown endings are left out with a warning that counts them, unless `format` says how to read them; then
    those are left out that are not among the format's own, if it names any.
    """
    if path.is_file():
        return [path]
    if path.is_dir():
        found = [file for file in sorted(path.rglob("*")) if file.is_file() and not _is_hidden(file.relative_to(path))]
    else:
        found = [file for file in map(Path, sorted(glob.glob(str(path), recursive=True))) if file.is_file()]
        if not found:
            raise InputError(f"{path}: no such file, folder or glob match")
    names = set(found)
    files = [file for file in found if file.name != "splits.csv" and not _belongs_to_ann(file, names)]
    if format is None:
        unknown = [file for file in files if file.suffix.lower() not in ENDINGS]
        if unknown:
            log.warning("%s: %d files of unknown ending are not read, such as %s", path, len(unknown), unknown[0])
        files = [file for file in files if file.suffix.lower() in ENDINGS]
    own = getattr(FORMATS[format], "FILES", ()) if format else ()
    if own:
        files = [file for file in files if any(file.match(pattern) for pattern in own)]
    if not files:
        expected = f"format={format} reads {', '.join(own)}" if own else f"expected files ending in {', '.join(ENDINGS)} (or give format=)"
        raise InputError(f"{path}: holds no article; {expected}")
    return files


def _is_hidden(path: Path) -> bool:
    return path.name.upper().startswith("README.") or any(part.startswith(".") for part in path.parts)


def _belongs_to_ann(file: Path, names: set[Path]) -> bool:
    """Say whether the brat reader of a sibling `.ann` reads this file, so that it is no article of its own."""
    return file.suffix in (".txt", ".json") and file.with_suffix(".ann") in names


def _reader(file: Path, format: str | None) -> ModuleType:
    if format is not None:
        return FORMATS[format]
    ending = file.suffix.lower()
    if ending not in ENDINGS:
        raise RowError(Source(str(file)), f"unknown file ending {ending!r}; known: {', '.join(ENDINGS)} (or give format=)")
    if ENDINGS[ending] == "markdown":
        return annotated if annotated.is_annotated(read_text(file)) else text
    return FORMATS[ENDINGS[ending]]
