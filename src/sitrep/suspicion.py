"""How strongly models that did not learn from an article disagree with its marks: confident learning at the level of mentions.

After Northcutt, Jiang and Chuang 2021, "Confident learning: estimating uncertainty in dataset labels": a label is suspect by its
normalised margin, the probability that an independent model gives it against that of the likeliest alternative, each as a share of
what the model gives to that label on average where it is marked. So a label that models find hard does not fill the list. The margin is
taken of logarithms: of the orders tried on known mistakes (docs/suspects.md) it found most, the paper's difference 7 points fewer.

Where the paper has classes, a mark has alternatives: its words under any other label, each overlapping mention that a model finds, and
nothing at all. What a model finds where nothing is marked has one: the mention. All probabilities are the models' own, averaged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import log
from typing import Protocol

import numpy as np

from sitrep.articles import Article, Span

LEAST = 0.01  # is added to probabilities: how far below it they are says nothing of how wrong a mark is
NOTHING = "no mark"
MISSING = "mark missing"
LABEL, BOUNDARY, BOTH = "label", "boundary", "label and boundary"


class Opinion(Protocol):
    """What a model makes of an article (judging.py)."""

    @property
    def pred(self) -> Article:
        """The article with the mentions that the model finds."""
        ...

    @property
    def lost(self) -> Mapping[tuple[int, int, str], str]:
        """(start, end, label) of the marks that the model's head cannot hold -> why."""
        ...

    def of(self, spans: Sequence[Span]) -> np.ndarray:
        """Return the probability of each mention, NaN where the model cannot say."""
        ...

    def of_nothing(self, spans: Sequence[Span]) -> np.ndarray:
        """Return the probability that there is no mention on each span's characters."""
        ...


@dataclass(frozen=True)
class Item:
    """A mark, or a place without one, and what the models think of it.

    given:     the mark; None: nothing is marked where the models find `suggested`
    suggested: the likeliest alternative; None: no mark at all
    p_given, p_suggested: the probabilities of both
    score:     below 0 where the alternative is likelier, see `rank`; NaN until then
    """

    article: Article
    given: Span | None
    suggested: Span | None
    p_given: float
    p_suggested: float
    n_models: int
    score: float = float("nan")

    @property
    def place(self) -> Span:
        """Where the item is."""
        place = self.given or self.suggested
        assert place is not None
        return place

    @property
    def problem(self) -> str:
        """What is wrong if the models are right."""
        if self.given is None:
            return MISSING
        if self.suggested is None:
            return NOTHING
        if (self.given.start, self.given.end) == (self.suggested.start, self.suggested.end):
            return LABEL
        return BOUNDARY if self.given.label == self.suggested.label else BOTH


@dataclass(frozen=True)
class Unjudged:
    """A mark that the models' heads cannot hold, and why."""

    article: Article
    given: Span
    reason: str


def weigh(article: Article, opinions: Sequence[Opinion], labels: Sequence[str]) -> tuple[list[Item], list[Unjudged]]:
    """Return the items of a marked article, and its marks that cannot be judged.

    opinions: of one model or more, none of which has learnt from the article
    """
    lost = {span: opinions[0].lost.get((span.start, span.end, span.label)) for span in article.spans}
    marks = [span for span, reason in lost.items() if reason is None]
    found = sorted({replace(span, score=None) for opinion in opinions for span in opinion.pred.spans})
    asked = [*marks, *found, *(replace(mark, label=label) for mark in marks for label in labels if label != mark.label)]
    probability = dict(zip(asked, _mean([opinion.of(asked) for opinion in opinions]), strict=True))
    places = [*marks, *found]
    nothing = dict(zip(places, _mean([opinion.of_nothing(places) for opinion in opinions]), strict=True))
    items = []
    for mark in marks:
        others = [span for span in found if _overlap(span, mark) and span != mark]
        others += [replace(mark, label=label) for label in labels if label != mark.label]
        alternatives: dict[Span | None, float] = {None: nothing[mark], **{span: probability[span] for span in others}}
        best = max(alternatives, key=lambda span: alternatives[span])
        items.append(Item(article, mark, best, probability[mark], alternatives[best], len(opinions)))
    free: list[Span] = []
    for span in sorted(found, key=lambda span: (-probability[span], span)):  # of models that overlap each other the surest
        if not any(_overlap(span, other) for other in (*article.spans, *free)):
            free.append(span)
            items.append(Item(article, None, span, nothing[span], probability[span], len(opinions)))
    return items, [Unjudged(article, span, reason) for span, reason in lost.items() if reason is not None]


def rank(items: Iterable[Item]) -> list[Item]:
    """Return the items with their scores, most suspect first; of equals the first.

    The score is the normalised margin: log(p_given / t(given)) - log(p_suggested / t(suggested)), t(label) the mean p_given of that label's
    marks, 1 for nothing; LEAST is added to each probability.
    """
    items = list(items)
    expected = expected_confidence(items)

    def share(span: Span | None, probability: float) -> float:
        return (probability + LEAST) / ((expected.get(span.label, 1.0) if span else 1.0) + LEAST)

    scored = [replace(item, score=log(share(item.given, item.p_given) / share(item.suggested, item.p_suggested))) for item in items]
    return sorted(scored, key=lambda item: item.score)


def expected_confidence(items: Iterable[Item]) -> dict[str, float]:
    """Return label -> the mean probability that the models give its marks, of the labels that have any."""
    given: dict[str, list[float]] = defaultdict(list)
    for item in items:
        if item.given:
            given[item.given.label].append(item.p_given)
    return {label: float(np.mean(values)) for label, values in given.items()}


def _mean(rows: Sequence[np.ndarray]) -> list[float]:
    """Return the mean of what the models say; those that cannot say are left out, and where none can it is 0."""
    stacked = np.stack(rows)
    known = ~np.isnan(stacked)
    return (np.where(known, stacked, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)).tolist()


def _overlap(one: Span, other: Span) -> bool:
    return one.start < other.end and other.start < one.end
