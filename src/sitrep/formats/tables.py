"""CSV and TSV by the rules of Python's csv module, as streams: a header line, then one article a row.

A quoted text may hold the delimiter and newlines; a quote inside is doubled. Every value stays the string that was written. A class field
is a column of its own with its labels joined by `;`.
"""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO

from sitrep.articles import SEPARATOR, Article, Source
from sitrep.formats.faults import Loss
from sitrep.formats.files import Context, RowError, decode, too_long
from sitrep.formats.rows import KNOWN_KEYS, article_of, check_columns
from sitrep.formats.spooling import spooled
from sitrep.formats.streams import CHUNK, opened
from sitrep.formats.writing import Target, is_text, lose_all_but, named

csv.field_size_limit(2**31 - 1)  # for all of csv: a text may be longer than its default of 131,072 characters

MARKS = ("spans", "labels", "scores")  # objects in JSON; a column of that name is one like any other


@dataclass(frozen=True)
class Table:
    """A format of rows whose columns a `delimiter` parts; `name` is what messages call it."""

    name: str
    delimiter: str

    def read(self, path: Path, context: Context) -> Iterator[Article]:
        """Yield the articles of a table; a row without an id is named `<file>:<line>`, by the line in which it begins."""
        try:
            with opened(path) as stream:
                yield from self._articles(_Rows(stream, path, context, self), context)
        except OSError as error:
            raise RowError(Source(str(path)), f"cannot be read: {error.strerror}") from error

    def _articles(self, rows: _Rows, context: Context) -> Iterator[Article]:
        header = rows.take()
        check_columns(header or [], rows.source, context, self._hint(header or []))
        while True:
            try:
                if (row := rows.take()) is None:
                    return
                yield _article(header or [], row, rows.source, context)
            except RowError as error:
                context.reject(error)

    def write(self, articles: Iterable[Article], path: Path, target: Target) -> None:
        """Write a row an article: `id`, `text`, a column a class field, then a column each other field; mentions are lost."""
        with spooled(articles, path) as spool, path.open("w", encoding="utf-8", newline="") as file:
            names = dict.fromkeys([*spool.fields, *spool.other_fields])
            columns = ["id", "text", *(name for name in names if name not in KNOWN_KEYS and "\0" not in name)]
            writer = csv.writer(file, delimiter=self.delimiter)
            writer.writerow(columns)
            for article in spool:
                if is_text(article, target):
                    writer.writerow(_row(article, columns, target))

    def _hint(self, header: list[str]) -> str:
        others = [mark for mark in ",;\t|" if mark != self.delimiter and len(header) == 1 and mark in header[0]]
        return f"; the header holds {others[0]!r}, but {self.name} parts columns by {self.delimiter!r}" if others else ""


def _article(header: list[str], row: list[str], source: Source, context: Context) -> Article:
    if len(row) != len(header):
        raise RowError(
            source,
            f"{len(row)} columns, but the header has {len(header)}; a text that holds a delimiter or newline needs quotes around it",
        )
    values = dict(zip(header, row, strict=True))
    marks = {name: values.pop(name) for name in MARKS if name in values and name not in (context.text_field, context.id_field)}
    article = article_of(values, source, context, default_id="")
    return replace(article, id=article.id or f"{context.article_id}:{source.line}", extra={**article.extra, **marks})


