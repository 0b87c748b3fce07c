"""The columns that articles have in Parquet and in datasets: what predict.py and writers give, and how readers know it again.

`id`, `text`, `spans` (a list of structs), a list of strings for each class field, `scores` and `extra` (objects in JSON). Class fields
whose column would hide one of these, or whose labels are no strings, stand in `extra` under `labels`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitrep.articles import Article, Source
from sitrep.formats.files import RowError
from sitrep.formats.rows import parse_json

if TYPE_CHECKING:
    import pyarrow

OWN_COLUMNS = ("id", "text", "spans", "scores", "extra")
TAKEN = (*OWN_COLUMNS, "article_id", "n_mentions")  # names that no class field's column has
SPAN_KEYS = ("start", "end", "label", "text", "score")
GROUP = 100  # rows of a Parquet row group: articles may be long

Row = dict[str, Any]


def column_of(field: str) -> str:
    """Return the column of a class field that was predicted: its name, unless a column of ours bears that."""
    return f"labels_{field}" if field in TAKEN else field


def fields_with_columns(fields: Iterable[str]) -> list[str]:
    """Return the class fields that have a column when articles are converted: a reader must find the name in it."""
    return [field for field in fields if field not in TAKEN and re.fullmatch(r"(?!labels)[\w -]+", field)]


def article_row(article: Article, fields: Sequence[str]) -> Row:
    """Return the row of an article; of class fields those in `fields` have a column, null where the article has no such field."""
    spans = [dict(zip(SPAN_KEYS, (s.start, s.end, s.label, article.surface(s), s.score), strict=True)) for s in article.spans]
    held = {name: list(article.labels[name]) for name in fields if _is_held(article.labels.get(name))}
    others = {name: list(labels) for name, labels in article.labels.items() if name not in held}
    extra = {**article.extra, **({"labels": others} if others else {})}
    scores, rest = (json.dumps(value, ensure_ascii=False) for value in (article.scores, extra))
    classes = {column_of(name): held.get(name) for name in fields}
    return {"id": article.id, "text": article.text, "spans": spans, **classes, "scores": scores, "extra": rest}


def _is_held(labels: Sequence[Any] | None) -> bool:
    return labels is not None and all(isinstance(label, str) for label in labels)


def schema_of(fields: Sequence[str]) -> pyarrow.Schema:
    """Return the schema of rows of `article_row`."""
    import pyarrow as pa

    kinds = {"start": pa.int64(), "end": pa.int64(), "score": pa.float64()}
    span = pa.struct([(key, kinds.get(key, pa.string())) for key in SPAN_KEYS])
    classes = [(column_of(name), pa.list_(pa.string())) for name in fields]
    text = pa.string()
    return pa.schema([("id", text), ("text", text), ("spans", pa.list_(span)), *classes, ("scores", text), ("extra", text)])


def write_rows(rows: Iterable[Row], path: Path, schema: pyarrow.Schema) -> None:
    """Write rows to a Parquet file, as a stream."""
    import pyarrow as pa
    from pyarrow import parquet

    rows = iter(rows)
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(rows, GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def is_ours(schema: pyarrow.Schema) -> bool:
    """Say whether these are the columns of `article_row`."""
    import pyarrow as pa

    if not set(OWN_COLUMNS) <= set(schema.names) or len(set(schema.names)) < len(schema.names):
        return False
    kinds = [schema.field(name).type for name in OWN_COLUMNS if name != "spans"]
    texts = all(pa.types.is_string(kind) or pa.types.is_large_string(kind) for kind in kinds)
    rest = [schema.field(name).type for name in schema.names if name not in OWN_COLUMNS]
    return texts and pa.types.is_list(schema.field("spans").type) and all(pa.types.is_list(kind) for kind in rest)


def row_as_json(cells: Mapping[str, Any], source: Source) -> Row:
    """Return a row of `article_row` as a line of JSONL would state it.

    Raises:
        RowError: if `scores` or `extra` is no object in JSON.
    """
    scores, extra = (parse_json(cells[name] or "{}", source) for name in ("scores", "extra"))
    if not isinstance(scores, dict) or not isinstance(extra, dict) or not isinstance(extra.get("labels", {}), dict):
        raise RowError(source, "'scores' and 'extra' must be objects in JSON")
    classes = {name: value for name, value in cells.items() if name not in OWN_COLUMNS and value is not None}
    spans = [{key: value for key, value in span.items() if value is not None} for span in cells["spans"] or ()]
    others = {key: value for key, value in extra.items() if key not in OWN_COLUMNS and key != "labels"}
    labels = {**classes, **extra.get("labels", {})}
    return {**others, "id": cells["id"], "text": cells["text"], "spans": spans, "labels": labels, "scores": scores}
