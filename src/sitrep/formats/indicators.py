"""Indicator columns: TSV without header, the text, then 0 or 1 for each label; the file names none, so they are label_1, label_2, ...

The text may be quoted by the rules of Python's csv module, and then hold tabs and newlines. Labels go into the class field
`topics`. Each row is one article, named `<file>-<n>`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path

from sitrep.articles import Article, Source
from sitrep.formats.files import Context, RowError, read_text

FILES = ("*.tsv",)
FIELD = "topics"


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the rows of a file; all must have as many columns as the first."""
    rows = csv.reader(io.StringIO(read_text(path, context), newline=""), delimiter="\t", strict=True)
    n_columns = number = 0
    line = 1  # where the row begins: a quoted text spans several
    try:
        for row in rows:
            source, line = Source(str(path), line), rows.line_num + 1
            if not row:
                continue
            number += 1
            n_columns = n_columns or len(row)
            try:
                yield Article(f"{context.article_id}-{number}", row[0], labels={FIELD: _parse(row, n_columns, source)}, source=source)
            except RowError as error:
                context.reject(error)
    except csv.Error as error:
        raise RowError(
            Source(str(path), line), f"not TSV: {error}; a text that opens with a quote must close it, quotes inside doubled"
        ) from error


def _parse(row: list[str], n_columns: int, source: Source) -> tuple[str, ...]:
    if len(row) < 2:
        raise RowError(source, f"expected 'text<TAB>0<TAB>1...', found one column: {row[0][:40]!r}")
    if len(row) != n_columns:
        raise RowError(source, f"{len(row)} columns, but the first row has {n_columns}; a tab inside a text needs quotes around the text")
    for column, value in enumerate(row[1:], start=2):
        if value not in ("0", "1"):
            raise RowError(
                source, f"column {column} holds {value!r}, expected 0 or 1; the file has no header line, its first column is the text"
            )
    return tuple(f"label_{index}" for index, value in enumerate(row[1:], start=1) if value == "1")
