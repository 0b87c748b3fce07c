"""Reliability: bins against scikit-learn, the error against its definition, what counts as a prediction."""

import numpy as np
import pytest
from factories import make_article, make_task
from hypothesis import given
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve

from sitrep.articles import Article, Span
from sitrep.reliability import given_items, reliability, scored_items

TOPICS = make_task("multi-label", ["a", "b"], "topics")
SCORES = st.integers(0, 10_000).map(lambda n: n / 10_000) | st.sampled_from([0.0, 0.1, 0.3, 0.6, 0.7, 1.0])


def judged(scores_right):
    """Return articles of one label and (score, right) each: gold and predicted."""
    gold = [make_article(str(n), labels={"topics": ("a",) * right}) for n, (_, right) in enumerate(scores_right)]
    pred = [make_article(str(n), labels={"topics": ()}, scores={"topics": {"a": score}}) for n, (score, _) in enumerate(scores_right)]
    return gold, pred


ONE = make_task("binary", ["a"], "topics")


@given(st.lists(st.tuples(SCORES, st.booleans()), min_size=1, max_size=40))
def test_the_bins_are_those_of_scikit_learn(rows):
    gold, pred = judged(rows)
    scores, right = np.array([s for s, _ in rows]), np.array([r for _, r in rows])
    found = reliability(gold, pred, pred, ONE, 1.0)
    accuracy, confidence = calibration_curve(right, scores, n_bins=10, strategy="uniform")
    filled = [row for row in found["after"]["bins"] if row["n"]]
    assert [row["accuracy"] for row in filled] == pytest.approx(accuracy.tolist())
    assert [row["confidence"] for row in filled] == pytest.approx(confidence.tolist())
    assert all(row["low"] - 1e-9 <= row["confidence"] <= row["high"] + 1e-9 for row in filled)  # the mean of three times 0.1 is above it
    weights = [row["n"] / len(rows) for row in filled]
    assert found["after"]["ece"] == pytest.approx(np.sum(weights * np.abs(accuracy - confidence)))
    assert found["n_items"] == len(rows) == sum(row["n"] for row in found["after"]["bins"])
    assert [(row["low"], row["high"]) for row in found["after"]["bins"]] == [(n / 10, (n + 1) / 10) for n in range(10)]


def test_before_and_after_have_their_own_scores_and_intervals():
    rows = [(0.95, n % 2 == 0) for n in range(40)]
    gold, raw = judged(rows)
    _, calibrated = judged([(0.5, right) for _, right in rows])
    found = reliability(gold, raw, calibrated[::-1], ONE, 4.0)
    assert (found["temperature"], found["n_items"]) == (4.0, 40)
    assert found["before"]["ece"] == pytest.approx(0.45) and found["after"]["ece"] == pytest.approx(0)
    low, high = found["before"]["ece_interval"]
    assert 0.2 < low < 0.45 < high < 0.7
    low, high = found["after"]["ece_interval"]
    assert 0 <= low < 0.02 and 0.1 < high < 0.2  # half of 40 drawn are right, give or take 0.16
    empty = found["after"]["bins"][0]
    assert empty == {"low": 0.0, "high": 0.1, "n": 0, "confidence": None, "accuracy": None}


def test_articles_are_resampled_whole():
    """Forty predictions in two articles tell less than forty articles."""
    text, spans = "x " * 20, tuple(Span(2 * n, 2 * n + 1, "PERSON", 0.9) for n in range(20))
    gold, pred = [Article("a", text, spans), Article("b", text)], [Article(name, text, spans) for name in "ab"]
    low, high = reliability(gold, pred, pred, make_task(), 1.0)["after"]["ece_interval"]
    assert low == pytest.approx(0.1) and high == pytest.approx(0.9)  # both articles right, or both wrong


def test_a_mention_is_right_if_label_and_offsets_are_and_once_only():
    gold = [make_article("1", "[Gao](LOCATION) fell, [Amina Sow](PERSON) said.")]
    found = (Span(0, 3, "LOCATION", 0.9), Span(0, 3, "LOCATION", 0.8), Span(0, 3, "PERSON", 0.7), Span(10, 15, "PERSON", 0.6))
    items = scored_items(gold, [Article("1", gold[0].text, found)], make_task())
    assert (items.score.tolist(), items.right.tolist()) == ([0.9, 0.8, 0.7, 0.6], [True, False, False, False])
    assert (items.label.tolist(), items.article.tolist()) == ([1, 1, 0, 0], [0] * 4)


def test_pairs_of_article_and_label_and_the_label_that_is_chosen():
    gold = [make_article("1", labels={"topics": ("a",)}), make_article("2", labels={"topics": ("b",)})]
    scores = {"topics": {"a": 0.6, "b": 0.4}}
    pred = [make_article(name, labels={"topics": ("a",)}, scores=scores) for name in "21"]
    pairs = scored_items(gold, pred, TOPICS)
    assert (pairs.score.tolist(), pairs.right.tolist()) == ([0.6, 0.4, 0.6, 0.4], [True, False, False, True])
    chosen = scored_items(gold, pred, make_task("multi-class", ["a", "b"], "topics"))
    assert (chosen.score.tolist(), chosen.right.tolist(), chosen.article.tolist()) == ([0.6, 0.6], [True, False], [0, 1])
    assert given_items(gold, pred, TOPICS).score.tolist() == [0.6, 0.6]


@pytest.mark.parametrize(
    ("task", "pred"),
    [
        (make_task(), make_article("1", "[Gao](LOCATION)")),
        (TOPICS, make_article("1", "Gao", labels={"topics": ("a",)})),
        (TOPICS, make_article("1", "Gao", labels={"topics": ("a",)}, scores={"topics": {"a": 0.5}})),
        (make_task("multi-class", ["a", "b"], "topics"), make_article("1", "Gao", labels={"topics": ("a",)})),
    ],
)
def test_without_scores_there_is_nothing_to_judge(task, pred):
    gold = [make_article("1", "[Gao](LOCATION)", labels={"topics": ("a",)})]
    assert reliability(gold, [pred], [pred], task, 1.0) is None


def test_nothing_found_and_no_articles():
    gold = [make_article("1", "[Gao](LOCATION)"), make_article("2")]
    for articles in (gold, []):
        found = reliability(articles, [article.bare() for article in articles], [article.bare() for article in articles], make_task(), 1.0)
        assert (found["n_items"], found["after"]["ece"], found["after"]["ece_interval"]) == (0, None, None)
        assert {row["n"] for row in found["after"]["bins"]} == {0}
