"""Scores: three integers per label, added up; ratios are derived. One scorer for mentions and for classes.

Scores compare articles with what the annotator wrote, never tags with tags. An undefined ratio is None, and left out of macro.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sitrep.articles import Article
from sitrep.config import NER, TaskConfig
from sitrep.errors import InputError

Items = Callable[[Article], list[tuple[str, Hashable]]]
"""What is scored in an article: (label, what is labelled) pairs."""


@dataclass(frozen=True, slots=True)
class Counts:
    """True positives, false positives and false negatives; merged by adding."""

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def support(self) -> int:
        """How many the annotator marked."""
        return self.tp + self.fn

    @property
    def precision(self) -> float | None:
        """Tp / (tp + fp); None if nothing was predicted."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else None

    @property
    def recall(self) -> float | None:
        """Tp / (tp + fn); None if nothing was annotated."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fn else None

    @property
    def f1(self) -> float | None:
        """2 tp / (2 tp + fp + fn); None if nothing was predicted and nothing annotated."""
        n = 2 * self.tp + self.fp + self.fn
        return 2 * self.tp / n if n else None

    def as_dict(self) -> dict[str, Any]:
        """Return counts and ratios as the metrics file holds them."""
        return {
            "tp": self.tp, "fp": self.fp, "fn": self.fn,
            "precision": self.precision, "recall": self.recall, "f1": self.f1, "support": self.support,
        }  # fmt: skip


@dataclass(frozen=True)
class Scores:
    """Counts for every declared label, in the order declared."""

    per_label: Mapping[str, Counts]

    @property
    def micro(self) -> Counts:
        """The counts of all labels together."""
        return sum(self.per_label.values(), Counts())

    def macro(self, ratio: str) -> float | None:
        """Return the mean of `precision`, `recall` or `f1` over the labels where it is defined, or None if it nowhere is."""
        values = [value for counts in self.per_label.values() if (value := getattr(counts, ratio)) is not None]
        return sum(values) / len(values) if values else None

    def as_dict(self) -> dict[str, Any]:
        """Return the `strict` part of a metrics file."""
        return {
            "micro": self.micro.as_dict(),
            "macro": {ratio: self.macro(ratio) for ratio in ("precision", "recall", "f1")},
            "per_label": {label: counts.as_dict() for label, counts in self.per_label.items()},
        }


def mentions(article: Article) -> list[tuple[str, Hashable]]:
    """Return the mentions of an article to be scored strictly: label and both offsets must be equal."""
    return [(span.label, (span.start, span.end)) for span in article.spans]


def classes(field: str) -> Items:
    """Return the function that gives the class labels of `field` to be scored."""
    return lambda article: [(label, field) for label in article.labels[field]]


def count(gold: Iterable[Article], pred: Iterable[Article], labels: Sequence[str], items: Items) -> Scores:
    """Count hits and misses per label over two lists of the same articles, in any order.

    A prediction made twice counts once as a hit and once as a false positive.

    Raises:
        InputError: if the ids or texts of the two sides differ, or a label is not declared.
    """
    gold_by_id, pred_by_id = _by_id(gold, "gold"), _by_id(pred, "prediction")
    _check_aligned(gold_by_id, pred_by_id)
    tp, fp, fn = Counter[str](), Counter[str](), Counter[str]()
    for article_id, article in gold_by_id.items():
        gold_items, pred_items = Counter(items(article)), Counter(items(pred_by_id[article_id]))
        hits = gold_items & pred_items
        for counter, found in ((tp, hits), (fp, pred_items - hits), (fn, gold_items - hits)):
            for (label, _), n in found.items():
                counter[label] += n
    unknown = (tp.keys() | fp.keys() | fn.keys()) - set(labels)
    if unknown:
        raise InputError(f"labels {sorted(unknown)} are not among those declared: {', '.join(labels)}")
    return Scores({label: Counts(tp[label], fp[label], fn[label]) for label in labels})


def score(gold: Sequence[Article], pred: Sequence[Article], task: TaskConfig) -> dict[str, Any]:
    """Return the scores of a metrics file: `strict`, and for a class field also `example_f1` and `subset_accuracy`."""
    if task.kind == NER:
        return {"strict": count(gold, pred, task.labels, mentions).as_dict()}
    assert task.field is not None
    strict = count(gold, pred, task.labels, classes(task.field)).as_dict()
    return {"strict": strict, **_per_article(gold, pred, task.field)}


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
