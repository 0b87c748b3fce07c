"""Which mentions found answer to which that were marked: three rules, each as hits, extras and misses under a label.

strict    label and both offsets are equal
exact     both offsets are equal, whatever the label; a hit counts under the label that was marked ("exact" of SemEval-2013 task 9.1)
overlap   the label is equal and a character is shared ("ent_type" there)

Each mention answers to one other at most. None of the rules depends on the order of the mentions.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby

from sitrep.articles import Article, Span

HIT, EXTRA, MISSED = range(3)
"""What a found or marked item is: right, found in vain, not found; columns of counts."""

Match = Callable[[Article, Article], Iterator[tuple[str, int]]]
"""From the marked and the read article to (label, HIT, EXTRA or MISSED)."""


def strict(gold: Article, pred: Article) -> Iterator[tuple[str, int]]:
    """Match mentions of the same label and offsets."""
    yield from _compare(Counter(map(_key, gold.spans)), Counter(map(_key, pred.spans)))


def classes(field: str) -> Match:
    """Return the rule that matches the class labels of `field`."""

    def match(gold: Article, pred: Article) -> Iterator[tuple[str, int]]:
        yield from _compare(*(Counter((label, 0, 0) for label in article.labels[field]) for article in (gold, pred)))

    return match


def exact(gold: Article, pred: Article) -> Iterator[tuple[str, int]]:
    """Match mentions of the same offsets; where several stand on the same characters, those of the same label first."""
    gold_keys, pred_keys = Counter(map(_key, gold.spans)), Counter(map(_key, pred.spans))
    for label, _, _ in (gold_keys & pred_keys).elements():
        yield label, HIT
    left, found = sorted((gold_keys - pred_keys).elements()), (pred_keys - gold_keys).elements()
    places = Counter(key[1:] for key in left) & Counter(key[1:] for key in (pred_keys - gold_keys).elements())
    yield from _place(left, Counter(places), MISSED, hit=True)
    yield from _place(sorted(found), Counter(places), EXTRA, hit=False)


def overlap(gold: Article, pred: Article) -> Iterator[tuple[str, int]]:
    """Match mentions of the same label that share a character, as many as can be.

    The mention that ends first is given, of those that it overlaps, the one that ends first: all of them reach beyond its end, so that one
    with a later end has at least the same choices left.
    """
    items = sorted([(span.label, span.end, span.start, side) for side, article in enumerate((gold, pred)) for span in article.spans])
    for label, alike in groupby(items, key=lambda item: item[0]):
        yield from ((label, what) for what in _sweep([item[1:] for item in alike]))


def _key(span: Span) -> tuple[str, int, int]:
    return span.label, span.start, span.end


def _compare(gold: Counter[tuple[str, int, int]], pred: Counter[tuple[str, int, int]]) -> Iterator[tuple[str, int]]:
    for found, what in ((gold & pred, HIT), (pred - gold, EXTRA), (gold - pred, MISSED)):
        for label, _, _ in found.elements():
            yield label, what


def _place(
    keys: Sequence[tuple[str, int, int]], places: Counter[tuple[int, int]], otherwise: int, *, hit: bool
) -> Iterator[tuple[str, int]]:
    for label, *place in keys:
        if places[start_end := (place[0], place[1])]:
            places[start_end] -= 1
            if hit:
                yield label, HIT
        else:
            yield label, otherwise


def _sweep(items: Sequence[tuple[int, int, int]]) -> Iterator[int]:
    """Yield what becomes of (end, start, side) items of one label, sorted."""
    taken = [False] * len(items)
    for index, (end, _, side) in enumerate(items):
        if taken[index]:
            continue
        taken[index] = True
        for other in range(index + 1, len(items)):
            if not taken[other] and items[other][2] != side and items[other][1] < end:
                taken[other] = True
                yield HIT
                break
        else:
            yield MISSED if side == 0 else EXTRA
