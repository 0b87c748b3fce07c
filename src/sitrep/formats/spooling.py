"""Articles of a stream gone through twice: columns must be known before the first row is written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sitrep.articles import Article
from sitrep.formats import jsonl
from sitrep.formats.files import Context


class Spooled:
    """The articles of a file that nobody else sees, as often as they are asked for.

    fields, other_fields: the names of all class fields and of all others, in the order in which they come
    """

    def __init__(self, articles: Iterable[Article], path: Path) -> None:
        self._path = path
        self._fields: dict[str, None] = {}
        self._other_fields: dict[str, None] = {}
        jsonl.write(self._watched(articles), path)
        self.fields, self.other_fields = list(self._fields), list(self._other_fields)

    def _watched(self, articles: Iterable[Article]) -> Iterator[Article]:
        for article in articles:
            self._fields |= dict.fromkeys(article.labels)
            self._other_fields |= dict.fromkeys(article.extra)
            yield article

    def __iter__(self) -> Iterator[Article]:
        return jsonl.read(self._path, Context(""))


@contextmanager
def spooled(articles: Iterable[Article], path: Path) -> Iterator[Spooled]:
    """Yield the articles, kept beside `path` on the disk until the block ends."""
    spool = path.with_name(f".{path.name}.spool")
    try:
        yield Spooled(articles, spool)
    finally:
        spool.unlink(missing_ok=True)
