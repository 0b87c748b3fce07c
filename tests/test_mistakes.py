"""Mistakes: each kind by hand, and every mention that does not match in exactly one of them."""

from collections import Counter

import pytest
from factories import LABELS
from hypothesis import given, settings
from hypothesis import strategies as st

from sitrep import mistakes
from sitrep.articles import Article, Span
from sitrep.matching import EXTRA, MISSED, strict
from sitrep.mistakes import KINDS, find_mistakes


def article(rows):
    return Article("a", "x" * 30, tuple(Span(*row) for row in rows))


P, L = "PERSON", "LOCATION"


@pytest.mark.parametrize(
    ("gold", "pred", "kinds"),
    [
        ([(0, 4, P)], [(0, 4, P)], []),
        ([(0, 4, P)], [(0, 4, L)], ["wrong label"]),
        ([(0, 4, P)], [(2, 6, L)], ["wrong label"]),
        ([(2, 4, P)], [(0, 4, P)], ["too long"]),
        ([(0, 4, P)], [(1, 3, P)], ["too short"]),
        ([(0, 4, P)], [(2, 6, P)], ["shifted"]),
        ([(0, 9, P)], [(0, 4, P), (5, 9, P)], ["split"]),
        ([(0, 4, P), (5, 9, P)], [(0, 9, P)], ["merged"]),
        ([(0, 9, P)], [(0, 4, L), (5, 9, P)], ["split"]),
        ([(0, 9, P)], [(0, 4, L), (5, 9, L)], ["wrong label"]),  # in two, but no label is right
        ([(0, 4, P), (5, 9, P)], [(0, 9, L)], ["wrong label"]),
        ([(0, 4, P)], [(4, 6, P)], ["missed", "spurious"]),
        ([(0, 4, P), (4, 8, L)], [(2, 6, P), (6, 9, L)], ["shifted", "shifted"]),
        ([(0, 4, P), (0, 9, L)], [(0, 4, P)], ["missed"]),  # what matches strictly takes no part
        ([(0, 4, P), (0, 4, P)], [(0, 4, P)], ["missed"]),
    ],
)
def test_kinds(gold, pred, kinds):
    found = list(find_mistakes(article(gold), article(pred)))
    assert [mistake.kind for mistake in found] == kinds


SPANS = st.lists(st.tuples(st.integers(0, 14), st.integers(1, 6), st.sampled_from(LABELS)), max_size=7).map(
    lambda rows: [(start, start + length, label) for start, length, label in rows]
)


@settings(max_examples=300, deadline=None)
@given(gold=SPANS, pred=SPANS)
def test_every_mention_that_does_not_match_is_in_one_mistake(gold, pred):
    found = list(find_mistakes(article(gold), article(pred)))
    outcomes = Counter(what for _, what in strict(article(gold), article(pred)))
    assert sum(len(mistake.gold) for mistake in found) == outcomes[MISSED]
    assert sum(len(mistake.pred) for mistake in found) == outcomes[EXTRA]
    for side, rows in (("gold", gold), ("pred", pred)):
        assert not Counter(span for mistake in found for span in getattr(mistake, side)) - Counter(Span(*row) for row in rows)
    assert {mistake.kind for mistake in found} <= set(KINDS)


def test_mistakes_far_apart_are_not_held_against_each_other(monkeypatch):
    """So that time grows as the mistakes of an article, not as their square."""
    n_compared = 0

    def counted(one, other, overlap=mistakes._overlap):
        nonlocal n_compared
        n_compared += 1
        return overlap(one, other)

    monkeypatch.setattr(mistakes, "_overlap", counted)
    gold, pred = (Article("a", "x" * 4000, tuple(Span(start, start + 4, label) for start in range(0, 4000, 10))) for label in (P, L))
    assert [mistake.kind for mistake in find_mistakes(gold, pred)] == ["wrong label"] * 400
    assert 0 < n_compared <= 4 * 400
