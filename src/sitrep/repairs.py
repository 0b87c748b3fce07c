"""Repairs applied to an article, each change on a line: what could be kept safely is mended, and nothing is changed that is not listed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sitrep.articles import Article, Source, Span
from sitrep.findings import Finding, Key, key_of
from sitrep.formats.faults import DUPLICATE, SURFACE, Fault

SAFE, OFFSETS = "safe", "offsets"
"""safe: only what guesses nothing; offsets: also offsets that seem shifted, though the file does not bear it out."""

TWICE = "it stands twice"
LEFT_OFF = "left off: it fits no place in the text"
RESTATED = "as the text reads"


@dataclass(frozen=True, slots=True)
class Change:
    """One mark before and after; after: None where it is gone."""

    article_id: str
    where: str
    before: str
    after: str | None
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.article_id}: {self.before} -> {self.after or 'removed'} ({self.why})"


def repair(article: Article, faults: Sequence[Fault], findings: Iterable[Finding], fix: str) -> tuple[Article, list[Change]]:
    """Return the article with what `fix` allows of the findings' repairs, and the changes.

    Marks that fit no text are no spans, so that a copy cannot hold them: unless they are moved they are listed as left off.
    """
    chosen = [finding for finding in findings if finding.repair and (finding.repair.safe or (fix == OFFSETS and finding.repair.is_offset))]
    moves = {key_of(finding): finding for finding in chosen if finding.repair and finding.repair.span}
    changes: list[Change] = []
    spans: dict[Span, None] = {}  # a set that keeps the order
    duplicates = {key_of(finding): finding for finding in chosen if finding.rule == "duplicate"}
    for span in article.spans:
        moved = _moved(span, article, moves, changes)
        if moved in spans:
            changes.append(Change(article.id, _where(article, span, duplicates), _show(article, moved), None, TWICE))
        spans.setdefault(moved)
    n_read = len(spans)
    for fault in faults:
        home = _home(fault, article, moves, changes) if fault.kind != SURFACE else None
        if home in spans:
            changes.append(Change(article.id, str(fault.mark.source), _show(article, home), None, TWICE))
        elif home:
            spans[home] = None
    if len(spans) > n_read:  # into the order of the text
        spans = dict.fromkeys(sorted(spans))
    changes += [_restated(fault, article) for fault in faults if fault.kind == SURFACE and key_of(fault.mark) not in moves]
    return replace(article, spans=tuple(spans)), changes


def _moved(span: Span, article: Article, moves: dict[Key, Finding], changes: list[Change]) -> Span:
    finding = moves.get(key_of(span))
    if finding is None or finding.repair is None or finding.repair.span is None:
        return span
    moved = Span(*finding.repair.span, span.label, span.score)
    changes.append(Change(article.id, finding.where, _show(article, span), _show(article, moved), finding.kind or finding.rule))
    return moved


def _home(fault: Fault, article: Article, moves: dict[Key, Finding], changes: list[Change]) -> Span | None:
    """Return the place of a mark that is no span of the article, if it has one."""
    mark, where = fault.mark, str(fault.mark.source)
    before = f"{mark.label} [{mark.start}, {mark.end}) {mark.surface if mark.surface is None else repr(mark.surface)}"
    finding = moves.get(key_of(fault.mark))
    if finding and finding.repair and finding.repair.span:
        span = Span(*finding.repair.span, mark.label, mark.score)
        changes.append(Change(article.id, where, before, _show(article, span), finding.kind or finding.rule))
        return span
    changes.append(Change(article.id, where, before, None, TWICE if fault.kind == DUPLICATE else LEFT_OFF))
    return None


def _restated(fault: Fault, article: Article) -> Change:
    """Return the change of a mark that stays where it is, so that the file now states the text that stands there."""
    mark = fault.mark
    before = f"{mark.label} [{mark.start}, {mark.end}) {mark.surface!r}"
    return Change(article.id, str(mark.source), before, _show(article, Span(mark.start, mark.end, mark.label)), RESTATED)


def _where(article: Article, span: Span, duplicates: dict[Key, Finding]) -> str:
    finding = duplicates.get(key_of(span))
    return finding.where if finding else str(article.source_of(span) or Source(article.id))


def _show(article: Article, span: Span) -> str:
    return f"{span.label} [{span.start}, {span.end}) {article.surface(span)!r}"
