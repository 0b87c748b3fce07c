"""Plain text: one file is one article without labels."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sitrep.articles import Article, Source
from sitrep.formats.files import Context, read_text


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the one article of a text file; its id is the path below the folder read, without the ending."""
    yield Article(id=context.article_id, text=read_text(path, context), source=Source(str(path), is_text=True))
