"""The repaired copy and the list of its changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sitrep.articles import Article
from sitrep.errors import InputError
from sitrep.formats import ENDINGS, FORMATS, list_files, write_articles
from sitrep.formats.annotated import is_annotated
from sitrep.formats.faults import Loss
from sitrep.formats.files import read_text, replacing
from sitrep.formats.streams import split_name
from sitrep.formats.writing import Target
from sitrep.repairs import Change

LOST = "the format of the copy cannot hold it"
Note = Callable[[Change], None]


@contextmanager
def writing_changes(path: Path, counts: Counter[str]) -> Iterator[Note]:
    """Yield what takes note of a change: a line of `path`, which appears when all is done, and a count of its reason."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", newline="\n", errors="backslashreplace") as lines:

        def note(change: Change) -> None:
            lines.write(f"{change}\n")
            counts[change.why] += 1

        yield note


def write_copy(articles: Iterable[Article], output: Path, source: str, source_format: str | None, note: Note) -> None:
    """Write articles to `output`: in the format that its ending names, else in that of `source`.

    Raises:
        InputError: if neither can be written.
    """

    def lose(loss: Loss) -> None:
        note(Change(loss.article_id, source, f"{loss.what} {loss.detail}", None, LOST))

    write_articles(articles, output, format=_format_of(output, source, source_format), target=Target(lose))


def changes_path(output: Path) -> Path:
    """Return where the changes of a repaired copy are listed."""
    return output.with_name(f"{output.name}.diff")


def files_of_copy(output: Path, source: str, source_format: str | None) -> list[Path]:
    """Return what a repaired copy writes: the copy, what its format puts beside it, and the list of changes.

    Raises:
        InputError: as `write_copy`.
    """
    name = _format_of(output, source, source_format)
    beside = getattr(FORMATS[name] if name else ENDINGS[output.suffix], "BESIDE", ())
    return [output, *(output.with_name(output.name + ending) for ending in beside), changes_path(output)]


def _format_of(output: Path, source: str, source_format: str | None) -> str | None:
    if output.suffix in ENDINGS:
        return None
    name = source_format or _name_of(list_files(Path(source))[0])
    if name is None or not hasattr(FORMATS[name], "write"):
        raise InputError(f"output={output}: {name or source} is a format that is read, not written; let the copy end in .jsonl")
    return name


def _name_of(file: Path) -> str | None:
    """Return the name of the format that a file is read in by its ending, if it has one."""
    _, ending, _ = split_name(file)
    if ending == ".md":
        return "annotated" if is_annotated(read_text(file)) else "text"
    return next((name for name, module in FORMATS.items() if module is ENDINGS[ending]), None)
