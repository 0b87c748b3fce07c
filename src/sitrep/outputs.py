"""What predictions are written as, by the output's ending: articles as JSON Lines or Parquet, mentions as Parquet or CSV.

All are made from the finished JSON Lines, as a stream. pyarrow and zstandard are imported inside functions: `--help` must answer at once.
"""

from __future__ import annotations

import csv
import gzip
import os
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from functools import partial as bind
from pathlib import Path
from typing import Any

from sitrep.articles import Article
from sitrep.errors import InputError
from sitrep.formats import read_articles
from sitrep.formats.columns import Row, article_row, column_of, schema_of, write_rows
from sitrep.formats.files import replacing
from sitrep.sentences import Sentences

MENTIONS = "mentions.parquet"  # what the name of an output of mentions alone ends with
ENDINGS = (".jsonl", ".jsonl.gz", ".jsonl.zst", ".parquet", MENTIONS, ".csv")
MAX_NAME = 200
MENTION_COLUMNS = {
    "article_id": "string",
    "start": "int64",
    "end": "int64",
    "label": "string",
    "surface": "string",
    "score": "double",
    "sentence": "string",
}

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
    if output.suffix == ".jsonl" and not output.is_symlink():
        lines.replace(output)
        return files
    with ExitStack() as stack:
        temporary = [stack.enter_context(replacing(file)) for file in files]
        if output.suffix == ".jsonl":  # what a link points to may lie on another disk
            shutil.copyfile(lines, temporary[0])
        elif output.suffix in (".gz", ".zst"):
            {".gz": _pack_gzip, ".zst": _pack_zstd}[output.suffix](lines, temporary[0])
        elif output.suffix == ".csv":
            _write_csv(lines, temporary[0], list(MENTION_COLUMNS), mention_rows)
            _write_csv(lines, temporary[1], ["article_id", *map(column_of, fields), "n_mentions"], bind(count_rows, fields=fields))
        else:
            write_rows(_rows(lines, mention_rows), temporary[-1], _mention_schema())
            if len(files) == 2:
                write_rows(_rows(lines, bind(article_rows, fields=fields)), temporary[0], schema_of(fields))
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
    yield article_row(article, fields)


def count_rows(article: Article, fields: Sequence[str]) -> Iterator[Row]:
    """Yield the row of an article without its text: its classes, joined by `;`, and how many mentions it has, if only none."""
    classes = {column_of(name): ";".join(article.labels[name]) for name in fields}
    yield {"article_id": article.id, **classes, "n_mentions": len(article.spans)}


def _mention_schema() -> Any:
    import pyarrow as pa

    return pa.schema(list(MENTION_COLUMNS.items()))


def _rows(lines: Path, to_rows: ToRows) -> Iterator[Row]:
    for article in read_articles(lines, format="jsonl"):
        yield from to_rows(article)


def _write_csv(lines: Path, path: Path, columns: Sequence[str], to_rows: ToRows) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(_rows(lines, to_rows))


def _pack_gzip(lines: Path, path: Path) -> None:
    # mtime: the same bytes at any time
    with lines.open("rb") as source, path.open("wb") as raw, gzip.GzipFile("", "wb", fileobj=raw, mtime=0) as packed:
        shutil.copyfileobj(source, packed)


def _pack_zstd(lines: Path, path: Path) -> None:
    import zstandard

    with lines.open("rb") as source, path.open("wb") as packed:
        zstandard.ZstdCompressor().copy_stream(source, packed)
