"""Rules of matching: against nervaluate, against all matchings, and by hand."""

import itertools
from collections import Counter

import pytest
from factories import LABELS, flat_spans, make_article
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from nervaluate.entities import Entity
from nervaluate.strategies import EntityTypeEvaluation, ExactEvaluation, StrictEvaluation

from sitrep.articles import Article, Span
from sitrep.matching import EXTRA, HIT, MISSED, exact, overlap, strict


def article(rows):
    return Article("a", "x" * 20, tuple(Span(*row) for row in rows))


def outcomes(rule, gold, pred):
    """Return how many were hit, found in vain and missed."""
    found = Counter(what for _, what in rule(article(gold), article(pred)))
    return found[HIT], found[EXTRA], found[MISSED]


def share(one, other):
    return one[0] < other[1] and other[0] < one[1]


@pytest.mark.parametrize(("rule", "oracle"), [(strict, StrictEvaluation), (exact, ExactEvaluation), (overlap, EntityTypeEvaluation)])
@settings(max_examples=1000, deadline=None)
@given(gold=flat_spans(12), pred=flat_spans(12))
def test_as_nervaluate(rule, oracle, gold, pred):
    if rule is overlap:  # nervaluate gives a mention to the first that overlaps it, even one of another label
        assume(all(sum(share(one, other) for other in side) <= 1 for side, rest in ((gold, pred), (pred, gold)) for one in rest))
    sides = [[Entity(label=label, start=start, end=end - 1) for start, end, label in side] for side in (gold, pred)]
    result, _ = oracle().evaluate(*sides, list(LABELS))
    assert outcomes(rule, gold, pred) == (result.correct, result.actual - result.correct, result.possible - result.correct)


NESTED = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 6)), max_size=5).map(
    lambda pairs: sorted({(start, start + length, "LOCATION") for start, length in pairs})
)


@settings(max_examples=300, deadline=None)
@given(gold=NESTED, pred=NESTED)
def test_as_many_overlaps_are_matched_as_can_be(gold, pred):
    few, many = sorted((gold, pred), key=len)
    best = max(sum(map(share, few, chosen)) for chosen in itertools.permutations(many, len(few)))
    assert outcomes(overlap, gold, pred) == (best, len(pred) - best, len(gold) - best)


def test_by_hand():
    gold = make_article(marked="[Amina Sow](PERSON) left [Gao](LOCATION) for [Kidal](LOCATION).")
    pred = make_article(marked="Amina [Sow](PERSON) left [Gao](LOCATION) for [Kidal](ARMED_GROUP).")
    assert Counter(strict(gold, pred)) == Counter(
        {("PERSON", MISSED): 1, ("PERSON", EXTRA): 1, ("LOCATION", HIT): 1, ("LOCATION", MISSED): 1, ("ARMED_GROUP", EXTRA): 1}
    )
    assert Counter(exact(gold, pred)) == Counter({("LOCATION", HIT): 2, ("PERSON", MISSED): 1, ("PERSON", EXTRA): 1})
    assert Counter(overlap(gold, pred)) == Counter(
        {("PERSON", HIT): 1, ("LOCATION", HIT): 1, ("LOCATION", MISSED): 1, ("ARMED_GROUP", EXTRA): 1}
    )


def test_two_labels_on_the_same_characters_go_to_their_likes_first():
    two = [(0, 3, "PERSON"), (0, 3, "LOCATION")]
    assert Counter(exact(article(two), article([(0, 3, "LOCATION"), (0, 3, "ARMED_GROUP")]))) == Counter(
        {("LOCATION", HIT): 1, ("PERSON", HIT): 1}
    )
    assert outcomes(exact, two, [(0, 3, "LOCATION")]) == (1, 0, 1)
