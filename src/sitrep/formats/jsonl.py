"""JSON Lines, our exchange format: one article a line. Reads and writes as a stream.

`{"id", "text", "spans": [{"start", "end", "label", "text", "score"?}], "labels": {field: [...]}, "scores": {...}, ...}`
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sitrep.articles import Article, Source, Span
from sitrep.formats.files import Context, RowError, decode, read_lines
from sitrep.formats.rows import article_of, parse_json
from sitrep.formats.writing import Target


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the articles of a JSONL file; a row without an id is named `<file>:<line>`."""
    for number, line in read_lines(path, context):
        if not line.strip():
            continue
        source = Source(str(path), number)
        try:
            yield article_of(parse_json(decode(line, path, number), source), source, context, default_id=f"{context.article_id}:{number}")
        except RowError as error:
            context.reject(error)


def format_row(article: Article) -> str:
    """Return the JSON line (without newline) that holds `article`; keys stand in a fixed order."""
    row: dict[str, Any] = {"id": article.id, "text": article.text, "spans": [_span_row(article, span) for span in article.spans]}
    if article.labels:
        row["labels"] = {name: list(values) for name, values in article.labels.items()}
    if article.scores:
        row["scores"] = {name: dict(scores) for name, scores in article.scores.items()}
    return json.dumps({**row, **article.extra}, ensure_ascii=False)


def _span_row(article: Article, span: Span) -> dict[str, Any]:
    row = {"start": span.start, "end": span.end, "label": span.label, "text": article.surface(span)}
    return row if span.score is None else {**row, "score": span.score}


def write(articles: Iterable[Article], path: Path, target: Target | None = None) -> None:
    """Write `articles` to `path`, one a line; nothing is lost."""
    with path.open("w", encoding="utf-8", newline="\n") as lines:
        lines.writelines(format_row(article) + "\n" for article in articles)
