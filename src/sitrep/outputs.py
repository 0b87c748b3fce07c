"""What predictions are written as, by the output's ending: articles as JSON Lines or Parquet, mentions as Parquet or CSV.

All are made from the finished JSON Lines, as a stream. pyarrow and zstandard are imported inside functions: `--help` must answer at once.
"""

from __future__ import annotations

import csv
import gzip
import json
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial as bind
from itertools import islice
from pathlib import Path
from typing import Any

from sitrep.articles import Article
from sitrep.errors import InputError
from sitrep.formats import read_articles
from sitrep.formats.files import replacing
from sitrep.sentences import Sentences

MENTIONS = "mentions.parquet"  # what the name of an output of mentions alone ends with
ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet", MENTIONS, ".csv")
MAX_NAME = 200
GROUP = 100  # rows of a Parquet row group: articles may be long
MENTION_COLUMNS = {
    "article_id": "string",
    "start": "int64",
    "end": "int64",
    "label": "string",
    "surface": "string",
    "score": "double",
    "sentence": "string",
}
OWN_COLUMNS = ("id", "text", "spans", "scores", "extra", "article_id", "n_mentions")
SPAN_KEYS = ("start", "end", "label", "text", "score")

Row = dict[str, Any]
ToRows = Callable[[Article], Iterator[Row]]


def check_ending(output: Path) -> None:
    """Raise an InputError unless the output's ending says how to write it."""
    if len(output.name.encode()) > MAX_NAME:
        raise InputError(f"output={output}: the name is longer than {MAX_NAME} bytes, which file systems allow with what stands beside it")
    if not output.name.endswith(ENDINGS):
        raise InputError(
            f"output={output}: the ending must be {', '.join(ENDINGS[:-1])} or {ENDINGS[-1]}: articles as JSON Lines or Parquet, "
            f"mentions as {MENTIONS} or .csv"
        )


def output_files(output: Path) -> list[Path]:
    """Return the files that an output consists of, itself first: mentions beside articles in Parquet, articles beside mentions in CSV."""
    if output.name.endswith(MENTIONS):
        return [output]
    beside = {".parquet": f".{MENTIONS}", ".csv": ".articles.csv"}.get(output.suffix)
    return [output, output.with_name(output.stem + beside)] if beside else [output]


def finish_output(lines: Path, output: Path, fields: Sequence[str]) -> list[Path]:
    """Make the files of `output` from finished JSON Lines, which are gone or no longer needed then; return them.

    fields: the class fields that were predicted; each has a column of its own in tables
    """
    files = output_files(output)
    if output.suffix == ".jsonl":
        lines.replace(output)
        return files
    with ExitStack() as stack:
        temporary = [stack.enter_context(replacing(file)) for file in files]
        if output.suffix in (".gz", ".zst"):
            {".gz": _pack_gzip, ".zst": _pack_zstd}[output.suffix](lines, temporary[0])
        elif output.suffix == ".csv":
            _write_csv(lines, temporary[0], list(MENTION_COLUMNS), mention_rows)
            _write_csv(lines, temporary[1], ["article_id", *map(_column, fields), "n_mentions"], bind(count_rows, fields=fields))
        else:
            _write_parquet(lines, temporary[-1], mention_rows, MENTION_COLUMNS)
            if len(files) == 2:
                _write_parquet(lines, temporary[0], bind(article_rows, fields=fields), _article_columns(fields))
        for path in temporary:
            with path.open("rb+") as written:  # on the disk, before the lines are given up
                os.fsync(written.fileno())
    return files


def mention_rows(article: Article) -> Iterator[Row]:
    """Yield a row a mention; `start` and `end` are half-open code points of the article's text."""
    sentences = Sentences(article.text)
    for span in article.spans:
        values = (article.id, span.start, span.end, span.label, article.surface(span), span.score, sentences.around(span))
        yield dict(zip(MENTION_COLUMNS, values, strict=True))


def article_rows(article: Article, fields: Sequence[str]) -> Iterator[Row]:
    """Yield the row of an article: its text and mentions, predicted class fields as lists, scores and all other fields as JSON."""
    spans = [dict(zip(SPAN_KEYS, (s.start, s.end, s.label, article.surface(s), s.score), strict=True)) for s in article.spans]
    classes = {_column(name): list(article.labels[name]) for name in fields}
    others = {name: list(labels) for name, labels in article.labels.items() if name not in fields}
    extra = {**article.extra, **({"labels": others} if others else {})}
    scores, rest = (json.dumps(value, ensure_ascii=False) for value in (article.scores, extra))
    yield {"id": article.id, "text": article.text, "spans": spans, **classes, "scores": scores, "extra": rest}


def count_rows(article: Article, fields: Sequence[str]) -> Iterator[Row]:
    """Yield the row of an article without its text: its classes, joined by `;`, and how many mentions it has, if only none."""
    classes = {_column(name): ";".join(article.labels[name]) for name in fields}
    yield {"article_id": article.id, **classes, "n_mentions": len(article.spans)}


def _column(field: str) -> str:
    """Return the column of a class field: its name, unless a column of ours bears that."""
    return f"labels_{field}" if field in OWN_COLUMNS else field


def _article_columns(fields: Sequence[str]) -> dict[str, Any]:
    import pyarrow as pa

    span = pa.struct(
        [(key, pa.int64() if key in ("start", "end") else pa.float64() if key == "score" else pa.string()) for key in SPAN_KEYS]
    )
    classes = {_column(name): pa.list_(pa.string()) for name in fields}
    return {"id": "string", "text": "string", "spans": pa.list_(span), **classes, "scores": "string", "extra": "string"}


def _rows(lines: Path, to_rows: ToRows) -> Iterator[Row]:
    for article in read_articles(lines, format="jsonl"):
        yield from to_rows(article)


def _write_csv(lines: Path, path: Path, columns: Sequence[str], to_rows: ToRows) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(_rows(lines, to_rows))


def _write_parquet(lines: Path, path: Path, to_rows: ToRows, columns: dict[str, Any]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema(list(columns.items()))
    rows = _rows(lines, to_rows)
    with parquet.ParquetWriter(path, schema, compression="zstd") as writer:
        while group := list(islice(rows, GROUP)):
            writer.write_table(pa.Table.from_pylist(group, schema=schema))


def _pack_gzip(lines: Path, path: Path) -> None:
    # mtime: the same bytes at any time
    with lines.open("rb") as source, path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
        shutil.copyfileobj(source, packed)


def _pack_zstd(lines: Path, path: Path) -> None:
    import zstandard

    with lines.open("rb") as source, path.open("wb") as packed:
        zstandard.ZstdCompressor().copy_stream(source, packed)
