"""Folders of the library `datasets`, as `save_to_disk` makes them: a data set, or a folder of one a split, all of which are read.

Written are the columns of formats/columns.py. Read are also sets with `tokens` and `ner_tags`, the usual shape for mentions: the text is
the tokens with one space between them. Numbers of a `ClassLabel`, tags or others, become the names that the set's features state.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from sitrep.articles import Article, Source
from sitrep.errors import first_line
from sitrep.formats.columns import GROUP, article_row, fields_with_columns, is_ours, schema_of
from sitrep.formats.conll import join_tokens
from sitrep.formats.files import Context, RowError
from sitrep.formats.parquet import article_of_cells, cells_of
from sitrep.formats.rows import check_columns
from sitrep.formats.spooling import spooled
from sitrep.formats.streams import STDIN
from sitrep.formats.writing import Target

FILES = ("dataset_info.json",)
FOLDER_FILES = ("*.arrow", "*.json")  # what a folder written here holds
BATCH_ROWS = 64
TOKENS, TAGS = "tokens", ("ner_tags", "tags")


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the articles of the data set whose `dataset_info.json` this is; a row without an id is named `<folder>:<row>`."""
    import datasets

    if path is STDIN:
        raise RowError(Source(str(path)), "a data set is a folder; it cannot be read from standard input")
    try:
        found = datasets.load_from_disk(str(path.parent))
    except Exception as error:  # whatever a broken file may do to it
        raise RowError(Source(str(path)), f"cannot be read as a data set of the library datasets: {first_line(error)}") from error
    split = context.article_id.removesuffix("dataset_info").rstrip("/") or path.parent.name
    tags = next((name for name in TAGS if name in found.column_names), None)
    has_text = context.text_field in found.column_names or TOKENS not in found.column_names or tags is None
    if has_text:
        check_columns(found.column_names, Source(str(path)), context)
    ours, n_done = is_ours(found.data.schema), 0
    own = replace(context, article_id=split)
    for table in found.with_format("arrow").iter(BATCH_ROWS):
        for index in range(table.num_rows):
            source = Source(str(path.parent), n_done + index + 1)
            try:
                cells = {name: _named(value, found.features[name]) for name, value in cells_of(table, index, source, own).items()}
                if not has_text:
                    cells[own.text_field], cells["spans"] = _rebuilt(cells.pop(TOKENS), cells.pop(str(tags)), source)
                yield article_of_cells(cells, source, own, ours=ours)
            except RowError as error:
                context.reject(error)
        n_done += table.num_rows


def _named(value: Any, feature: Any) -> Any:
    """Return the names of classes in the place of their numbers, other values as they are; -1 stands for no class."""
    names = getattr(getattr(feature, "feature", feature), "names", None)
    if names is None or value is None:
        return value
    found = [names[number] if number is not None and 0 <= number < len(names) else None for number in [*_as_list(value)]]
    return found if isinstance(value, list) else found[0]


def _as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _rebuilt(tokens: Any, tags: Any, source: Source) -> tuple[str, list[dict[str, Any]]]:
    """Return the text of tokens and its mentions as rows state them."""
    if not isinstance(tokens, list) or not isinstance(tags, list) or len(tokens) != len(tags):
        raise RowError(source, f"tokens and tags must be lists of one length, found {tokens!r} and {tags!r}")
    if not all(isinstance(item, str) for item in [*tokens, *tags]):
        raise RowError(source, "tokens and tags must be texts, or tags numbers that the set's features name (ClassLabel)")
    text, spans = join_tokens(zip(tokens, tags, strict=True), source)
    return text, [{"start": span.start, "end": span.end, "label": span.label} for span in spans]


def write(articles: Iterable[Article], path: Path, target: Target) -> None:
    """Write articles as one data set into the folder `path`; nothing is lost."""
    import datasets
    import pyarrow as pa

    path.mkdir(parents=True, exist_ok=True)
    with spooled(articles, path) as spool, tempfile.TemporaryDirectory(prefix=".", dir=path.parent) as folder:
        fields = fields_with_columns(spool.fields)
        schema, rows = schema_of(fields), (article_row(article, fields) for article in spool)
        with pa.ipc.new_stream(f"{folder}/rows.arrow", schema) as stream:
            while group := list(islice(rows, GROUP)):
                stream.write_table(pa.Table.from_pylist(group, schema=schema))
        is_quiet = datasets.are_progress_bars_disabled()
        datasets.disable_progress_bars()
        try:
            made = datasets.Dataset.from_file(f"{folder}/rows.arrow")
            made.save_to_disk(path, num_shards=None if len(made) else 1)  # a set without any file cannot be loaded
        finally:
            if not is_quiet:
                datasets.enable_progress_bars()
