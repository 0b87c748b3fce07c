"""Resampled articles: every resample is one that could be drawn, and intervals hold the truth as often as they say."""

import numpy as np
import pytest
import simulations
from scipy import stats

from sitrep.intervals import LEVEL, interval, mean_interval, resample, widening
from sitrep.scoring import AVERAGES, averages


def simulate(random, n_articles):
    """Return (n_articles, 1, 3) counts of a label of true F1 0.8."""
    return simulations.simulate(random, n_articles, mentions=(10.0,), f1s=(0.8,))[0]


def test_as_many_articles_are_drawn_as_there_are():
    counts = np.stack([np.eye(7), np.ones((7, 7)), np.zeros((7, 7))], axis=-1)  # article i has a hit of label i
    drawn = resample(counts, 500)
    assert drawn.shape == (500, 7, 3)
    assert (drawn[..., 0].sum(axis=1) == 7).all() and (drawn[..., 1] == 7).all() and (drawn[..., 2] == 0).all()
    assert drawn[..., 0].mean() == pytest.approx(1, abs=0.05) and drawn[..., 0].var() == pytest.approx(1 - 1 / 7, abs=0.1)


def test_the_same_seed_draws_the_same():
    counts = simulate(np.random.default_rng(0), 20)
    assert (resample(counts, 50) == resample(counts, 50)).all()
    assert (resample(counts, 50) != resample(counts, 50, seed=1)).any()


def test_all_at_once_is_as_in_chunks(monkeypatch):
    counts = simulate(np.random.default_rng(0), 20)
    whole = resample(counts, 50)
    monkeypatch.setattr("sitrep.intervals.CHUNK", 60)
    assert (resample(counts, 50) == whole).all()


def test_intervals_hold_the_truth_as_often_as_they_say():
    random, held = np.random.default_rng(1), 0
    for seed in range(300):
        low, high = interval(averages(resample(simulate(random, 40), 1000, seed))["micro"][:, 2], 40)
        held += low <= 0.8 <= high
    assert LEVEL == 0.95 and 0.92 <= held / 300 <= 0.98


def test_intervals_of_averages_and_of_labels_hold_the_truth():
    held = simulations.coverage(40, 300, n_resamples=1000)
    assert all(0.92 <= held[name] <= 0.98 for name in (*AVERAGES, "labels"))


def test_what_is_mostly_undefined_has_no_interval():
    assert interval(np.array([np.nan, np.nan, 1.0]), 9) is None
    assert interval(np.array([np.nan, 1.0, 1.0]), 9) == [1, 1]
    assert interval(np.array([1.0, 1.0, 1.0]), 1) is None  # one article says nothing of others


def test_interval_of_a_mean_is_that_of_t():
    values = np.random.default_rng(0).normal(0.6, 0.1, size=60)
    expected = stats.t.interval(LEVEL, 59, values.mean(), stats.sem(values))
    assert mean_interval(values) == pytest.approx(expected, abs=0.002)
    assert mean_interval(np.append(values, [np.nan] * 5)) == pytest.approx(expected, abs=0.002)


def test_intervals_of_few_articles_are_wider():
    assert widening(10) == pytest.approx(1.2167, abs=1e-4) and widening(1000) == pytest.approx(1, abs=2e-3)
    values = np.random.default_rng(0).normal(0.6, 0.1, size=8)
    low, high = stats.t.interval(LEVEL, 7, values.mean(), stats.sem(values))
    found = mean_interval(values)
    assert found[1] - found[0] == pytest.approx(high - low, rel=0.1)  # a plain interval has three quarters of it


@pytest.mark.parametrize(("values", "expected"), [([], None), ([np.nan] * 3, None), ([0.5], None), ([0.5] * 3, [0.5, 0.5])])
def test_interval_of_the_mean_of_few(values, expected):
    assert mean_interval(np.array(values)) == expected
