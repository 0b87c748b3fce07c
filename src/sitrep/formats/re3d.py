"""The JSON of dstl/re3d: `documents.json` with `entities.json` beside it, one object a line; spans may nest.

A document has `_id` and `text`; an entity has `documentId`, `begin` and `end` (code points, half-open), `type` and `value`.
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from sitrep.articles import Article, Source, Span
from sitrep.formats.faults import DUPLICATE, SURFACE, Fault, Mark
from sitrep.formats.files import Context, RowError, decode, read_lines
from sitrep.formats.marks import find_fault, report
from sitrep.formats.rows import object_of, parse_json

log = logging.getLogger(__name__)

FILES = ("documents.json",)
EXTRA = ("title", "sourceName", "sourceUrl")
DOCUMENT = {"_id": str, "text": str}
HARMLESS = (SURFACE, DUPLICATE)  # of published files, which cannot be mended
ENTITY = {"documentId": str, "begin": int, "end": int, "type": str, "value": str}

Row = tuple[Source, dict[str, Any]]


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the documents of a `documents.json`; faults of the entities that lose nothing are counted in one warning."""
    entities = _read_entities(path.with_name("entities.json"))
    faults = Counter[str]()
    for number, line in read_lines(path):
        if not line.strip():
            continue
        source = Source(str(path), number)
        try:
            row = _parse(decode(line, path, number), source, DOCUMENT)
            spans = _spans(entities.pop(row["_id"], []), row["text"], context, faults)
            yield Article(row["_id"], row["text"], spans, extra={key: row[key] for key in EXTRA if key in row}, source=source)
        except RowError as error:
            context.reject(error)
    if faults.total():
        log.warning(
            "%s: %d entities whose value differs from the text at their offsets are kept, %d exact duplicates are left out",
            path.with_name("entities.json"), faults[SURFACE], faults[DUPLICATE],
        )  # fmt: skip
    for rows in entities.values():
        source, entity = rows[0]
        raise RowError(
            source, f"entity of document {entity['documentId']!r}, which {path} does not hold; the two files do not belong together"
        )


def _read_entities(path: Path) -> dict[str, list[Row]]:
    """Return the entities by document."""
    if not path.exists():
        raise RowError(Source(str(path)), "no such file; the entities of documents.json are read from entities.json beside it")
    entities: dict[str, list[Row]] = defaultdict(list)
    for number, line in read_lines(path):
        if line.strip():
            source = Source(str(path), number)
            row = _parse(decode(line, path, number), source, ENTITY)
            entities[row["documentId"]].append((source, row))
    return entities


def _parse(line: str, source: Source, kinds: Mapping[str, type]) -> dict[str, Any]:
    row = object_of(parse_json(line, source), source)
    for key, kind in kinds.items():
        if type(row.get(key)) is not kind:
            raise RowError(source, f"{key!r} must be {'a string' if kind is str else 'a whole number'}, found {row.get(key)!r}")
    return row


def _spans(rows: list[Row], text: str, context: Context, faults: Counter[str]) -> tuple[Span, ...]:
    spans: dict[Span, None] = {}  # a set that keeps the order
    for source, row in rows:
        mark = Mark(row["begin"], row["end"], row["type"], row["value"], source)
        fault = find_fault(mark, row["documentId"], text)
        span = Span(mark.start, mark.end, mark.label)
        if span in spans:
            fault = Fault(DUPLICATE, row["documentId"], mark, f"{mark.label} {mark.surface!r} [{mark.start}, {mark.end}) is marked twice")
        if fault and (context.report or fault.kind not in HARMLESS):
            report(fault, context)
        elif fault:
            faults[fault.kind] += 1
        if fault is None or fault.kind == SURFACE:
            spans[span] = None
    return tuple(spans)