class _Rows:
    """The rows of a table, and as an iterator the lines that `csv.reader` makes them of.

    A line that is not UTF-8 is read all the same, so that the quotes stay in step, and its row is refused.
    """

    def __init__(self, stream: BinaryIO, path: Path, context: Context, table: Table) -> None:
        self.source = Source(str(path))  # where the row at hand begins
        self._stream = stream
        self._path = path
        self._table = table
        self._max_chars = context.max_chars
        self._limit = context.max_row_bytes(per_char=4)
        self._line = self._n_bytes = self._n_quotes = 0  # lines taken; bytes and quotes of the row at hand
        self._fault: RowError | None = None
        self._is_over = False
        self._rows = csv.reader(self, delimiter=table.delimiter, strict=True)

    def take(self) -> list[str] | None:
        """Return the next row that is not blank, or None at the end.

        Raises:
            RowError: if it cannot be read; the next call goes on behind it.
        """
        row: list[str] | None = []
        while row == []:
            self.source = Source(str(self._path), self._line + 1)
            self._n_bytes = self._n_quotes = 0
            self._fault = None
            try:
                row = next(self._rows, None)
            except csv.Error as error:
                raise self._fault or RowError(self.source, f"not {self._table.name}: {self._explain(error)}") from error
            if self._fault:
                raise self._fault
        return row

    def _explain(self, error: csv.Error) -> str:
        reached = f"; lines {self.source.line:,} to {self._line:,} are left out" if self._line > self.source.line else ""
        return f"{error}; a text that opens with a quote must close it, quotes inside doubled{reached}"

    def __iter__(self) -> _Rows:
        return self

    def __next__(self) -> str:
        line = self._readline(-1 if self._limit is None else self._limit - self._n_bytes + 1)
        if not line:
            raise StopIteration
        self._line += 1
        self._count(line)
        if self._limit is not None and self._n_bytes > self._limit:
            self._skip(line)
            raise too_long(self.source, f"a row of {self._n_bytes:,} bytes", self._max_chars)
        try:
            return decode(line, self._path, self._line)
        except RowError as error:
            self._fault = self._fault or error
            return line.decode("utf-8", "surrogateescape")

    def _count(self, piece: bytes) -> None:
        self._n_bytes += len(piece)
        self._n_quotes += piece.count(b'"')

    def _readline(self, max_bytes: int) -> bytes:
        try:
            return b"" if self._is_over else self._stream.readline(max_bytes)
        except OSError as error:
            self._is_over = True
            raise RowError(self.source, f"cannot be read: {error.strerror}") from error

    def _skip(self, piece: bytes) -> None:
        """Read on to the end of the row: of the first line at whose end all quotes are closed."""
        while piece and not (piece.endswith(b"\n") and self._n_quotes % 2 == 0):
            self._line += piece.endswith(b"\n")
            piece = self._readline(CHUNK)
            self._count(piece)


def _row(article: Article, columns: Sequence[str], target: Target) -> list[str]:
    """Return the cells of an article, and report what they do not hold."""
    for span in article.spans:
        target.lose(Loss(article.id, "mentions", named(article, span)))
    lose_all_but(article, target, "labels", "extra")
    article_id = article.id.replace("\0", "")
    if not article_id:
        target.lose(Loss(article.id, "ids", f"{article.id!r} is read back as the file's name and line"))
    elif article_id != article.id:
        target.lose(Loss(article.id, "ids", f"{article.id!r} becomes {article_id!r}"))
    cells: dict[str, str] = {"id": article_id, "text": article.text}
    for name, value in article.extra.items():
        if name not in columns:
            target.lose(Loss(article.id, "other fields", name))
        elif name in article.labels:
            target.lose(Loss(article.id, "other fields", f"{name}, since a class field is called like it"))
        else:
            cells[name] = _cell(article, name, value, target)
    for name, values in article.labels.items():
        if name not in columns or name in KNOWN_KEYS:
            target.lose(Loss(article.id, f"class labels of {name}", ", ".join(map(str, values))))
        else:
            cells[name] = _joined(article, name, values, target)
    for name in columns:
        if name not in cells:
            target.lose(Loss(article.id, "absent fields", f"{name}: read back as empty"))
    return [_without_nul(article, name, cells.get(name, ""), target) for name in columns]


def _joined(article: Article, name: str, values: Sequence[Any], target: Target) -> str:
    """Return class labels as one cell."""
    kept = [value for value in values if isinstance(value, str) and value.strip() == value != "" and SEPARATOR not in value]
    for value in values:
        if value not in kept:
            target.lose(Loss(article.id, "class labels that are blank, no text or hold a semicolon", f"{name}: {value!r}"))
    return SEPARATOR.join(kept)


def _cell(article: Article, name: str, value: Any, target: Target) -> str:
    """Return any other field as a cell: lists of labels joined, and what is no text as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(item, str) and item.strip() == item != "" and SEPARATOR not in item for item in value):
        return SEPARATOR.join(value)
    cell = json.dumps(value, ensure_ascii=False)
    target.lose(Loss(article.id, "types of other fields", f"{name}: {value!r} becomes {cell!r}"))
    return cell


def _without_nul(article: Article, name: str, cell: str, target: Target) -> str:
    if "\0" not in cell:
        return cell
    target.lose(Loss(article.id, "NUL characters", name))
    return cell.replace("\0", "")


CSV = Table("CSV", ",")
TSV = Table("TSV", "\t")
