"""What went wrong with each mention that was missed or found in vain, by kind.

wrong label   on the marked characters, or across them, under other labels only
too long      the label is right, the mention reaches over the marked one at one end or both
too short     the label is right, the mention covers a part
shifted       the label is right, each reaches where the other does not
split         several mentions lie on one that was marked, at least one of them under its label
merged        one mention lies on several that were marked, at least one of them under its label
missed        nothing overlaps what was marked
spurious      nothing that was marked overlaps the mention

A mention that strictly matches another takes no part. Every other one belongs to one mistake.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sitrep.articles import Article, Span

KINDS = ("wrong label", "too long", "too short", "shifted", "split", "merged", "missed", "spurious")


@dataclass(frozen=True)
class Mistake:
    """Marked and found mentions that do not match, and why."""

    article_id: str
    kind: str
    gold: tuple[Span, ...]
    pred: tuple[Span, ...]


def find_mistakes(gold: Article, pred: Article) -> Iterator[Mistake]:
    """Yield the mistakes of one article, in the order of the text."""
    golds, preds = _unmatched(gold.spans, pred.spans)
    groups = [group for pair in _tie(golds, preds) for group in _part(*pair)]
    for marked, found in sorted(groups, key=lambda group: min((span.start, span.end) for side in group for span in side)):
        yield Mistake(gold.id, _kind(marked, found), tuple(marked), tuple(found))


Spans = list[Span]


def _unmatched(golds: Sequence[Span], preds: Sequence[Span]) -> tuple[Spans, Spans]:
    """Return the spans of each side that no span of the other side equals, in order."""

    def rest(spans: Sequence[Span], others: Sequence[Span]) -> Spans:
        left, kept = Counter(map(_key, others)), []
        for span in sorted(spans, key=_key):
            if left[_key(span)]:
                left[_key(span)] -= 1
            else:
                kept.append(span)
        return kept

    return rest(golds, preds), rest(preds, golds)


def _key(span: Span) -> tuple[int, int, str]:
    return span.start, span.end, span.label


def _tie(golds: Spans, preds: Spans) -> Iterator[tuple[Spans, Spans]]:
    """Yield the marked and found spans that overlap one another, directly or through others."""
    items = sorted([(span, side) for side, spans in enumerate((golds, preds)) for span in spans], key=lambda item: _key(item[0]))
    block: list[tuple[Span, int]] = []
    end = 0
    for item in items:
        if block and item[0].start >= end:  # nothing from here on overlaps anything before
            yield from _tie_block(block)
            block = []
        block.append(item)
        end = max(end, item[0].end)
    yield from _tie_block(block)


def _tie_block(remaining: list[tuple[Span, int]]) -> Iterator[tuple[Spans, Spans]]:
    while remaining:
        tied, remaining = [remaining[0]], remaining[1:]
        for span, side in tied:  # grows while it is walked
            rest: list[tuple[Span, int]] = []
            for item in remaining:
                (tied if item[1] != side and _overlap(span, item[0]) else rest).append(item)
            remaining = rest
        yield [span for span, side in tied if side == 0], [span for span, side in tied if side == 1]


def _part(golds: Spans, preds: Spans) -> Iterator[tuple[Spans, Spans]]:
    """Yield what of tied spans is one mistake: all of them where a side has one; else pairs, those of equal offsets and labels first."""
    if len(golds) <= 1 or len(preds) <= 1:
        yield golds, preds
        return
    pairs = sorted(
        ((gold, pred) for gold in golds for pred in preds if _overlap(gold, pred)),
        key=lambda pair: (_ends(pair[0]) != _ends(pair[1]), pair[0].label != pair[1].label, -_shared(*pair), _key(pair[0]), _key(pair[1])),
    )
    left, found = list(golds), list(preds)
    for gold, pred in pairs:
        if gold in left and pred in found:
            left.remove(gold)
            found.remove(pred)
            yield [gold], [pred]
    yield from (([gold], []) for gold in left)
    yield from (([], [pred]) for pred in found)


def _kind(golds: Spans, preds: Spans) -> str:
    if not preds or not golds:
        return "spurious" if preds else "missed"
    if not {span.label for span in golds} & {span.label for span in preds}:
        return "wrong label"
    if len(preds) > 1 or len(golds) > 1:
        return "split" if len(preds) > 1 else "merged"
    (gold,), (pred,) = golds, preds
    if pred.start <= gold.start and gold.end <= pred.end:
        return "too long"
    return "too short" if gold.start <= pred.start and pred.end <= gold.end else "shifted"


def _ends(span: Span) -> tuple[int, int]:
    return span.start, span.end


def _shared(one: Span, other: Span) -> int:
    return min(one.end, other.end) - max(one.start, other.start)


def _overlap(one: Span, other: Span) -> bool:
    return _shared(one, other) > 0
