"""What can be wrong with the labels of a file, and what can be lost on the way in or out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from sitrep.articles import Source

EMPTY, OUTSIDE, SURFACE, DUPLICATE, DISCONTINUOUS = "empty", "outside", "surface", "duplicate", "discontinuous"
"""Kinds of faults: covers no character; reaches beyond the text; the file says that other characters are marked; is marked twice;
has gaps. Of these only a mark of kind SURFACE becomes a span nevertheless."""


@dataclass(frozen=True, slots=True)
class Mark:
    """A labelled mention as a file states it, which may not fit the text: code points, half-open.

    surface: the characters that the file says are marked, or None where it says nothing
    source:  where in the file the mark stands
    """

    start: int
    end: int
    label: str
    surface: str | None
    source: Source
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """A mark that does not fit its text."""

    kind: str
    article_id: str
    mark: Mark
    reason: str


@dataclass(frozen=True, slots=True)
class Loss:
    """Something of an article that a format or `Article` cannot hold: `what` in the plural, to be counted (`relations`), and which."""

    article_id: str
    what: str
    detail: str


Report = Callable[[Fault], None]
Lose = Callable[[Loss], None]
Unlabelled = Callable[[str, str], None]  # called with the id of an article and why its labels are not those of a person
NOT_LABELLED, SKIPPED, PREDICTED = "nobody labelled it", "was skipped", "holds a model's predictions only"


class Losses:
    """Collects losses: how many of each kind, the first of each, and all of them up to `keep`."""

    def __init__(self, keep: int = 1) -> None:
        self.counts: Counter[str] = Counter()
        self.first: dict[str, Loss] = {}
        self.kept: list[Loss] = []
        self._keep = keep

    def __call__(self, loss: Loss) -> None:
        """Add a loss."""
        self.counts[loss.what] += 1
        self.first.setdefault(loss.what, loss)
        if len(self.kept) < self._keep:
            self.kept.append(loss)

    def __str__(self) -> str:
        return ", ".join(f"{n:,} {what}" for what, n in self.counts.most_common())
