"""From scores to class labels: a threshold per label, 0.5 or fitted on dev.

A threshold that is fitted to a handful of positives fits their noise. Where a label has fewer than `MIN_POSITIVES` on dev, the
one threshold that is best for all labels together is used for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from sitrep.articles import SCORE_DECIMALS, Article
from sitrep.config import FIXED_THRESHOLD, TaskConfig
from sitrep.errors import InputError
from sitrep.runs import SCHEMA_VERSION, read_json, write_json

FILE_NAME = "calibration.json"
MIN_POSITIVES = 20


@dataclass(frozen=True)
class Calibration:
    """label -> threshold; the labels whose threshold is the global one; label -> positives that it was fitted to."""

    thresholds: dict[str, float]
    global_labels: list[str]
    n_positives: dict[str, int]

    def save(self, folder: Path) -> None:
        """Write calibration.json to the run folder `folder`."""
        write_json(folder / FILE_NAME, {"schema_version": SCHEMA_VERSION, "fitted_on": "dev", **asdict(self)})


def load_thresholds(folder: Path, task: TaskConfig) -> dict[str, float]:
    """Return label -> threshold of the run in `folder`; empty, which stands for 0.5, where `task` fits none.

    Raises:
        InputError: if the task fits thresholds and the file is missing, or lacks a label.
    """
    if task.thresholds != "dev":
        return {}
    path = folder / FILE_NAME
    if not path.exists():
        raise InputError(f"{path}: is missing, and with it the thresholds of {task.name}; bring it back, or train again")
    thresholds = read_json(path)["thresholds"]
    if thresholds.keys() != set(task.labels):
        raise InputError(f"{path}: holds thresholds of {', '.join(thresholds)}; the run's labels are {', '.join(task.labels)}")
    return thresholds


def decide(article: Article, task: TaskConfig, probabilities: Sequence[float], thresholds: Mapping[str, float]) -> Article:
    """Return the bare article with its classes and their scores, one probability for each label of `task`.

    multi-class: the likeliest label. Otherwise every label whose score reaches its threshold (0.5 if it has none); the score as it is
    written counts, so that a file of predictions and calibration.json agree.
    """
    assert task.field is not None
    scores = {label: round(float(p), SCORE_DECIMALS) for label, p in zip(task.labels, probabilities, strict=True)}
    if task.kind == "multi-class":
        chosen = [task.labels[int(np.argmax(probabilities))]]
    else:
        chosen = [label for label, score in scores.items() if score >= thresholds.get(label, FIXED_THRESHOLD)]
    return article.bare().with_classes(task.field, chosen, scores)


def fit_thresholds(
    gold: Sequence[Article], pred: Sequence[Article], field: str, labels: Sequence[str], min_positives: int = MIN_POSITIVES
) -> Calibration:
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
    return Calibration(thresholds, global_labels, n_positives)


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
