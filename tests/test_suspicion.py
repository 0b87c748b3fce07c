"""Marks ranked by what made-up models say of them."""

from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from factories import LABELS, make_article

from sitrep.articles import Article, Span
from sitrep.suspicion import MISSING, NOTHING, expected_confidence, rank, weigh

ARTICLE = make_article("a", "[Gao](LOCATION) and [Amina Sow](LOCATION) met on Monday.")
GAO, AMINA = ARTICLE.spans
SOW, MONDAY = Span(14, 17, "PERSON"), Span(25, 31, "PERSON")


@dataclass
class Said:
    """A model that gives spans these probabilities, 0 to others, and finds those from one half."""

    probabilities: dict[Span, float]
    nothing: dict[tuple[int, int], float] = field(default_factory=dict)
    lost: dict = field(default_factory=dict)

    @property
    def pred(self) -> Article:
        return replace(ARTICLE, spans=tuple(replace(span, score=p) for span, p in self.probabilities.items() if p >= 0.5))

    def of(self, spans):
        return np.array([self.probabilities.get(span, 0.0) for span in spans])

    def of_nothing(self, spans):
        return np.array([self.nothing.get((span.start, span.end), 0.0) for span in spans])


def person(span: Span) -> Span:
    return replace(span, label="PERSON")


@pytest.mark.parametrize(
    ("said", "problem", "suggested"),
    [
        (Said({AMINA: 0.1, person(AMINA): 0.8}), "label", person(AMINA)),
        (Said({AMINA: 0.1, replace(SOW, label="LOCATION"): 0.8}), "boundary", replace(SOW, label="LOCATION")),
        (Said({AMINA: 0.1, SOW: 0.8}), "label and boundary", SOW),
        (Said({AMINA: 0.1}, {(AMINA.start, AMINA.end): 0.8}), NOTHING, None),
    ],
)
def test_the_likeliest_alternative_says_what_is_wrong(said, problem, suggested):
    items, unjudged = weigh(ARTICLE, [said], LABELS)
    (item,) = [item for item in items if item.given == AMINA]
    assert (item.problem, item.suggested, item.p_given, item.p_suggested) == (problem, suggested, 0.1, 0.8)
    assert not unjudged and len(items) == 2


def test_what_is_found_where_nothing_is_marked_is_an_item():
    items, _ = weigh(ARTICLE, [Said({MONDAY: 0.9}, {(MONDAY.start, MONDAY.end): 0.05})], LABELS)
    (item,) = [item for item in items if item.given is None]
    assert (item.problem, item.suggested, item.p_given, item.p_suggested, item.place) == (MISSING, MONDAY, 0.05, 0.9, MONDAY)


def test_models_are_averaged_and_what_they_find_is_listed_once():
    longer = Span(22, 31, "PERSON")
    said = [Said({GAO: 0.8, MONDAY: 0.9}), Said({GAO: 0.4, longer: 0.6})]
    items, _ = weigh(ARTICLE, said, LABELS)
    assert [item.p_given for item in items if item.given == GAO] == [pytest.approx(0.6)]
    (free,) = [item for item in items if item.given is None]
    assert (free.suggested, free.p_suggested, free.n_models) == (MONDAY, 0.45, 2)


def test_a_model_that_cannot_say_does_not_count():
    class Mute(Said):
        def of(self, spans):
            return np.full(len(spans), np.nan)

    items, _ = weigh(ARTICLE, [Said({GAO: 0.8}), Mute({})], LABELS)
    assert [item.p_given for item in items if item.given == GAO] == [0.8]


def test_marks_that_cannot_be_held_are_handed_over_with_the_reason():
    items, unjudged = weigh(ARTICLE, [Said({GAO: 0.9}, lost={(AMINA.start, AMINA.end, AMINA.label): "inside a word"})], LABELS)
    assert [item.given for item in items] == [GAO]
    assert [(entry.given, entry.reason) for entry in unjudged] == [(AMINA, "inside a word")]


def test_the_most_suspect_come_first_and_equals_as_they_came():
    sure, unsure = Said({GAO: 0.9, AMINA: 0.02, person(AMINA): 0.95}), Said({GAO: 0.5, AMINA: 0.3, person(AMINA): 0.35})
    items = [item for said in (unsure, sure) for item in weigh(ARTICLE, [said], LABELS)[0]]
    ranked = rank(items)
    assert [(item.given, item.p_given) for item in ranked] == [(AMINA, 0.02), (AMINA, 0.3), (GAO, 0.5), (GAO, 0.9)]
    assert [item.score for item in ranked] == sorted(item.score for item in ranked)
    assert rank([]) == []


def test_expected_confidence_is_the_mean_over_a_label_s_marks():
    items, _ = weigh(ARTICLE, [Said({GAO: 0.9, AMINA: 0.1, MONDAY: 0.8})], LABELS)
    assert expected_confidence(items) == {"LOCATION": pytest.approx(0.5)}
