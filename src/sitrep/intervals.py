"""How far a score may be off: intervals from resampled articles, whose mentions hang together and so are drawn together.

A resample draws as many articles as there are, with replacement, and adds their counts up: nothing is read or matched again.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

N_RESAMPLES = 10_000
LEVEL = 0.95
CHUNK = 2_000_000  # weights at once, 8 MB


def resample(counts: np.ndarray, n_resamples: int = N_RESAMPLES, seed: int = 0) -> np.ndarray:
    """Return the (n_resamples, ...) sums of resampled articles; `counts` (n_articles, ...): what each article adds."""
    flat = counts.reshape(len(counts), -1).astype(np.float32)  # exact up to 2^24 mentions
    sums = [weights @ flat for weights in draw_weights(len(counts), n_resamples, seed)]
    return np.concatenate(sums).reshape(n_resamples, *counts.shape[1:])


def draw_weights(n_articles: int, n_resamples: int = N_RESAMPLES, seed: int = 0) -> Iterator[np.ndarray]:
    """Yield how often each article is drawn, (some resamples, n_articles), in chunks."""
    random = np.random.default_rng(seed)
    n_at_once = max(1, CHUNK // n_articles)
    for first in range(0, n_resamples, n_at_once):
        n = min(n_at_once, n_resamples - first)
        drawn = random.integers(n_articles, size=(n, n_articles)) + np.arange(n)[:, None] * n_articles
        yield np.bincount(drawn.ravel(), minlength=n * n_articles).reshape(n, n_articles).astype(np.float32)


def interval(values: np.ndarray, n_articles: int) -> list[float] | None:
    """Return the interval of (n_resamples,) values from resampling so many articles, NaN left out; None where most are undefined.

    The expanded percentile interval of Hesterberg 2015, section 5.3: the plain one is too narrow for few articles.
    """
    defined = values[~np.isnan(values)]
    if len(defined) < len(values) / 2 or n_articles < 2:
        return None
    tail = ndtr(ndtri((1 - LEVEL) / 2) * widening(n_articles))
    return [float(end) for end in np.quantile(defined, [tail, 1 - tail])]


def mean_interval(values: np.ndarray) -> list[float] | None:
    """Return the interval of the mean of (n_articles,) values, NaN (an article that has none) left out."""
    if not len(values):
        return None
    drawn = resample(np.stack([np.nan_to_num(values), ~np.isnan(values)], axis=-1))
    with np.errstate(invalid="ignore"):
        return interval(drawn[:, 0] / drawn[:, 1], len(values))


def widening(n_articles: int) -> float:
    """Return how many times too near to its centre the ends of a plain interval of so many articles are."""
    tail = (1 - LEVEL) / 2
    return float(unbiasing(n_articles) * stdtrit(n_articles - 1, tail) / ndtri(tail))


def unbiasing(n_articles: int) -> float:
    """Return how many times too small the standard deviation of resamples is: they know the variance with n below, not n - 1."""
    return float(np.sqrt(n_articles / (n_articles - 1)))
