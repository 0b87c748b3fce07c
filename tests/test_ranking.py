"""Average precision: against scikit-learn, with ties and with articles that count several times."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score

from sitrep.articles import Article
from sitrep.intervals import draw_weights, interval
from sitrep.ranking import average_precision, score_ranking

TOPICS = ("bombing", "kidnapping", "diplomacy")
CELL = st.tuples(st.booleans(), st.sampled_from([0.0, 0.2, 0.5, 0.7, 1.0]), st.integers(0, 3))


def sides(positive, scores):
    """Return marked and read articles of (n_articles, n_labels) truths and scores."""
    gold = [Article(str(i), "x", labels={"topics": tuple(np.array(TOPICS)[row])}) for i, row in enumerate(positive)]
    pred = [Article(str(i), "x", scores={"topics": dict(zip(TOPICS, row.tolist(), strict=True))}) for i, row in enumerate(scores)]
    return gold, pred


def ranked(positive, scores):
    return score_ranking(*sides(positive, scores), "topics", TOPICS, intervals=False)


@settings(max_examples=1000, deadline=None)
@given(st.lists(CELL, min_size=1, max_size=15))
def test_as_scikit_learn_with_ties_and_weights(rows):
    positive, scores, weights = map(np.array, zip(*rows, strict=True))
    assume((positive * weights).any())
    (found,) = average_precision(positive[:, None], scores[:, None], weights[None])
    assert found == pytest.approx(average_precision_score(positive, scores, sample_weight=weights), rel=1e-12)


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.tuples(CELL, CELL, CELL), min_size=1, max_size=10))
def test_labels_and_averages_as_scikit_learn(rows):
    positive, scores, _ = np.moveaxis(np.array(rows), -1, 0)
    positive = positive.astype(bool)
    marked = positive.any(axis=0)
    assume(marked.any())
    result = ranked(positive, scores)
    for topic, truths, column, is_marked in zip(TOPICS, positive.T, scores.T, marked, strict=True):
        expected = pytest.approx(average_precision_score(truths, column), rel=1e-12) if is_marked else None
        assert result["per_label"][topic] == {"value": expected}
    for name, columns in (("micro", slice(None)), ("macro", marked)):  # a label that nothing has is no part of the mean
        expected = average_precision_score(positive[:, columns], scores[:, columns], average=name)
        assert result[name]["value"] == pytest.approx(expected, rel=1e-12)


def test_intervals_are_those_of_resampled_articles():
    random = np.random.default_rng(0)
    positive = random.random((25, 3)) < [0.5, 0.3, 0.1]
    scores = np.round(np.clip(positive * 0.3 + random.random((25, 3)), 0, 1), 1)
    result = score_ranking(*sides(positive, scores), "topics", TOPICS)
    weights = np.concatenate([*draw_weights(25)])
    per_label = [average_precision(positive[:, [column]], scores[:, [column]], weights) for column in range(3)]
    expected = dict(zip(TOPICS, per_label, strict=True)) | {
        "micro": average_precision(positive, scores, weights),
        "macro": np.nanmean(per_label, axis=0),
    }
    found = result.pop("per_label") | result
    assert found.keys() == expected.keys()
    for name, row in found.items():
        assert row["interval"] == pytest.approx(interval(expected[name], 25))
        assert row["interval"][0] <= row["value"] <= row["interval"][1]


def test_what_nothing_has_is_undefined():
    result = ranked(np.zeros((2, 3), dtype=bool), np.ones((2, 3)))
    assert {row["value"] for row in (result["micro"], result["macro"], *result["per_label"].values())} == {None}


def test_without_all_scores_there_is_no_ranking():
    gold, pred = sides(np.eye(3, dtype=bool), np.eye(3))
    pred[1].scores["topics"].pop("bombing")
    assert score_ranking(gold, pred, "topics", TOPICS) is None
    assert score_ranking([], [], "topics", TOPICS) is None
