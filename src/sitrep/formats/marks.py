"""From marks as a file states them to the spans of an article."""

from __future__ import annotations

from collections.abc import Iterable

from sitrep.articles import Span
from sitrep.formats.faults import EMPTY, OUTSIDE, SURFACE, Fault, Mark
from sitrep.formats.files import Context, RowError


def spans_of(marks: Iterable[Mark], article_id: str, text: str, context: Context) -> tuple[Span, ...]:
    """Return the spans of an article of this text; a mark that does not fit it goes to `context.report`.

    Raises:
        RowError: for the first mark that does not fit, unless somebody wants a report of them.
    """
    spans = []
    for mark in marks:
        fault = find_fault(mark, article_id, text)
        if fault:
            report(fault, context)
        if fault is None or fault.kind == SURFACE:
            spans.append(Span(mark.start, mark.end, mark.label, mark.score))
    return tuple(spans)


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
