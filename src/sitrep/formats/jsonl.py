"""JSON Lines, our exchange format: one article a line. Reads and writes as a stream.

`{"id", "text", "spans": [{"start", "end", "label", "text", "score"?}], "labels": {field: [...]}, "scores": {...}, ...}`
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sitrep.articles import Article, Source, Span
from sitrep.formats.files import Context, RowError, decode, read_lines
from sitrep.formats.rows import article_of, parse_json
from sitrep.formats.writing import Target

log = logging.getLogger(__name__)

ANSWERS = ("accept", "reject", "ignore")  # of Prodigy
OWN = {"start", "end", "label", "text", "score"}  # keys of our spans


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the articles of a JSONL file; a row without an id is named `<file>:<line>`."""
    warned = False
    for number, line in read_lines(path, context):
        if not line.strip():
            continue
        source = Source(str(path), number)
        try:
            row = parse_json(decode(line, path, number), source)
            if not warned and (tool := _tool_of(row)):
                warned = True
                log.warning(
                    "%s: looks like an export of %s, whose labels JSONL does not read as they are meant; give format=%s", source, *tool
                )
            _check_answer(row, source)
            yield article_of(row, source, context, default_id=f"{context.article_id}:{number}")
        except RowError as error:
            context.reject(error)


def _tool_of(row: Any) -> tuple[str, str] | None:
    """Return the name of the tool whose export a row seems to be from, and that of its format."""
    if not isinstance(row, dict):
        return None
    if row.get("answer") in ANSWERS and ("_input_hash" in row or _has_foreign_spans(row)):
        return "Prodigy", "prodigy"
    if "spans" not in row and any(_is_doccano(row.get(key)) for key in ("label", "labels", "entities")):
        return "doccano", "doccano"
    return None


def _check_answer(row: Any, source: Source) -> None:
    """Demand that what somebody rejected is not read as marked; what a model marked since then, and we wrote, is."""
    if isinstance(row, dict) and row.get("answer") in ("reject", "ignore") and _has_foreign_spans(row):
        raise RowError(source, f"'answer' is {row['answer']!r}, so these spans of Prodigy do not count; read the file with format=prodigy")


def _has_foreign_spans(row: dict[str, Any]) -> bool:
    """Say whether a row has spans that `format_row` did not write."""
    spans = row.get("spans")
    return isinstance(spans, list) and any(isinstance(span, dict) and not OWN >= span.keys() >= {"text"} for span in spans)


def _is_doccano(marks: Any) -> bool:
    """Say whether this is a list of doccano's marks: `[start, end, label]`, or objects with these."""
    first = marks[0] if isinstance(marks, list) and marks else None
    if isinstance(first, dict):
        return {"start_offset", "end_offset", "label"} <= first.keys()
    return isinstance(first, list) and [type(item) for item in first] == [int, int, str]


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
