"""What every format that is written needs: where losses go, whose labels these are, mentions that do not overlap, names of files."""

from __future__ import annotations

import json
import os
import re
import shutil
import unicodedata
from bisect import bisect_left
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sitrep.articles import Article, Span
from sitrep.errors import InputError
from sitrep.formats.faults import Lose, Loss, Losses
from sitrep.formats.files import replacing, target_of

MODEL = "sitrep"  # who predicted, where nobody says
UNSAFE = re.compile(r"[^\w.,=+-]+")  # in the name of a file, on one file system or another
RESERVED = re.compile(r"readme(\..*)?|(con|prn|aux|nul|com\d|lpt\d)(\..*)?", re.IGNORECASE)  # skipped by our readers; devices of Windows
MAX_NAME_BYTES = 120


@dataclass(frozen=True, slots=True)
class Target:
    """What a writer is told beside the articles and the path.

    lose:         called with what the format cannot hold of an article
    predicted_by: the model's name, for formats that keep predictions apart from what people marked; see `is_predicted`
    """

    lose: Lose = field(default_factory=Losses)
    predicted_by: str | None = None


def is_predicted(article: Article) -> bool:
    """Say whether a model labelled the article: a mention bears a score, or a class field its scores."""
    return bool(article.scores) or any(span.score is not None for span in article.spans)


def flat_spans(article: Article, target: Target) -> list[Span]:
    """Return the mentions that do not overlap, sorted; of those that do the longest stays, and the others are lost."""
    kept: list[Span] = []
    for span in sorted(article.spans, key=lambda span: (span.start - span.end, span)):
        place = bisect_left(kept, span.end, key=lambda other: other.start)  # those before it begin before this one ends
        if place and kept[place - 1].end > span.start:
            target.lose(Loss(article.id, "overlapping mentions", named(article, span)))
        else:
            kept.insert(place, span)
    return kept


def named(article: Article, span: Span) -> str:
    """Return a mention as it is shown: label, surface, offsets."""
    return f"{span.label} {article.surface(span)!r} [{span.start}, {span.end})"


def lose_all_but(article: Article, target: Target, *kept: str) -> None:
    """Report what stands in an article beside id, text and mentions, but for what is in `kept`: `labels`, `scores`, `extra`."""
    if "labels" not in kept:
        for name, values in article.labels.items():
            target.lose(Loss(article.id, f"class labels of {name}", ", ".join(map(str, values))))
    if "scores" not in kept and is_predicted(article):
        target.lose(Loss(article.id, "scores", "of mentions or classes"))
    if "extra" not in kept:
        for name in article.extra:
            target.lose(Loss(article.id, "other fields", name))


def json_fields(article: Article, target: Target, taken: Container[str]) -> dict[str, Any]:
    """Return the other fields of an article that JSON can hold, but for those whose names are `taken`; what is left out is lost."""
    fields = {}
    for name, value in article.extra.items():
        if name in taken or not _is_json(value):
            target.lose(Loss(article.id, "other fields", name))
        else:
            fields[name] = value
    return fields


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True


def is_text(article: Article, target: Target) -> bool:
    """Say whether the text can stand in a text file, which our readers take for binary if it holds NUL; else the article is lost."""
    if "\0" not in article.text:
        return True
    target.lose(Loss(article.id, "articles", f"a NUL character at {article.text.index(chr(0))}; only JSONL, Parquet and the like hold it"))
    return False


class FileNames:
    """Names for the files of a folder, one an article: safe on any file system, and no two alike where case does not count."""

    def __init__(self) -> None:
        self._n_taken: dict[str, int] = {}

    def __call__(self, article_id: str) -> str:
        """Return the name for the next article, without an ending: its id, where that is one."""
        safe = UNSAFE.sub("_", unicodedata.normalize("NFC", article_id)).encode()[:MAX_NAME_BYTES].decode(errors="ignore").strip(".")
        plain = f"_{safe}" if RESERVED.fullmatch(safe) else safe or "article"
        name = plain
        while n_taken := self._n_taken.get(folded := _folded(name), 0):
            self._n_taken[folded] = n_taken + 1
            name = f"{plain}-{n_taken + 1}"
        self._n_taken[folded] = 1
        return name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold()


@contextmanager
def replacing_files(path: Path, beside: Sequence[str] = ()) -> Iterator[Path]:
    """Yield a temporary path as `replacing` does; what is written beside it, with its name and one of `beside` behind that, moves along."""
    path = target_of(path)
    moved: list[tuple[Path, Path]] = []
    try:
        with replacing(path) as temporary:
            moved = [(temporary.with_name(temporary.name + ending), path.with_name(path.name + ending)) for ending in beside]
            yield temporary
        for made, final in moved:  # last: they are about the file, which so never stands beside those of another
            made.replace(final)
    finally:
        for made, _ in moved:
            made.unlink(missing_ok=True)


@contextmanager
def replacing_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder beside `path` that takes its place, old files and all, when the block ends without an error.

    Of a link to a folder, that of its target is taken.
    """
    path = target_of(path)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if path.exists():
            old = path.with_name(f".{path.name}.{os.getpid()}.old")
            path.rename(old)
            temporary.rename(path)
            shutil.rmtree(old)
        else:
            temporary.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def as_input_error(output: Path) -> Iterator[None]:
    """Turn what the operating system has against an output into an InputError."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{output}: cannot be written: {error.strerror or error}; give another output") from error


def check_replaceable(path: Path, patterns: tuple[str, ...] | None, *, overwrite: bool) -> None:
    """Demand that an output may be written.

    Args:
        path: the file, or the folder.
        patterns: the names that the format gives the files of its folder; None if it writes a file.
        overwrite: whether what stands there may be replaced.

    Raises:
        InputError: if it exists and may not be replaced: a folder with files that the format does not write never is.
    """
    if not path.exists():
        return
    if path.is_dir() != (patterns is not None):
        raise InputError(f"{path}: is a {'folder' if path.is_dir() else 'file'}, and the format writes the other; give another output")
    if patterns is not None:
        others = [file for file in sorted(path.rglob("*")) if not file.is_dir() and not any(file.match(pattern) for pattern in patterns)]
        if others:
            raise InputError(f"{path}: holds {others[0].relative_to(path)}, which the format does not write; give another output")
        if not any(path.iterdir()):
            return
    if not overwrite:
        raise InputError(f"{path}: exists; give another output, or overwrite=true to replace it")
