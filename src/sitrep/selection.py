"""Which articles to label next: a greedy choice by doubt, need and novelty, per unit of cost.

An article is worth what its doubtful items would teach, times how far it lies from all that was learnt from or chosen before:

    sum over labels of doubt[label] / (1 + taught[label])   x   distance   /   cost

doubt     the mistakes that the model's own scores expect: 1 - score of each mention, as uncertainty sampling takes them (Settles and
          Craven 2008, "An analysis of active learning strategies for sequence labeling tasks")
taught    how many examples of a label there are, those found in chosen articles included; one more VEHICLE is worth the more, the fewer
          there are: the gradient of the logarithm, a concave function of features (Wei, Iyer and Bilmes 2015, "Submodularity in data
          subset selection and active learning")
distance  of the greedy k-center choice (Sener and Savarese 2018, "Active learning for convolutional neural networks: a core-set approach")
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sitrep.articles import Article

NOWHERE = 1.0  # the distance to what was learnt from, where nothing was: as of vectors that have nothing in common


@dataclass(frozen=True)
class Choice:
    """A chosen candidate, its worth when it was chosen, and how far it lay from the nearest labelled or chosen before (cosine distance)."""

    index: int
    worth: float
    distance: float


@dataclass(frozen=True)
class Candidates:
    """Articles to choose from.

    vectors: (n, width) of length 1, what the encoder makes of each
    doubt:   (n, n_labels) mistakes expected among its items of each label
    found:   (n, n_labels) items of each label that the model finds
    costs:   (n,) what labelling each costs, above 0
    """

    vectors: np.ndarray
    doubt: np.ndarray
    found: np.ndarray
    costs: np.ndarray


def centre(vectors: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors of candidates and of known articles, (n, width) each, less the mean of all and of length 1; zeros stay.

    A trained encoder's vectors all point nearly the same way: without their mean, what sets articles apart is left.
    """
    mean = np.concatenate([vectors, known]).mean(axis=0) if len(vectors) else 0.0
    return unit(vectors - mean), unit(known - mean)


def unit(vectors: np.ndarray) -> np.ndarray:
    """Return rows scaled to length 1; a row of zeros stays."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors / np.where(lengths > 0, lengths, 1)


def choose(candidates: Candidates, known: np.ndarray, taught: np.ndarray) -> Iterator[Choice]:
    """Yield the candidates in the order in which they should be labelled, all of them; of equals the first.

    known:  (n_known, width) of length 1, what was learnt from
    taught: (n_labels,) examples of each label there
    """
    vectors, taught = candidates.vectors, taught.astype(float)
    near = (vectors @ known.T).max(axis=1) if len(known) else np.full(len(vectors), 1 - NOWHERE)
    left = np.ones(len(vectors), dtype=bool)
    for _ in range(len(vectors)):
        worth = candidates.doubt @ (1 / (1 + taught)) * np.clip(1 - near, 0, None) / candidates.costs
        best = int(np.where(left, worth, -1).argmax())
        yield Choice(best, float(worth[best]), float(1 - near[best]))
        left[best] = False
        near = np.maximum(near, vectors @ vectors[best])
        taught += candidates.found[best]


Column = tuple[str | None, str]
"""A field of classes (None: mentions), and a label of it."""


def items_of(articles: Sequence[Article], columns: Sequence[Column]) -> tuple[np.ndarray, np.ndarray]:
    """Return `doubt` and `found` of `Candidates`: the items of each column in read articles, with the scores that the model gave them.

    A mention counts as found, its doubt is 1 - score. A class label counts as found where the article was given it, and its doubt is the
    smaller of score and 1 - score.
    """
    places = {column: index for index, column in enumerate(columns)}
    doubt, found = np.zeros((len(articles), len(columns))), np.zeros((len(articles), len(columns)))
    for row, article in enumerate(articles):
        for span in article.spans:
            if (None, span.label) in places:
                doubt[row, places[None, span.label]] += 1 - (span.score or 0)
                found[row, places[None, span.label]] += 1
        for (field, label), place in places.items():
            if field is not None:
                score = article.scores[field][label]
                doubt[row, place] = min(score, 1 - score)
                found[row, place] = label in article.labels[field]
    return doubt, found
