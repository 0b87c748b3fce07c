"""Parquet, one article a row, read batch by batch. Columns become what JSON can hold, and nothing of them is lost.

Dates and times become ISO 8601 text, durations seconds, decimals their digits, bytes base64, numbers that are none `"NaN"`, `"Infinity"`,
`"-Infinity"`, maps lists of pairs. A binary column that is named as the text or id is read as UTF-8. Files with the columns that predict.py
and `write` give (formats/columns.py) are known by them, and read as the articles that were written.
"""

from __future__ import annotations

import base64
import datetime
import math
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitrep.articles import Article, Source
from sitrep.errors import first_line
from sitrep.formats.columns import article_row, fields_with_columns, is_ours, row_as_json, schema_of, write_rows
from sitrep.formats.files import DEFAULT_ID_FIELD, DEFAULT_TEXT_FIELD, Context, RowError, too_long
from sitrep.formats.rows import article_of, check_columns
from sitrep.formats.spooling import spooled
from sitrep.formats.streams import STDIN, split_name
from sitrep.formats.writing import Target

if TYPE_CHECKING:
    import pyarrow
    import pyarrow.parquet

MARKS = {"spans": (list, type(None)), "labels": (dict, type(None)), "scores": (dict, type(None))}  # of another type: a column like any
BATCH_ROWS = 64
READ_BUFFER = 1 << 20  # bytes of each column at a time, instead of its whole row group


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the articles of a Parquet file; a row without an id is named `<file>:<row>`, and messages give the row for the line."""
    import pyarrow
    import pyarrow.parquet

    if path is STDIN or split_name(path)[2]:
        how = "cannot be read from standard input; save it to a file" if path is STDIN else "is packed inside already; unpack the file"
        raise RowError(Source(str(path)), f"Parquet {how}")
    n_done, n_rows = 0, None
    try:
        with pyarrow.parquet.ParquetFile(path, pre_buffer=False, buffer_size=READ_BUFFER, page_checksum_verification=True) as file:
            n_rows = file.metadata.num_rows
            check_columns(file.schema_arrow.names, Source(str(path)), context)
            ours = is_ours(file.schema_arrow)
            for batch in file.iter_batches(BATCH_ROWS, use_threads=False):
                for index in range(batch.num_rows):
                    source = Source(str(path), n_done + index + 1)
                    try:
                        yield article_of_cells(cells_of(batch, index, source, context), source, context, ours=ours)
                    except RowError as error:
                        context.reject(error)
                n_done += batch.num_rows
    except (pyarrow.ArrowException, OSError, ValueError, MemoryError) as error:
        since = "" if n_rows is None else f" from row {n_done + 1:,} of {n_rows:,} on"
        reason = getattr(error, "strerror", None) or first_line(error)
        raise RowError(
            Source(str(path), n_done + 1), f"cannot be read as Parquet{since}: {reason}; write or fetch the file again"
        ) from error


def write(articles: Iterable[Article], path: Path, target: Target) -> None:
    """Write a row an article; nothing is lost."""
    with spooled(articles, path) as spool:
        fields = fields_with_columns(spool.fields)
        write_rows((article_row(article, fields) for article in spool), path, schema_of(fields))


def cells_of(batch: pyarrow.RecordBatch | pyarrow.Table, index: int, source: Source, context: Context) -> dict[str, Any]:
    """Return the values of a row by column, as JSON can hold them.

    Raises:
        RowError: if one is no text though it says so, or too long.
    """
    cells: dict[str, Any] = {}
    for name, column in zip(batch.schema.names, batch.columns, strict=True):
        try:
            cells[name] = _cell(column[index], name, source, context)
        except (ValueError, OverflowError) as error:  # also UnicodeDecodeError: Parquet does not make sure of UTF-8
            raise RowError(source, f"column {name!r}: {first_line(error)}") from error
    return cells


def article_of_cells(cells: dict[str, Any], source: Source, context: Context, *, ours: bool) -> Article:
    """Return the article of a row; `ours` says whether the columns are those of `columns.article_row`.

    Raises:
        RowError: if it is none.
    """
    if ours and (context.text_field, context.id_field) == (DEFAULT_TEXT_FIELD, DEFAULT_ID_FIELD):
        return article_of(row_as_json(cells, source), source, context, default_id="")
    marks = {name: cells.pop(name) for name, kinds in MARKS.items() if name in cells and not isinstance(cells[name], kinds)}
    if cells.get(context.id_field) is None:
        cells[context.id_field] = f"{context.article_id}:{source.line}"
    article = article_of(cells, source, context, default_id="")
    return replace(article, extra={**article.extra, **marks}) if marks else article


def _cell(cell: pyarrow.Scalar, name: str, source: Source, context: Context) -> Any:
    is_text = name in (context.text_field, context.id_field)
    limit = context.max_bytes()
    if is_text and limit is not None and hasattr(cell, "as_buffer") and cell.is_valid and cell.as_buffer().size > limit:
        raise too_long(source, f"{cell.as_buffer().size:,} bytes under {name!r}", context.max_chars)
    value = cell.as_py()
    if is_text and isinstance(value, bytes):
        return value.decode("utf-8")
    return _without_nulls(value) if name in MARKS else to_json(value)


def _without_nulls(value: Any) -> Any:
    """Return `labels`, `scores` or `spans` as JSON would state them: a struct has all its fields in every row, most of them null."""
    if isinstance(value, dict):
        return {key: _without_nulls(inner) for key, inner in value.items() if inner is not None}
    return [_without_nulls(inner) for inner in value] if isinstance(value, list) else to_json(value)


def to_json(value: Any) -> Any:
    """Return a value of pyarrow's as JSON can hold it."""
    if isinstance(value, dict):
        return {key: to_json(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_json(inner) for inner in value]
    match value:
        case float() if not math.isfinite(value):
            plain: Any = "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
        case None | bool() | int() | float() | str():
            plain = value
        case datetime.date() | datetime.time():
            plain = value.isoformat()
        case datetime.timedelta():
            plain = value.total_seconds()
        case bytes():
            plain = base64.b64encode(value).decode()
        case _:
            plain = str(value)  # decimals, UUIDs
    return plain
