"""Thresholds: against trying every one that could matter; few positives; what the files say."""

import json
from fractions import Fraction
from itertools import pairwise

import pytest
from factories import make_article, make_task, refused
from hypothesis import given
from hypothesis import strategies as st

from sitrep.calibration import best_threshold, decide, fit_thresholds, load_thresholds
from sitrep.config import TaskConfig

SCORES = st.integers(0, 10_000).map(lambda n: n / 10_000)


def f1(scores, positive, threshold) -> Fraction:
    found = [score >= threshold for score in scores]
    n_right = sum(f and p for f, p in zip(found, positive, strict=True))
    return Fraction(2 * n_right, sum(found) + sum(positive))


def fitting(**changes) -> TaskConfig:
    task = make_task("multi-label", ["a", "b"], "topics")
    return TaskConfig(**{**vars(task), "thresholds": "dev", **changes})


def pair(n: int, labels, **scores):
    """Return an article with its gold labels, and the same one with predicted scores."""
    gold = make_article(str(n), labels={"topics": tuple(labels)})
    return gold, make_article(str(n), labels={"topics": ()}, scores={"topics": scores})


@given(st.lists(st.tuples(SCORES | st.sampled_from([0.1, 0.5, 0.9]), st.booleans()), min_size=1, max_size=30))
def test_no_threshold_is_better_and_none_as_good_is_nearer_to_one_half(rows):
    scores, positive = zip(*rows, strict=True)
    chosen = best_threshold(scores, positive)
    if not any(positive):
        assert chosen == 0.5
        return
    cuts = [0.5, *(round((low + high) / 2, 6) for low, high in pairwise(sorted(set(scores))))]
    best = max(f1(scores, positive, cut) for cut in cuts)
    assert f1(scores, positive, chosen) == best >= f1(scores, positive, 0.5)
    as_good = [cut for cut in cuts if f1(scores, positive, cut) == best]
    nearest = min(abs(round(cut * 10**6) - 500_000) for cut in as_good)
    assert chosen in as_good and abs(round(chosen * 10**6) - 500_000) == nearest


@pytest.mark.parametrize(
    ("scores", "positive", "threshold"),
    [
        ([0.1, 0.2, 0.4], [False, True, True], 0.15),
        ([0.1, 0.9], [False, True], 0.5),
        ([0.6, 0.8, 0.9], [False, False, True], 0.85),
        ([0.2, 0.3, 0.9], [False, True, True], 0.25),
        ([0.3, 0.3, 0.3], [True, False, True], 0.5),  # nothing tells them apart
        ([0.7, 0.7], [True, False], 0.5),
        ([0.2, 0.9], [False, False], 0.5),
        ([0.2, 0.9], [True, True], 0.5),  # 0.55 is not better, and what is below 0.2 is not tried
        ([], [], 0.5),
    ],
)
def test_the_threshold_of_a_label(scores, positive, threshold):
    assert best_threshold(scores, positive) == threshold


def test_a_label_with_few_positives_gets_the_threshold_of_all_labels():
    rows = [pair(n, ["a", "b"] if n < 2 else ["a"] if n < 20 else [], a=0.8 if n < 20 else 0.7, b=0.4 if n < 2 else 0.1) for n in range(30)]
    gold, pred = zip(*rows, strict=True)
    fitted = fit_thresholds(gold, pred, "topics", ["a", "b"])
    assert (fitted.n_positives, fitted.global_labels) == ({"a": 20, "b": 2}, ["b"])
    pooled = [article.scores["topics"][label] for label in "ab" for article in pred]
    positive = [label in article.labels["topics"] for label in "ab" for article in gold]
    assert fitted.thresholds == {"a": 0.75, "b": best_threshold(pooled, positive)}
    assert fit_thresholds(gold, pred[::-1], "topics", ["a", "b"]) == fitted
    own = fit_thresholds(gold, pred, "topics", ["a", "b"], min_positives=2)
    assert (own.thresholds, own.global_labels) == ({"a": 0.75, "b": 0.25}, [])
    assert fit_thresholds(gold, pred, "topics", ["a", "b"], min_positives=21).global_labels == ["a", "b"]


def test_no_positives_at_all():
    gold, pred = zip(*(pair(n, [], a=n / 10, b=0.9) for n in range(5)), strict=True)
    fitted = fit_thresholds(gold, pred, "topics", ["a", "b"])
    assert (fitted.thresholds, fitted.global_labels) == ({"a": 0.5, "b": 0.5}, ["a", "b"])


def test_no_articles():
    assert fit_thresholds([], [], "topics", ["a"]).thresholds == {"a": 0.5}


def test_saved_thresholds_are_loaded_and_say_where_they_come_from(tmp_path):
    gold, pred = zip(*(pair(n, ["a"] * (n % 2), a=n % 2 / 4, b=0.1) for n in range(4)), strict=True)
    fitted = fit_thresholds(gold, pred, "topics", ["a", "b"])
    fitted.save(tmp_path)
    assert json.loads((tmp_path / "calibration.json").read_text()) == {
        "schema_version": 1, "fitted_on": "dev",
        "thresholds": fitted.thresholds, "global_labels": ["a", "b"], "n_positives": {"a": 2, "b": 0},
    }  # fmt: skip
    assert load_thresholds(tmp_path, fitting()) == fitted.thresholds


def test_a_task_that_fits_none_has_none(tmp_path):
    assert load_thresholds(tmp_path, fitting(thresholds="fixed")) == {}


def test_thresholds_that_are_missing_or_of_other_labels_are_refused(tmp_path):
    with refused("calibration.json: is missing", "train again"):
        load_thresholds(tmp_path, fitting())
    (tmp_path / "calibration.json").write_text('{"thresholds": {"a": 0.5, "c": 0.5}}')
    with refused("holds thresholds of a, c", "labels are a, b"):
        load_thresholds(tmp_path, fitting())


@pytest.mark.parametrize(
    ("thresholds", "labels"), [({}, ("a",)), ({"a": 0.6}, ()), ({"a": 0.5, "b": 0.1}, ("a", "b")), ({"a": 0.0, "b": 0.2}, ("a",))]
)
def test_a_label_is_given_when_its_score_as_written_reaches_the_threshold(thresholds, labels):
    gold = make_article("1", "[Gao](LOCATION)", labels={"topics": ("b",)})
    decided = decide(gold, fitting(), [0.49996, 0.12], thresholds)
    assert (decided.labels, decided.scores) == ({"topics": labels}, {"topics": {"a": 0.5, "b": 0.12}})
    assert (decided.id, decided.text, decided.spans) == ("1", "Gao", ())


def test_of_exactly_one_label_the_likeliest_is_taken():
    decided = decide(make_article(), make_task("multi-class", ["a", "b", "c"], "region"), [0.2, 0.45, 0.35], {})
    assert (decided.labels, decided.scores) == ({"region": ("b",)}, {"region": {"a": 0.2, "b": 0.45, "c": 0.35}})
