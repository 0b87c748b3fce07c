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
from sitrep.intervals import interval, mean_interval, resample
from sitrep.matching import HIT, MISSED, Match, classes, exact, overlap, strict
from sitrep.ranking import score_ranking

RATIOS = ("precision", "recall", "f1")
AVERAGES = ("micro", "macro", "weighted")
MIN_SUPPORT, MIN_ARTICLES = 20, 10  # below either, an interval is itself a guess
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
    gold_by_id, pred_by_id = by_id(gold, "the gold"), by_id(pred, "the prediction")
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

    NER: a part for each of the MENTION_RULES. Class fields: `strict`, `example_f1`, `subset_accuracy` and `average_precision`. With
    intervals, every ratio `x` has its `x_interval` beside it.
    """
    if task.kind == NER:
        return {name: summary(count(gold, pred, task.labels, rule), intervals=intervals) for name, rule in MENTION_RULES.items()}
    assert task.field is not None
    strict_part = summary(count(gold, pred, task.labels, classes(task.field)), intervals=intervals)
    ranked = score_ranking(gold, pred, task.field, task.labels, intervals=intervals)
    return {"strict": strict_part, **_per_article(gold, pred, task.field, intervals=intervals), "average_precision": ranked}


def strict_f1(gold: Sequence[Article], pred: Sequence[Article], task: TaskConfig) -> dict[str, float]:
    """Return micro and macro F1 alone, 0 where they are undefined."""
    match = strict if task.kind == NER else classes(str(task.field))
    found = averages(count(gold, pred, task.labels, match).total)
    return {f"{name}_f1": float(np.nan_to_num(found[name][2])) for name in ("micro", "macro")}


def summary(counts: Counts, *, intervals: bool = True) -> dict[str, Any]:
    """Return counts and ratios as a part of a metrics file: per label and averaged.

    `n_articles` of a label: in how many it is marked; `too_few`: too few of them, or of mentions, for its numbers to mean much.
    """
    total = counts.total
    per_label, averaged = ratios(total), averages(total)
    rows = [_as_dict(values) for values in (*per_label, *averaged.values())]
    if intervals and len(counts.values):
        drawn = resample(counts.values)
        columns = np.concatenate([ratios(drawn), np.stack(list(averages(drawn).values()), axis=1)], axis=1)
        for row, column in zip(rows, np.moveaxis(columns, 1, 0), strict=True):
            row |= {f"{name}_interval": interval(values, len(counts.values)) for name, values in zip(RATIOS, column.T, strict=True)}
    marked_in = (counts.values[..., HIT] + counts.values[..., MISSED] > 0).sum(axis=0)
    for row, sums, n_articles in zip(rows, total, marked_in, strict=False):
        row.update(_count_dict(sums), n_articles=int(n_articles))
        row["too_few"] = row["support"] < MIN_SUPPORT or row["n_articles"] < MIN_ARTICLES
    named = dict(zip((*counts.labels, *AVERAGES), rows, strict=True))
    named["micro"] |= _count_dict(total.sum(axis=0))
    return {name: named[name] for name in AVERAGES} | {"per_label": {label: named[label] for label in counts.labels}}


def _count_dict(row: np.ndarray) -> dict[str, Any]:
    tp, fp, fn = (int(value) for value in row)
    return {"tp": tp, "fp": fp, "fn": fn, "support": tp + fn}


def _as_dict(values: np.ndarray) -> dict[str, Any]:
    return {name: _defined(value) for name, value in zip(RATIOS, values, strict=True)}


def _defined(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _per_article(gold: Sequence[Article], pred: Sequence[Article], field: str, *, intervals: bool) -> dict[str, Any]:
    """Return `example_f1` and `subset_accuracy`, None where there is no article to average.

    example_f1: the mean of `example_f1s`; subset_accuracy: share of articles whose labels are all right.
    """
    pred_by_id = {article.id: set(article.labels[field]) for article in pred}
    right = np.array([set(article.labels[field]) == pred_by_id[article.id] for article in gold], dtype=np.float64)
    measures = {"example_f1": example_f1s(gold, pred, field), "subset_accuracy": right}
    means = {name: None if np.isnan(values).all() else float(np.nanmean(values)) for name, values in measures.items()}
    return means | ({f"{name}_interval": mean_interval(values) for name, values in measures.items()} if intervals else {})


def example_f1s(gold: Sequence[Article], pred: Sequence[Article], field: str) -> np.ndarray:
    """Return (n_articles,) 2 |gold & pred| / (|gold| + |pred|) (Godbole and Sarawagi 2004), NaN where both are empty."""
    pred_by_id = {article.id: set(article.labels[field]) for article in pred}
    pairs = [(set(article.labels[field]), pred_by_id[article.id]) for article in gold]
    return np.array([2 * len(g & p) / (len(g) + len(p)) if g or p else np.nan for g, p in pairs], dtype=np.float64)


def by_id(articles: Iterable[Article], side: str) -> dict[str, Article]:
    """Return the articles of a side by their ids.

    Raises:
        InputError: if an id stands twice; `side` is what the message calls them.
    """
    found: dict[str, Article] = {}
    for article in articles:
        if article.id in found:
            raise InputError(f"{article.where()}: {side} holds two articles of this id; give each its own")
        found[article.id] = article
    return found


def _check_aligned(gold: Mapping[str, Article], pred: Mapping[str, Article]) -> None:
    for side, missing in (("prediction", gold.keys() - pred.keys()), ("gold", pred.keys() - gold.keys())):
        if missing:
            names = ", ".join(sorted(missing)[:5])
            raise InputError(f"{len(missing)} articles are missing in the {side}: {names}; score both sides on the same articles")
    for article_id, article in gold.items():
        if article.text != pred[article_id].text:
            raise InputError(f"article {article_id!r}: gold and prediction have different texts, so offsets cannot be compared")
