"""Labelled articles written into a corpus: new ones as its own files are, changed ones where they stand.

Of what exists only those files and lines change that hold a changed article.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Sequence
from itertools import count
from pathlib import Path

from sitrep.articles import Article
from sitrep.errors import InputError
from sitrep.formats import annotated, jsonl, write_articles
from sitrep.formats.faults import Loss
from sitrep.formats.files import replacing
from sitrep.formats.streams import split_name
from sitrep.formats.writing import Target

FOLDERS = {".md": "annotated", ".ann": "brat"}  # formats of a file an article
LINES = ".jsonl"
CHANGEABLE = (".md", LINES)


def new_path(corpus: Sequence[Article], path: Path, format: str | None, into: str, stem: str) -> Path:
    """Return the file or folder that new articles of the corpus at `path` are written as; it ends in `.jsonl` if it is a file.

    Args:
        corpus: the articles that are there: new ones get files as most of them have.
        format: the format in which the corpus is read; None for any.
        into: the folder below `path` where that is a folder.
        stem: what the new file or folder is named after.

    Raises:
        InputError: if nothing can be added to a corpus such as this.
    """
    if path.suffix == LINES and not path.is_dir():
        return path
    if (path.exists() and not path.is_dir()) or any(mark in str(path) for mark in "*?"):
        way_out = f"python annotate.py action=convert input={path} output=OUT{LINES}"
        raise InputError(f"data.path={path}: articles are added to a folder or to a JSON Lines file; make one of it: {way_out}")
    endings = Counter(split_name(article.source.path)[1] for article in corpus if article.source)
    own = FOLDERS.get(max(endings, key=lambda ending: (endings[ending], ending), default=LINES), "jsonl")
    if format not in (None, own):
        raise InputError(f"data.format={format}: no articles are added to such a folder; convert it: python annotate.py action=convert")
    names = (path / into / (stem if number == 1 else f"{stem}-{number}") for number in count(1))
    free = (name for name in names if not name.exists() and not name.with_name(name.name + LINES).exists())
    name = next(free)
    return name if own != "jsonl" else name.with_name(name.name + LINES)


def save_new(articles: Sequence[Article], path: Path, corpus: Sequence[Article]) -> None:
    """Write new articles to `path`, as `new_path` named it; a file that exists grows.

    Raises:
        InputError: if the format cannot hold all of an article; then nothing is written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == LINES:
        with replacing(path) as temporary:
            if path.exists():
                shutil.copyfile(path, temporary)
            with temporary.open("ab+") as lines:
                if lines.tell() and not _ends_line(lines):
                    lines.write(b"\n")
                lines.writelines(f"{jsonl.format_row(article)}\n".encode() for article in articles)
    else:
        is_brat = any(article.source and split_name(article.source.path)[1] == ".ann" for article in corpus)
        write_articles(articles, path, format="brat" if is_brat else "annotated", target=Target(lose=_refuse))


def _ends_line(lines) -> bool:  # noqa: ANN001
    lines.seek(-1, 2)
    return lines.read(1) == b"\n"


def _refuse(loss: Loss) -> None:
    raise InputError(
        f"article {loss.article_id!r}: the format of the corpus cannot hold its {loss.what}: {loss.detail}; convert the corpus to JSON "
        "Lines (python annotate.py action=convert), or take that out"
    )


def check_changeable(changed: Sequence[Article]) -> None:
    """Demand that changed articles stand in files of which a part can be replaced."""
    for article in changed:
        ending = "".join(split_name(article.source.path)[1:]) if article.source else ""
        if ending not in CHANGEABLE:
            raise InputError(
                f"{article.where()}: articles are changed in files ending in {' or '.join(CHANGEABLE)} only; convert the corpus to one "
                "of these: python annotate.py action=convert"
            )


def save_changed(changed: Sequence[Article]) -> list[Path]:
    """Put articles in the place of those of the same source, and return the files, sorted; see `check_changeable`."""
    by_file: dict[Path, list[Article]] = defaultdict(list)
    for article in changed:
        assert article.source is not None
        by_file[Path(article.source.path)].append(article)
    contents = {path: _changed(path, articles) for path, articles in sorted(by_file.items())}  # before anything is written
    for path, content in contents.items():
        with replacing(path) as temporary:
            temporary.write_bytes(content)
    return list(contents)


def _changed(path: Path, articles: Sequence[Article]) -> bytes:
    if path.suffix != LINES:
        return annotated.replace_article(path.read_bytes().decode("utf-8-sig"), articles[0], Target(lose=_refuse)).encode()
    lines = path.read_bytes().split(b"\n")
    for article in articles:
        assert article.source is not None
        lines[article.source.line - 1] = jsonl.format_row(article).encode()
    return b"\n".join(lines)
