"""From marks as a file states them to the spans of an article."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sitrep.articles import Source, Span
from sitrep.formats.faults import EMPTY, OUTSIDE, SURFACE, Fault, Mark
from sitrep.formats.files import Context, RowError


def spans_of(marks: Iterable[Mark], article_id: str, text: str, context: Context) -> tuple[Span, ...]:
    """Return the spans of an article of this text; a mark that does not fit it goes to `context.report`.

    Raises:
        RowError: for a score that is none, and for the first mark that does not fit, unless somebody wants a report of them.
    """
    spans = []
    for mark in marks:
        if mark.score is not None:
            check_score(mark.score, f"span {mark.label} [{mark.start}, {mark.end})", article_id, mark.source)
        fault = find_fault(mark, article_id, text)
        if fault:
            report(fault, context)
        if fault is None or fault.kind == SURFACE:
            spans.append(Span(mark.start, mark.end, mark.label, mark.score))
    return tuple(spans)


def check_score(score: Any, of: str, article_id: str, source: Source) -> None:
    """Demand that a score is a number in [0, 1]."""
    if isinstance(score, bool) or not isinstance(score, (int, float)) or not 0 <= score <= 1:  # NaN is in no range
        raise RowError(source, f"article {article_id!r}: the score of {of} must be a number in [0, 1], found {score!r}; mend or remove it")


def check_scores(scores: Mapping[str, Mapping[str, Any]], article_id: str, source: Source) -> None:
    """Demand of the scores of class fields, field -> label -> score, that each is one."""
    for name, of_labels in scores.items():
        for label, score in of_labels.items():
            check_score(score, f"{name} {label!r}", article_id, source)


def report(fault: Fault, context: Context) -> None:
    """Hand a fault to `context.report`; where there is none, it is an error."""
    if context.report is None:
        raise RowError(fault.mark.source, fault.reason)
    context.report(fault)


def find_fault(mark: Mark, article_id: str, text: str) -> Fault | None:
    """Return what is wrong with the offsets of a mark, or None."""
    start, end = mark.start, mark.end
    said = f"span {mark.label} [{start}, {end})"
    if not 0 <= start < end <= len(text):
        kind = EMPTY if 0 <= end <= start <= len(text) else OUTSIDE
        how = f"{said} is empty or outside the text of {len(text)} characters"
        return Fault(kind, article_id, mark, f"article {article_id!r}: {how}; {OFFSETS}")
    if mark.surface is not None and mark.surface != text[start:end]:
        how = f"{said} reads {text[start:end]!r} in the text, but the file says {mark.surface!r}"
        return Fault(SURFACE, article_id, mark, f"{how}; offsets must count code points of the text as it stands; {CHECK}")
    return None


CHECK = "python annotate.py action=check input=PATH shows all such marks, and where they may belong"
OFFSETS = f"offsets are half-open code points (not bytes, not UTF-16 units); {CHECK}"
