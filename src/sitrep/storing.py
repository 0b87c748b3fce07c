"""Labelled articles written into a corpus: new ones as its own files are, changed ones where they stand, the split last.

Everything is written beside its place first, so that what cannot be written leaves the corpus as it was. Of what exists only those
files and lines change that hold a changed article.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from sitrep.articles import Article
from sitrep.errors import InputError
from sitrep.formats import annotated, jsonl, write_articles
from sitrep.formats.faults import Loss
from sitrep.formats.files import replacing
from sitrep.formats.streams import split_name
from sitrep.formats.writing import FileNames, Target, replacing_folder

FOLDERS = {".md": "annotated", ".ann": "brat"}  # formats of a file an article
LINES = ".jsonl"
CHANGEABLE = {".md": "annotated", LINES: "jsonl"}  # formats of which a part can be replaced
BEARABLE = "types of other fields"  # what Markdown's front matter may lose: a number becomes the text that it was written as


@dataclass(frozen=True)
class Goal:
    """The file or folder that new articles are written as."""

    path: Path
    format: str


def find_goal(corpus: Sequence[Article], path: Path, format: str | None, into: str, stem: str) -> Goal:
    """Return where new articles of the corpus at `path` go.

    Args:
        corpus: the articles that are there: new ones get files as most of them have.
        path: its folder or file.
        format: the format in which it is read; None for any.
        into: the folder below `path` where that is a folder.
        stem: what the new file or folder is named after.

    Raises:
        InputError: if nothing can be added to a corpus such as this.
    """
    way_out = f"python annotate.py action=convert input={path} output=OUT{LINES}"
    if path.suffix == LINES and not path.is_dir() and format in (None, "jsonl"):
        return Goal(path, "jsonl")
    if (path.exists() and not path.is_dir()) or any(mark in str(path) for mark in "*?"):
        raise InputError(f"data.path={path}: articles are added to a folder or to a file of our JSON Lines; make one of it: {way_out}")
    endings = Counter(split_name(article.source.path)[1] for article in corpus if article.source)
    most = FOLDERS.get(max(endings, key=lambda ending: (endings[ending], ending), default=""), "jsonl")
    own = format or most
    if own not in (*FOLDERS.values(), "jsonl"):
        raise InputError(f"data.format={format}: no articles are added to such a folder; convert it: {way_out}")
    plain = FileNames()(stem)
    names = (path / into / (plain if number == 1 else f"{plain}-{number}") for number in count(1))
    name = next(name for name in names if not name.exists() and not name.with_name(name.name + LINES).exists())
    return Goal(name.with_name(name.name + LINES) if own == "jsonl" else name, own)


def check_changeable(changed: Sequence[Article], format: str | None) -> None:
    """Demand that changed articles stand in files of which a part can be replaced; `format`: as which the corpus is read."""
    for article in changed:
        ending = "".join(split_name(article.source.path)[1:]) if article.source else ""
        if ending not in CHANGEABLE or format not in (None, CHANGEABLE[ending]):
            raise InputError(
                f"{article.where()}: articles are changed in annotated Markdown and our JSON Lines only; convert the corpus to one "
                "of these: python annotate.py action=convert"
            )


def store(new: Sequence[Article], goal: Goal, changed: Sequence[Article], split: str, split_path: Path) -> list[Path]:
    """Write new articles to `goal`, changed ones in the place of those of the same source, and the split; return the changed files.

    Args:
        new: a JSON Lines file that exists grows by them.
        goal: see `find_goal`.
        changed: see `check_changeable`.
        split: the content of the file `split_path`.
        split_path: the file of the split.

    Raises:
        InputError: if the format cannot hold all of an article, or something cannot be written; then nothing is.
    """
    target = Target(lose=_Refusal({article.id: article.where() for article in (*new, *changed)}))
    by_file: dict[Path, list[Article]] = defaultdict(list)
    for article in changed:
        assert article.source is not None
        by_file[Path(article.source.path)].append(article)
    contents = {path: _changed(path, articles, target) for path, articles in sorted(by_file.items())}
    if new and goal.format == "jsonl":
        contents[goal.path] = _grown(contents.get(goal.path) or (goal.path.read_bytes() if goal.path.exists() else b""), new)
    try:
        with ExitStack() as stack:  # what is entered last gets its name first
            for path, content in {split_path: split.encode(), **contents}.items():
                path.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(replacing(path)).write_bytes(content)
            if new and goal.format != "jsonl":
                goal.path.parent.mkdir(parents=True, exist_ok=True)
                folder = stack.enter_context(replacing_folder(goal.path))
                write_articles(new, folder, format=goal.format, target=target, overwrite=True)
    except OSError as error:
        where = error.filename or goal.path
        raise InputError(f"{where}: cannot be written ({error.strerror}); nothing was changed: mend that, and import again") from error
    return sorted(by_file)


def _grown(content: bytes, articles: Sequence[Article]) -> bytes:
    end = b"" if not content or content.endswith(b"\n") else b"\n"
    return content + end + "".join(f"{jsonl.format_row(article)}\n" for article in articles).encode()


def _changed(path: Path, articles: Sequence[Article], target: Target) -> bytes:
    if path.suffix != LINES:
        return annotated.replace_article(path.read_bytes().decode("utf-8-sig"), articles[0], target).encode()
    lines = path.read_bytes().split(b"\n")
    for article in articles:
        assert article.source is not None
        number = article.source.line - 1
        lines[number] = jsonl.format_row(article).encode() + (b"\r" if lines[number].endswith(b"\r") else b"")
    return b"\n".join(lines)


class _Refusal:
    """Refuses every loss but that of a field's type; `where` says where the articles stand."""

    def __init__(self, where: dict[str, str]) -> None:
        self._where = where

    def __call__(self, loss: Loss) -> None:
        if loss.what != BEARABLE:
            where = self._where.get(loss.article_id, loss.article_id)
            raise InputError(
                f"{where}: the format of the corpus cannot hold its {loss.what}: {loss.detail}; take that out, or convert the corpus to "
                "JSON Lines: python annotate.py action=convert"
            )
