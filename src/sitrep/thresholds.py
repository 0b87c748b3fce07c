"""Scores from which something is given: for the best F1 of class labels, and for a precision that is asked for.

A threshold that is fitted to a handful of items fits their noise. A label with fewer than a minimum on dev takes the one that is best for
all labels together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from sitrep.articles import SCORE_DECIMALS, Article
from sitrep.config import FIXED_THRESHOLD, TaskConfig
from sitrep.reliability import given_items

MIN_POSITIVES = 20
MIN_PREDICTED = 20  # a precision is told from so many predictions at least


@dataclass(frozen=True)
class BestF1:
    """label -> threshold; the labels whose threshold is the global one; label -> positives that it was fitted to."""

    thresholds: dict[str, float]
    global_labels: list[str]
    n_positives: dict[str, int]


@dataclass(frozen=True)
class TargetPrecision:
    """Scores from which a precision of `target` is reached.

    label -> lowest such score, None where there is none; the labels whose threshold is the global one; those that have none; label ->
    predictions on dev
    """

    target: float
    thresholds: dict[str, float | None]
    global_labels: list[str]
    not_reached: list[str]
    n_predicted: dict[str, int]


def fit_best_f1(
    gold: Sequence[Article], pred: Sequence[Article], field: str, labels: Sequence[str], min_positives: int = MIN_POSITIVES
) -> BestF1:
    """Return the thresholds with the best F1 of each label, or of all labels together (micro) where a label has few positives.

    Args:
        gold, pred: the same articles, in any order; those of `pred` bear scores.
        min_positives: a label with fewer in `gold` gets the global threshold.
    """
    scores_by_id = {article.id: article.scores[field] for article in pred}
    scores = {label: [scores_by_id[article.id][label] for article in gold] for label in labels}
    positive = {label: [label in article.labels[field] for article in gold] for label in labels}
    n_positives = {label: sum(positive[label]) for label in labels}
    global_labels = [label for label in labels if n_positives[label] < min_positives]
    shared = best_threshold([s for label in labels for s in scores[label]], [p for label in labels for p in positive[label]])
    thresholds = {label: shared if label in global_labels else best_threshold(scores[label], positive[label]) for label in labels}
    return BestF1(thresholds, global_labels, n_positives)


def best_threshold(scores: Sequence[float], positive: Sequence[bool]) -> float:
    """Return the threshold of the highest F1 when every score that reaches it counts as found.

    Tried are 0.5 and the midpoints between neighbouring scores; of equally good ones the nearest to 0.5 is taken, the higher of
    two as near. Where nothing is positive no F1 tells them apart, and it is 0.5.
    """
    midpoints = [round((low + high) / 2, SCORE_DECIMALS + 2) for low, high in pairwise(sorted(set(scores)))]
    candidates = np.array([FIXED_THRESHOLD, *midpoints])
    found = np.sort(np.array(scores, dtype=float))
    right = np.sort(np.array([score for score, is_positive in zip(scores, positive, strict=True) if is_positive], dtype=float))
    if not len(right):
        return FIXED_THRESHOLD
    n_found = len(found) - np.searchsorted(found, candidates)
    n_right = len(right) - np.searchsorted(right, candidates)
    f1 = 2 * n_right / (n_found + len(right))
    distance = np.round(np.abs(candidates - FIXED_THRESHOLD), SCORE_DECIMALS + 2)
    return float(max(zip(f1, -distance, candidates, strict=True))[2])


def fit_target_precision(
    gold: Sequence[Article], pred: Sequence[Article], task: TaskConfig, target: float, min_predicted: int = MIN_PREDICTED
) -> TargetPrecision:
    """Return the thresholds at which the mentions or class labels given in `pred` reach the precision `target` in `gold`.

    A label given fewer than `min_predicted` times gets the threshold of all labels together.
    """
    items = given_items(gold, pred, task)
    assert items is not None
    of_label = {label: items.label == column for column, label in enumerate(task.labels)}
    n_predicted = {label: int(chosen.sum()) for label, chosen in of_label.items()}
    global_labels = [label for label in task.labels if n_predicted[label] < min_predicted]
    shared = precision_threshold(items.score, items.right, target, min_predicted)
    thresholds = {
        label: shared if label in global_labels else precision_threshold(items.score[chosen], items.right[chosen], target, min_predicted)
        for label, chosen in of_label.items()
    }
    return TargetPrecision(target, thresholds, global_labels, [label for label in task.labels if thresholds[label] is None], n_predicted)


def precision_threshold(scores: np.ndarray, right: np.ndarray, target: float, min_predicted: int = MIN_PREDICTED) -> float | None:
    """Return the lowest of `scores` from which a share of at least `target` is right; 0 where all together reach it.

    None if there is none that `min_predicted` of the (n_items,) scores reach: the few highest may be right by luck.
    """
    order = np.argsort(-scores, kind="stable")
    ranked, n_right = scores[order], np.cumsum(right[order])
    ends = np.flatnonzero(np.diff(ranked, append=-1.0))  # equal scores are reached together
    reaching = ends[(n_right[ends] / (ends + 1) >= target) & (ends + 1 >= min_predicted)]
    if not len(reaching):
        return None
    return 0.0 if reaching[-1] == len(scores) - 1 else float(ranked[reaching[-1]])
