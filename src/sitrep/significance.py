"""Is B better than A? Differences of F1 on resampled articles, the same articles for both.

The p-value is that of the paired bootstrap, shifted so that no difference is the null (Efron and Tibshirani 1993, section 16.4;
Berg-Kirkpatrick et al. 2012 for language): how often a resample differs from what was observed by as much as that differs from 0.
Resamples of few articles differ too little: their distances are widened to the sample variance, and the tail they give is read from t in
place of the normal distribution, at every p alike. Without that two equal models on 40 articles differed at the level of 5 % in 6 % of
2,400 simulations. A resample without a mention of a label counts as one that differs as much: left out, a label of one mention, found by
one model, would differ in each resample left, and p be next to 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri, stdtr

from sitrep.intervals import N_RESAMPLES, interval, resample, unbiasing
from sitrep.scoring import AVERAGES, averages, ratios


@dataclass(frozen=True)
class Difference:
    """F1 of B minus F1 of A: None where either is undefined; `p` is not corrected."""

    value: float | None
    interval: list[float] | None
    p: float | None


def differences(a: np.ndarray, b: np.ndarray, n_resamples: int = N_RESAMPLES, seed: int = 0) -> list[Difference]:
    """Return the differences of F1 between two groups of runs: of each label, then of each of the AVERAGES.

    a, b: (n_seeds, n_articles, n_labels, 3) counts of the same articles in the same order; F1 is the mean over seeds
    """
    both, n_first = np.concatenate([a, b]), len(a)
    observed, drawn = _f1s(both.sum(axis=1)), _f1s(_resample(both, n_resamples, seed))
    values, resampled = (f1s[..., n_first:, :].mean(axis=-2) - f1s[..., :n_first, :].mean(axis=-2) for f1s in (observed, drawn))
    return [_difference(value, column, a.shape[1]) for value, column in zip(values, resampled.T, strict=True)]


def mean_difference(a: np.ndarray, b: np.ndarray, n_resamples: int = N_RESAMPLES, seed: int = 0) -> Difference:
    """Return the difference between the means of two measures of the same articles, (n_seeds, n_articles) each.

    NaN: an article that a run has no value for is left out of that run's mean.
    """
    both, n_first = np.concatenate([a, b]).T, len(a)
    pairs = np.stack([np.nan_to_num(both), ~np.isnan(both)], axis=-1)
    with np.errstate(invalid="ignore"):
        observed, drawn = (sums[..., 0] / sums[..., 1] for sums in (pairs.sum(axis=0), resample(pairs, n_resamples, seed)))
    value, resampled = (means[..., n_first:].mean(axis=-1) - means[..., :n_first].mean(axis=-1) for means in (observed, drawn))
    return _difference(value, resampled, len(both))


def mean_f1_intervals(counts: np.ndarray, n_resamples: int = N_RESAMPLES, seed: int = 0) -> list[list[float] | None]:
    """Return the interval of the mean F1 over seeds of (n_seeds, n_articles, n_labels, 3) counts, in the order of `differences`."""
    drawn = _f1s(_resample(counts, n_resamples, seed)).mean(axis=1)
    return [interval(column, counts.shape[1]) for column in drawn.T]


def _resample(counts: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    """Return (n_resamples, n_runs, n_labels, 3) sums of resampled articles, the same for all runs."""
    return resample(counts.transpose(1, 0, 2, 3), n_resamples, seed)


def _f1s(counts: np.ndarray) -> np.ndarray:
    """Return (..., n_labels + 3) F1 of (..., n_labels, 3) counts."""
    averaged = averages(counts)
    return np.concatenate([ratios(counts)[..., 2], np.stack([averaged[name][..., 2] for name in AVERAGES], axis=-1)], axis=-1)


def _difference(value: float, drawn: np.ndarray, n_articles: int) -> Difference:
    defined = drawn[~np.isnan(drawn)]
    if np.isnan(value) or len(defined) < len(drawn) / 2 or n_articles < 2:
        return Difference(None if np.isnan(value) else float(value), None, None)
    n_nearer = int((np.abs(defined - value) * unbiasing(n_articles) < abs(value)).sum())
    share = (1 + len(drawn) - n_nearer) / (1 + len(drawn))
    return Difference(float(value), interval(drawn, n_articles), p_value(share, n_articles))


def p_value(share: float, n_articles: int) -> float:
    """Return the two-sided p of a `share` of resamples that differ as much: the tail of t where the normal one would be the share."""
    return float(2 * stdtr(n_articles - 1, ndtri(share / 2)))


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p-values corrected for how many they are (Holm 1979); what is None stays so."""
    order = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, index) in enumerate(order):
        largest = max(largest, min(1.0, p * (len(order) - rank)))
        corrected[index] = largest
    return corrected
