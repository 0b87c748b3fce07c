"""Do scores mean what they say? Of predictions with a score near 0.8, 80 % should be right.

A prediction is a mention (right: label and both offsets are the annotator's), each pair of article and label of a field that holds any
number of them (right: the article bears the label), or the label chosen where there is exactly one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sitrep.articles import Article
from sitrep.config import NER, TaskConfig
from sitrep.intervals import interval, resample

N_BINS = 10
EDGES = np.round(np.linspace(0, 1, N_BINS + 1), 1)

Row = tuple[int, int, float | None, bool]


@dataclass(frozen=True)
class Scored:
    """Predictions with their scores; all arrays (n_items,).

    article, label: positions in the gold articles and in the task's labels; score: in [0, 1]; right: whether gold says the same
    """

    article: np.ndarray
    label: np.ndarray
    score: np.ndarray
    right: np.ndarray


def scored_items(gold: Sequence[Article], pred: Iterable[Article], task: TaskConfig) -> Scored | None:
    """Return what scores are judged by: mentions, the label chosen of exactly one, or every pair of article and label.

    None where a score is missing. `gold` and `pred` are the same articles, in any order.
    """
    rows = _pairs if task.kind in ("multi-label", "binary") else _given
    return _scored(rows(gold, {article.id: article for article in pred}, task))


def given_items(gold: Sequence[Article], pred: Iterable[Article], task: TaskConfig) -> Scored | None:
    """Return the mentions or class labels that were given, None where a score is missing; articles as in `scored_items`."""
    return _scored(_given(gold, {article.id: article for article in pred}, task))


def _given(gold: Sequence[Article], pred: dict[str, Article], task: TaskConfig) -> Iterator[Row]:
    columns = {label: column for column, label in enumerate(task.labels)}
    for index, article in enumerate(gold):
        found = pred[article.id]
        if task.kind == NER:
            left = Counter((span.start, span.end, span.label) for span in article.spans)
            for span in found.spans:
                key = (span.start, span.end, span.label)
                yield index, columns[span.label], span.score, left[key] > 0
                left[key] -= 1  # a mention found twice is right once
        else:
            scores = found.scores.get(str(task.field), {})
            for label in found.labels[str(task.field)]:
                yield index, columns[label], scores.get(label), label in article.labels[str(task.field)]


def _pairs(gold: Sequence[Article], pred: dict[str, Article], task: TaskConfig) -> Iterator[Row]:
    for index, article in enumerate(gold):
        scores = pred[article.id].scores.get(str(task.field), {})
        for column, label in enumerate(task.labels):
            yield index, column, scores.get(label), label in article.labels[str(task.field)]


def _scored(rows: Iterable[Row]) -> Scored | None:
    table = list(rows)
    if any(score is None for _, _, score, _ in table):
        return None
    article, label, score, right = zip(*table, strict=True) if table else ((),) * 4
    return Scored(np.array(article, dtype=int), np.array(label, dtype=int), np.array(score, dtype=float), np.array(right, dtype=bool))


def reliability(
    gold: Sequence[Article], raw: Iterable[Article], calibrated: Iterable[Article], task: TaskConfig, temperature: float
) -> dict[str, Any] | None:
    """Return the part `calibration` of a metrics file: error and reliability diagram of the scores before and after calibration.

    `ece` is the expected calibration error (Naeini et al. 2015; Guo et al. 2017), `ece_interval` from resampled articles. None where
    predictions hold no scores.
    """
    before, after = scored_items(gold, raw, task), scored_items(gold, calibrated, task)
    if before is None or after is None:
        return None
    sums = np.stack([bin_sums(before, len(gold)), bin_sums(after, len(gold))], axis=1)
    errors = expected_calibration_error(sums.sum(axis=0))
    drawn = expected_calibration_error(resample(sums)).T if len(gold) else np.full((2, 1), np.nan)
    parts = [
        {
            "ece": None if np.isnan(error) else float(error),
            "ece_interval": interval(values, len(gold)) if len(gold) else None,
            "bins": _diagram(total),
        }
        for error, values, total in zip(errors, drawn, sums.sum(axis=0), strict=True)
    ]
    return {"temperature": temperature, "n_items": len(after.score), "before": parts[0], "after": parts[1]}


def bin_sums(items: Scored, n_articles: int) -> np.ndarray:
    """Return (n_articles, N_BINS, 3): how many items of each article lie in each bin, the sum of their scores, and how many are right.

    A bin holds its upper edge and not its lower one; the first holds 0 too.
    """
    sums = np.zeros((n_articles, N_BINS, 3))
    values = np.stack([np.ones(len(items.score)), items.score, items.right], axis=-1)
    np.add.at(sums, (items.article, np.searchsorted(EDGES[1:-1], items.score)), values)
    return sums


def expected_calibration_error(sums: np.ndarray) -> np.ndarray:
    """Return (...) errors of (..., N_BINS, 3) sums: sum over bins of n_b / N |accuracy_b - confidence_b|; NaN where nothing was found."""
    with np.errstate(invalid="ignore"):
        return np.abs(sums[..., 2] - sums[..., 1]).sum(axis=-1) / sums[..., 0].sum(axis=-1)


def _diagram(sums: np.ndarray) -> list[dict[str, Any]]:
    return [
        {
            "low": float(low),
            "high": float(high),
            "n": int(n),
            "confidence": float(confidence / n) if n else None,
            "accuracy": float(right / n) if n else None,
        }
        for low, high, (n, confidence, right) in zip(EDGES[:-1], EDGES[1:], sums, strict=True)
    ]
