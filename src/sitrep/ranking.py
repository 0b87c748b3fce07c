"""How well scores rank the right labels first, whatever the threshold: average precision.

That of scikit-learn: the sum, over thresholds from the highest score down, of precision times the recall gained there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sitrep.articles import Article
from sitrep.intervals import draw_weights, interval


def score_ranking(
    gold: Sequence[Article], pred: Sequence[Article], field: str, labels: Sequence[str], *, intervals: bool = True
) -> dict[str, Any] | None:
    """Return `{"value", "interval"}` for `micro` (all pairs of article and label together), `macro` and each of `per_label`.

    None if the scores of a label are missing in an article, as a model without scores leaves them.
    """
    scores_by_id = {article.id: article.scores.get(field, {}) for article in pred}
    if not gold or any(scores.keys() != set(labels) for scores in scores_by_id.values()):
        return None
    positive = np.array([[label in article.labels[field] for label in labels] for article in gold])
    scores = np.array([[scores_by_id[article.id][label] for label in labels] for article in gold])
    as_it_is = _values(positive, scores, np.ones((1, len(gold)), dtype=np.float32))
    drawn = [_values(positive, scores, weights) for weights in draw_weights(len(gold))] if intervals else []
    rows: list[dict[str, Any]] = [{"value": None if math.isnan(value) else float(value)} for value in as_it_is[:, 0]]
    if drawn:
        rows = [row | {"interval": interval(values, len(gold))} for row, values in zip(rows, np.concatenate(drawn, axis=1), strict=True)]
    *per_label, micro, macro = rows
    return {"micro": micro, "macro": macro, "per_label": dict(zip(labels, per_label, strict=True))}


def _values(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return (n_labels + 2, n_resamples): the average precision of each label, of all together, and the mean over labels."""
    per_label = np.stack([average_precision(positive[:, [column]], scores[:, [column]], weights) for column in range(positive.shape[1])])
    defined = ~np.isnan(per_label)
    with np.errstate(invalid="ignore"):
        macro = np.where(defined, per_label, 0).sum(axis=0) / defined.sum(axis=0)
    return np.concatenate([per_label, average_precision(positive, scores, weights)[None], macro[None]])


def average_precision(positive: np.ndarray, scores: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return (n_resamples,) average precisions, NaN where nothing is positive.

    positive, scores: (n_articles, n_labels), taken as one list; weights: (n_resamples, n_articles), how often an article counts
    """
    order = np.argsort(-scores.ravel(), kind="stable")
    article = np.repeat(np.arange(len(scores)), scores.shape[1])[order]
    ranked, is_positive = scores.ravel()[order], positive.ravel()[order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)  # equal scores are reached together
    found = np.cumsum(weights[:, article], axis=1, dtype=np.float64)[:, ends]
    hits = np.cumsum(weights[:, article] * is_positive, axis=1, dtype=np.float64)[:, ends]
    gained = np.diff(hits, axis=1, prepend=0)
    with np.errstate(invalid="ignore"):
        precision = np.where(found > 0, hits / found, 0)
        return (gained * precision).sum(axis=1) / hits[:, -1]
