"""JSON Lines, our exchange format: one article a line. Reads and writes as a stream.

`{"id", "text", "spans": [{"start", "end", "label", "text", "score"?}], "labels": {field: [...]}, "scores": {...}, ...}`
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sitrep.articles import Article, Source, Span
from sitrep.errors import InputError
from sitrep.formats.files import Context, RowError, decode, read_lines

KNOWN_KEYS = {"id", "text", "spans", "labels", "scores"}


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the articles of a JSONL file; a row without an id is named `<file>:<line>`."""
    for number, line in read_lines(path):
        if not line.strip():
            continue
        source = Source(str(path), number)
        try:
            yield parse_row(decode(line, path, number), source, default_id=f"{context.article_id}:{number}")
        except RowError as error:
            context.reject(error)
        except InputError as error:
            context.reject(RowError(source, str(error).removeprefix(f"{source}: ")))


def parse_row(line: str, source: Source, default_id: str) -> Article:
    """Return the article of one JSON line.

    Raises:
        InputError: if the line is not such an article.
    """
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:  # ValueError: also a whole number of thousands of digits
        raise RowError(source, f"not JSON: {error}") from error
    if not isinstance(row, dict):
        raise RowError(source, f"expected a JSON object, found {type(row).__name__}")
    text, article_id = row.get("text"), row.get("id", default_id)
    if not isinstance(text, str):
        raise RowError(source, f"no string under 'text'; the row has: {', '.join(row) or 'nothing'}")
    if "\\ud" in line.lower() and re.search("[\ud800-\udfff]", json.dumps(row, ensure_ascii=False)):
        raise RowError(source, "the row holds half of a surrogate pair, which is no character; re-export it as valid Unicode")
    if isinstance(article_id, bool) or not isinstance(article_id, (str, int)):
        raise RowError(source, f"'id' must be a string or a whole number, found {article_id!r}")
    return Article(
        id=str(article_id),
        text=text,
        spans=tuple(_parse_span(span, text, source) for span in _typed(row, "spans", list, source)),
        labels={name: tuple(values) for name, values in _typed(row, "labels", dict, source).items()},
        scores=_typed(row, "scores", dict, source),
        extra={key: value for key, value in row.items() if key not in KNOWN_KEYS},
        source=source,
    )


def _typed(row: dict, key: str, kind: type, source: Source) -> Any:
    value = row.get(key)
    if value is None:
        return kind()
    if not isinstance(value, kind):
        raise RowError(source, f"'{key}' must be a JSON {'array' if kind is list else 'object'}, found {value!r}")
    if key == "labels" and not all(isinstance(names, list) for names in row[key].values()):
        raise RowError(source, f"'labels' must map each field to a list, found {value!r}")
    if key == "scores" and not all(isinstance(scores, dict) for scores in row[key].values()):
        raise RowError(source, f"'scores' must map each field to an object, found {value!r}")
    return value


def _parse_span(raw: Any, text: str, source: Source) -> Span:
    if not isinstance(raw, dict) or not {"start", "end", "label"} <= raw.keys():
        raise RowError(source, f"a span needs 'start', 'end' and 'label', found {raw!r}")
    start, end, label, score = raw["start"], raw["end"], raw["label"], raw.get("score")
    if type(start) is not int or type(end) is not int or not isinstance(label, str) or not label:
        raise RowError(source, f"'start' and 'end' must be whole numbers and 'label' a word, found {raw!r}")
    if not isinstance(score, (int, float, type(None))):
        raise RowError(source, f"'score' must be a number, found {raw!r}")
    surface = raw.get("text", text[start:end])
    if 0 <= start < end <= len(text) and surface != text[start:end]:
        raise RowError(
            source,
            f"span {label} [{start}, {end}) reads {text[start:end]!r} in the text, but its own 'text' says {surface!r}; "
            "offsets must count code points of 'text' as it stands here",
        )
    return Span(start, end, label, score)


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


def write(articles: Iterable[Article], path: Path) -> None:
    """Write `articles` to `path`, one a line."""
    with path.open("w", encoding="utf-8", newline="\n") as lines:
        lines.writelines(format_row(article) + "\n" for article in articles)
