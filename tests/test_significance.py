"""Paired differences: false alarms are as rare as they should be, true differences are found."""

import numpy as np
import pytest
import simulations
from scipy import stats

from sitrep.scoring import AVERAGES, averages
from sitrep.significance import differences, holm, mean_difference, p_value

EQUAL, BETTER = (0.0, 0.0), (0.0, 0.1)


def simulate(random, gains=EQUAL, n_articles=40):
    """Return (1, n_articles, 2, 3) counts of each of several models, of two labels with five mentions an article."""
    return [counts[None] for counts in simulations.simulate(random, n_articles, gains, mentions=(5.0, 5.0), f1s=(0.8, 0.8))]


def test_equal_models_differ_seldom():
    random = np.random.default_rng(1)
    alarms = sum(differences(*simulate(random), 500, seed)[2].p < 0.05 for seed in range(800))
    assert 0.03 <= alarms / 800 <= 0.07


@pytest.mark.parametrize("n_articles", [10, 31])
@pytest.mark.parametrize("p", [0.5, 0.05, 0.005])
def test_p_of_a_mean_difference_is_that_of_the_t_test_at_every_level(n_articles, p):
    """The mean difference of `values` from 0 lies as far out as the t distribution says for p."""
    random = np.random.default_rng(0)
    values = random.normal(size=n_articles)
    values = 0.01 * (values - values.mean()) / stats.sem(values) + 0.01 * stats.t.isf(p / 2, n_articles - 1)
    assert stats.ttest_1samp(values, 0).pvalue == pytest.approx(p)
    found = mean_difference(np.zeros((1, n_articles)), values[None], n_resamples=100_000)
    assert found.p == pytest.approx(p, rel=0.15)


def test_the_tail_of_few_articles_is_that_of_t():
    assert p_value(1.0, 10) == 1
    assert p_value(2 * stats.norm.sf(3.0), 10) == pytest.approx(2 * stats.t.sf(3.0, 9), rel=1e-9)
    assert p_value(1 / 10_001, 10) == pytest.approx(0.0037, abs=1e-4)  # the least that docs/compare.md names


def test_equal_models_differ_seldom_in_any_label_rare_or_frequent():
    alarms = simulations.false_alarms(40, 200, n_resamples=1000)
    assert alarms["any label, Holm"] <= 0.05
    assert alarms["micro"] <= 0.07 and alarms["any label"] >= 0.2  # why p-values are corrected


@pytest.mark.parametrize("n_marked", [1, 2])
def test_few_mentions_that_one_model_found_are_no_proof(n_marked):
    a = np.zeros((1, 30, 1, 3))
    a[0, :n_marked, 0] = [1, 0, 0]
    (one, *_) = differences(a, a[..., ::-1])
    none_is_drawn = (1 - n_marked / 30) ** 30
    assert one.value == -1 and one.p == pytest.approx(none_is_drawn, abs=0.02)


def test_a_better_model_is_found_and_its_interval_holds_the_difference():
    random = np.random.default_rng(2)
    found = [differences(*simulate(random, BETTER), 1000, seed)[2] for seed in range(50)]
    assert sum(one.p < 0.05 for one in found) >= 45
    assert sum(low <= 0.1 <= high for low, high in (one.interval for one in found)) >= 43


def test_a_model_does_not_differ_from_itself():
    a, _ = simulate(np.random.default_rng(0))
    for one in differences(a, a, 200):
        assert (one.value, one.interval, one.p) == (0, [0, 0], 1)


def test_labels_come_first_and_averages_follow():
    a, b = simulate(np.random.default_rng(0), BETTER)
    found = differences(a, b, 200)
    assert len(found) == 2 + len(AVERAGES)
    assert found[2].value == pytest.approx(averages(b.sum(axis=1))["micro"][0, 2] - averages(a.sum(axis=1))["micro"][0, 2])


def test_f1_is_the_mean_over_seeds():
    random = np.random.default_rng(0)
    (a, b), (_, c) = simulate(random), simulate(random)
    one, other, both = (differences(a, side, 200)[2].value for side in (b, c, np.concatenate([b, c])))
    assert both == pytest.approx((one + other) / 2)


def test_what_is_undefined_does_not_differ():
    nothing = np.zeros((1, 5, 1, 3))
    assert differences(nothing, nothing, 100)[0].value is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),  # as in R: p.adjust(c(.01, .04, .03), "holm")
        ([0.5, None, 0.6], [1.0, None, 1.0]),
        ([], []),
    ],
)
def test_holm(given, expected):
    assert holm(given) == pytest.approx(expected) if None not in given else holm(given) == expected
