"""Scores: three integers per article and label, added up; ratios are derived. One scorer for mentions and for classes.

Scores compare articles with what the annotator wrote, never tags with tags. An undefined ratio is NaN here and None in files, and is
left out of macro.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sitrep.articles import Article
from sitrep.config import NER, TaskConfig
from sitrep.errors import InputError
from sitrep.intervals import interval, resample
from sitrep.matching import Match, classes, exact, overlap, strict

RATIOS = ("precision", "recall", "f1")
AVERAGES = ("micro", "macro", "weighted")
MENTION_RULES: dict[str, Match] = {"strict": strict, "exact": exact, "overlap": overlap}


@dataclass(frozen=True)
class Counts:
    """How many items of each label were hit, found in vain and missed in each article.

    values: (n_articles, n_labels, 3), the columns in the order of matching.HIT, EXTRA, MISSED
    """

    labels: tuple[str, ...]
    ids: tuple[str, ...]
    values: np.ndarray

    @property
    def total(self) -> np.ndarray:
        """The (n_labels, 3) counts of all articles together."""
        return self.values.sum(axis=0)


def count(gold: Iterable[Article], pred: Iterable[Article], labels: Sequence[str], match: Match) -> Counts:
    """Count hits and misses per label over two lists of the same articles, in any order.

    A prediction made twice counts once as a hit and once as found in vain.

    Raises:
        InputError: if the ids or texts of the two sides differ, or a label is not declared.
    """
    gold_by_id, pred_by_id = _by_id(gold, "gold"), _by_id(pred, "prediction")
    _check_aligned(gold_by_id, pred_by_id)
    columns = {label: column for column, label in enumerate(labels)}
    values = np.zeros((len(gold_by_id), len(labels), 3), dtype=np.int64)
    for row, (article_id, article) in zip(values, gold_by_id.items(), strict=True):
        for label, what in match(article, pred_by_id[article_id]):
            if label not in columns:
                raise InputError(f"article {article_id!r}: label {label!r} is not among those declared: {', '.join(labels)}")
            row[columns[label], what] += 1
    return Counts(tuple(labels), tuple(gold_by_id), values)


def ratios(counts: np.ndarray) -> np.ndarray:
    """Return (..., 3) precision, recall and F1 of (..., 3) counts: tp / (tp + fp), tp / (tp + fn), 2 tp / (2 tp + fp + fn)."""
    tp, fp, fn = np.moveaxis(counts.astype(np.float64), -1, 0)
    with np.errstate(invalid="ignore"):
        return np.stack([tp / (tp + fp), tp / (tp + fn), 2 * tp / (2 * tp + fp + fn)], axis=-1)


def averages(counts: np.ndarray) -> dict[str, np.ndarray]:
    """Return (..., 3) precision, recall and F1 of (..., n_labels, 3) counts, averaged in each of the AVERAGES.

    micro: of all labels together; macro: the mean of the labels for which a ratio is defined; weighted: their mean by support
    """
    per_label = ratios(counts)
    support = (counts[..., 0] + counts[..., 2])[..., None]
    defined = ~np.isnan(per_label)
    filled = np.where(defined, per_label, 0)
    with np.errstate(invalid="ignore"):
        macro = filled.sum(axis=-2) / defined.sum(axis=-2)
        weighted = (filled * support).sum(axis=-2) / (defined * support).sum(axis=-2)
    return {"micro": ratios(counts.sum(axis=-2)), "macro": macro, "weighted": weighted}


def score(gold: Sequence[Article], pred: Sequence[Article], task: TaskConfig, *, intervals: bool = True) -> dict[str, Any]:
    """Return the scores of a metrics file.

    NER: a part for each of the MENTION_RULES. Class fields: `strict`, `example_f1` and `subset_accuracy`. With intervals, every F1 has an
    `f1_interval` beside it.
    """
    if task.kind == NER:
        return {name: summary(count(gold, pred, task.labels, rule), intervals=intervals) for name, rule in MENTION_RULES.items()}
    assert task.field is not None
    strict_part = summary(count(gold, pred, task.labels, classes(task.field)), intervals=intervals)
    return {"strict": strict_part, **_per_article(gold, pred, task.field)}


def strict_f1(gold: Sequence[Article], pred: Sequence[Article], task: TaskConfig) -> dict[str, float]:
    """Return micro and macro F1 alone, 0 where they are undefined."""
    match = strict if task.kind == NER else classes(str(task.field))
    found = averages(count(gold, pred, task.labels, match).total)
    return {f"{name}_f1": float(np.nan_to_num(found[name][2])) for name in ("micro", "macro")}


def summary(counts: Counts, *, intervals: bool = True) -> dict[str, Any]:
    """Return counts and ratios as a part of a metrics file: per label and averaged."""
    total = counts.total
    drawn = resample(counts.values) if intervals and len(counts.values) else None
    averaged = {name: _as_dict(values) for name, values in averages(total).items()}
    per_label = [_count_dict(row) | _as_dict(values) for row, values in zip(total, ratios(total), strict=True)]
    if drawn is not None:
        columns = [*ratios(drawn)[..., 2].T, *(values[:, 2] for values in averages(drawn).values())]
        for row, column in zip([*per_label, *averaged.values()], columns, strict=True):
            row["f1_interval"] = interval(column, len(counts.values))
    averaged["micro"] = _count_dict(total.sum(axis=0)) | averaged["micro"]
    return {**averaged, "per_label": dict(zip(counts.labels, per_label, strict=True))}


def _count_dict(row: np.ndarray) -> dict[str, Any]:
    tp, fp, fn = (int(value) for value in row)
    return {"tp": tp, "fp": fp, "fn": fn, "support": tp + fn}


def _as_dict(values: np.ndarray) -> dict[str, Any]:
    return {name: None if math.isnan(value) else float(value) for name, value in zip(RATIOS, values, strict=True)}


def _per_article(gold: Sequence[Article], pred: Sequence[Article], field: str) -> dict[str, float | None]:
    """Return `example_f1` and `subset_accuracy`, None where there is no article to average.

    example_f1: mean over articles of 2 |gold & pred| / (|gold| + |pred|) (Godbole and Sarawagi 2004), articles where both are
        empty left out; subset_accuracy: share of articles whose labels are all right.
    """
    pred_by_id = {article.id: set(article.labels[field]) for article in pred}
    pairs = [(set(article.labels[field]), pred_by_id[article.id]) for article in gold]
    f1s = [2 * len(g & p) / (len(g) + len(p)) for g, p in pairs if g or p]
    return {
        "example_f1": sum(f1s) / len(f1s) if f1s else None,
        "subset_accuracy": sum(g == p for g, p in pairs) / len(pairs) if pairs else None,
    }


def _by_id(articles: Iterable[Article], side: str) -> dict[str, Article]:
    by_id: dict[str, Article] = {}
    for article in articles:
        if article.id in by_id:
            raise InputError(f"{article.where()}: the {side} holds two articles of this id; give each its own")
        by_id[article.id] = article
    return by_id


def _check_aligned(gold: Mapping[str, Article], pred: Mapping[str, Article]) -> None:
    for side, missing in (("prediction", gold.keys() - pred.keys()), ("gold", pred.keys() - gold.keys())):
        if missing:
            names = ", ".join(sorted(missing)[:5])
            raise InputError(f"{len(missing)} articles are missing in the {side}: {names}; score both sides on the same articles")
    for article_id, article in gold.items():
        if article.text != pred[article_id].text:
            raise InputError(f"article {article_id!r}: gold and prediction have different texts, so offsets cannot be compared")
