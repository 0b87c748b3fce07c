"""Thresholds: against trying every one that could matter; few positives; precision that is asked for."""

from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from factories import make_article, make_task
from hypothesis import given
from hypothesis import strategies as st

from sitrep.articles import Article, Span
from sitrep.thresholds import best_threshold, fit_best_f1, fit_target_precision, precision_threshold

SCORES = st.integers(0, 10_000).map(lambda n: n / 10_000)


def f1(scores, positive, threshold) -> Fraction:
    found = [score >= threshold for score in scores]
    n_right = sum(f and p for f, p in zip(found, positive, strict=True))
    return Fraction(2 * n_right, sum(found) + sum(positive))


def pair(n: int, labels, **scores):
    """Return an article with its gold labels, and the same one with predicted scores."""
    gold = make_article(str(n), labels={"topics": tuple(labels)})
    return gold, make_article(str(n), labels={"topics": ()}, scores={"topics": scores})


def read_and_gold(**words):
    """Return (gold, pred) articles, one for each label of LABEL=[(score, right), ...]."""
    gold, pred = [], []
    for label, scored in words.items():
        text = "x " * len(scored)
        spans = [Span(2 * n, 2 * n + 1, label, score) for n, (score, _) in enumerate(scored)]
        gold.append(Article(label, text, tuple(span for span, (_, right) in zip(spans, scored, strict=True) if right)))
        pred.append(Article(label, text, tuple(spans)))
    return gold, pred


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
    fitted = fit_best_f1(gold, pred, "topics", ["a", "b"])
    assert (fitted.n_positives, fitted.global_labels) == ({"a": 20, "b": 2}, ["b"])
    pooled = [article.scores["topics"][label] for label in "ab" for article in pred]
    positive = [label in article.labels["topics"] for label in "ab" for article in gold]
    assert fitted.thresholds == {"a": 0.75, "b": best_threshold(pooled, positive)}
    assert fit_best_f1(gold, pred[::-1], "topics", ["a", "b"]) == fitted
    own = fit_best_f1(gold, pred, "topics", ["a", "b"], min_positives=2)
    assert (own.thresholds, own.global_labels) == ({"a": 0.75, "b": 0.25}, [])
    assert fit_best_f1(gold, pred, "topics", ["a", "b"], min_positives=21).global_labels == ["a", "b"]


def test_no_positives_at_all():
    gold, pred = zip(*(pair(n, [], a=n / 10, b=0.9) for n in range(5)), strict=True)
    fitted = fit_best_f1(gold, pred, "topics", ["a", "b"])
    assert (fitted.thresholds, fitted.global_labels) == ({"a": 0.5, "b": 0.5}, ["a", "b"])


def test_no_articles():
    assert fit_best_f1([], [], "topics", ["a"]).thresholds == {"a": 0.5}
    aimed = fit_target_precision([], [], make_task(), 0.9)
    assert set(aimed.thresholds.values()) == {None} and aimed.not_reached == aimed.global_labels == list(aimed.thresholds)


@given(
    st.lists(st.tuples(SCORES | st.sampled_from([0.1, 0.5, 0.9]), st.booleans()), max_size=40),
    st.sampled_from([0.5, 0.75, 0.9, 1.0]),
    st.integers(1, 8),
)
def test_the_lowest_score_from_which_the_precision_is_reached(rows, target, least):
    chosen = precision_threshold(np.array([s for s, _ in rows]), np.array([r for _, r in rows], dtype=bool), target, least)

    def reaches(threshold):
        kept = [right for score, right in rows if score >= threshold]
        return len(kept) >= least and Fraction(sum(kept), len(kept)) >= Fraction(str(target))

    reaching = [threshold for threshold in {0.0, *(score for score, _ in rows)} if reaches(threshold)]
    assert chosen == (min(reaching) if reaching else None)


def test_few_predictions_take_the_threshold_of_all_labels_and_what_is_not_reached_is_listed():
    many = [(0.9, True)] * 18 + [(0.8, True)] * 4 + [(0.6, False)] * 8
    wrong = [(0.7, n % 2 == 0) for n in range(30)]
    gold, pred = read_and_gold(PERSON=many, LOCATION=wrong, ARMED_GROUP=[(0.99, True)] * 3)
    aimed = fit_target_precision(gold, pred, make_task(), 0.9)
    assert aimed.thresholds == {"PERSON": 0.8, "LOCATION": None, "ARMED_GROUP": 0.8}
    assert (aimed.global_labels, aimed.not_reached) == (["ARMED_GROUP"], ["LOCATION"])
    assert aimed.n_predicted == {"PERSON": 30, "LOCATION": 30, "ARMED_GROUP": 3}
    assert fit_target_precision(gold[::-1], pred, make_task(), 0.9) == aimed
    easy = fit_target_precision(gold, pred, make_task(), 0.5)
    assert easy.thresholds == {"PERSON": 0.0, "LOCATION": 0.0, "ARMED_GROUP": 0.0} and easy.not_reached == []


def test_of_class_fields_the_labels_that_were_given_count():
    task = make_task("multi-label", ["a"], "topics")
    gold = [make_article(str(n), labels={"topics": ("a",) if n % 2 == 0 or n < 20 else ()}) for n in range(50)]
    pred = [make_article(str(n), labels={"topics": ("a",) if n < 30 else ()}, scores={"topics": {"a": 1 - n / 100}}) for n in range(50)]
    aimed = fit_target_precision(gold, pred, task, 0.9)
    assert aimed.n_predicted == {"a": 30}
    assert aimed.thresholds == {"a": 1 - 24 / 100}  # of the first 25 are 23 right, of 26 as many
