"""doccano's JSONL, an example a line, in the shapes that its projects export; written so that it imports.

    {"id": 7, "text": "In Gao.", "label": [[3, 6, "LOCATION"]], "Comments": []}                       sequence labelling
    {"id": 7, "text": "In Gao.", "labels": [[3, 6, "LOCATION"]], "meta": {"id": "a"}}                 the same, before 1.5
    {"id": 7, "text": "In Gao.", "entities": [{"id": 1, "label": "LOCATION", "start_offset": 3, "end_offset": 6}], "relations": []}
    {"id": 7, "text": "In Gao.", "label": ["bombing"]}                                                classification
    {"id": 7, "text": "In Gao.", "entities": [[3, 6, "LOCATION"]], "cats": ["bombing"]}               intents and slots

doccano names no class field: we call it `topics`. Its offsets are UTF-16 units, half-open, and are converted; those of a project that
counts grapheme clusters cannot be told from them. What an example had beside its text comes back at the top level, an `id` too, which so
replaces doccano's own number.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sitrep.articles import Article, Source
from sitrep.formats.faults import OUTSIDE, Fault, Loss, Mark
from sitrep.formats.files import Context, RowError, decode, read_lines
from sitrep.formats.marks import report, spans_of
from sitrep.formats.rows import id_of, object_of, parse_json, text_of
from sitrep.formats.units import Utf16
from sitrep.formats.writing import Target, json_fields, lose_all_but

log = logging.getLogger(__name__)

FIELD = "topics"
MARKS = ("label", "labels", "entities", "cats")  # where marks and classes stand
LOST = ("relations", "Comments", "comments")
OLD = "annotation_approver"  # in exports before 1.5, which hold what came with the text under `meta`
UNIT = "its offsets are taken for UTF-16 units, as doccano counts unless the project counts grapheme clusters"


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the examples of an export; one without an id is named `<file>:<line>`."""
    n_converted = 0
    for number, line in read_lines(path, context):
        if not line.strip():
            continue
        source = Source(str(path), number)
        try:
            article = _article(parse_json(decode(line, path, number), source), f"{context.article_id}:{number}", source, context)
        except RowError as error:
            context.reject(error)
        else:
            n_converted += bool(article.spans and Utf16(article.text))
            yield article
    if n_converted:
        log.warning("%s: %d marked texts hold emoji or other characters beyond U+FFFF; %s", path, n_converted, UNIT)


def _article(row: Any, default_id: str, source: Source, context: Context) -> Article:
    row = object_of(row, source)
    article_id, text = _id(row, default_id, source, context), text_of(row, source, context)
    marks: list[Mark] = []
    labels: dict[str, tuple[str, ...]] = {}
    for key in MARKS:
        for item in _list(row, key, source):
            if isinstance(item, str):
                labels[FIELD] = (*labels.get(FIELD, ()), item)
            else:
                marks.append(_parse_mark(item, key, source))
    if row.get("cats") == []:
        labels.setdefault(FIELD, ())
    for key in LOST:
        for item in _list(row, key, source):
            context.lose(Loss(article_id, key.lower(), str(item)))
    taken = {context.text_field, context.id_field, *MARKS, *LOST}
    extra = {key: value for key, value in row.items() if key not in taken}
    spans = spans_of(_in_points(marks, article_id, text, context), article_id, text, context)
    return Article(article_id, text, spans, labels, extra=extra, source=source)


def _id(row: dict[str, Any], default_id: str, source: Source, context: Context) -> str:
    meta = row["meta"] if OLD in row and isinstance(row.get("meta"), dict) else {}
    return id_of({**row, **meta}, default_id, source, context)


def _list(row: dict[str, Any], key: str, source: Source) -> list[Any]:
    value = row.get(key)
    if not isinstance(value, (list, type(None))):
        raise RowError(source, f"{key!r} must be an array, found {value!r}")
    return value or []


def _parse_mark(item: Any, key: str, source: Source) -> Mark:
    """Return a mark, still in UTF-16 units."""
    if isinstance(item, dict):
        item = [item.get("start_offset"), item.get("end_offset"), item.get("label")]
    if not isinstance(item, list) or len(item) != 3 or type(item[0]) is not int or type(item[1]) is not int:
        raise RowError(source, f"{key!r} must hold [start, end, label], objects with these, or class labels, found {item!r}")
    if not isinstance(item[2], str) or not item[2]:
        raise RowError(source, f"the label of a mark must be a word, found {item!r}; export with the names of labels")
    return Mark(item[0], item[1], item[2], None, source)


def _in_points(marks: list[Mark], article_id: str, text: str, context: Context) -> Iterator[Mark]:
    utf16 = Utf16(text)
    for mark in marks:
        if converted := utf16.mark_in_points(mark):
            yield converted
        else:
            cut = f"article {article_id!r}: span {mark.label} [{mark.start}, {mark.end}) cuts a character in two; {UNIT}"
            report(Fault(OUTSIDE, article_id, mark, cut), context)


def write(articles: Iterable[Article], path: Path, target: Target) -> None:
    """Write `articles` to `path`, one a line, as a stream: mentions under `label`, the classes of `topics` under `cats`.

    Import it with the format JSONL, column "text" for the data and "label" for the labels; the other columns stay with the example.
    """
    with path.open("w", encoding="utf-8", newline="\n") as lines:
        lines.writelines(json.dumps(_row(article, target), ensure_ascii=False) + "\n" for article in articles)


def _row(article: Article, target: Target) -> dict[str, Any]:
    utf16 = Utf16(article.text)
    marks = [[utf16.units(span.start), utf16.units(span.end), span.label] for span in article.spans]
    row: dict[str, Any] = {"id": article.id, "text": article.text, "label": marks}
    for name, values in article.labels.items():
        if name == FIELD:
            row["cats"] = list(values)
        else:
            target.lose(Loss(article.id, f"class labels of {name}", ", ".join(values)))
    lose_all_but(article, target, "labels", "extra")
    return row | json_fields(article, target, ("id", "text", *MARKS, *LOST))
