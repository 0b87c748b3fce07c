"""The best path of a linear chain and the probability of a stretch of it, for sequences of any lengths at once (see chain.py).

Sequences are packed by steps: first the first step of all of them, longest first, then the second step of those that have one... So
each step of the recursions is one slice of an array, without padding. Where "packed" is said, arrays are (n_steps of all, ...) in that
order. transitions: (n_tags, n_tags), `[i, j]` the score of tag j right after tag i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FLOOR = -300.0  # the least logarithm of a weight, relative to the largest: the product of two such is no zero in 64 bits


class Sequences:
    """Emissions, packed."""

    def __init__(self, emissions: Sequence[np.ndarray]) -> None:
        """Pack `emissions`, (n_steps, n_tags) each; there may be no step at all."""
        lengths = np.array([len(rows) for rows in emissions])
        order = np.argsort(-lengths, kind="stable")
        ranks = np.argsort(order, kind="stable")
        self.lengths = lengths
        self.longest = int(lengths.max())
        # sequences that have a step, and none behind the last
        self.widths = [*np.searchsorted(-lengths[order], -np.arange(self.longest), side="left").tolist(), 0]
        self.offsets = np.append(0, np.cumsum(self.widths))
        self._ranks = ranks
        self.emissions = np.empty((int(lengths.sum()), emissions[0].shape[1]))
        for row, scores in enumerate(emissions):
            self.emissions[self.places(row, np.arange(len(scores)))] = scores

    def places(self, rows: int | np.ndarray, steps: np.ndarray) -> np.ndarray:
        """Return where steps of sequences are, packed."""
        return self.offsets[steps] + self._ranks[rows]

    def slices(self) -> list[slice]:
        """Return where each step is, packed."""
        edges = self.offsets.tolist()
        return [slice(edges[step], edges[step + 1]) for step in range(self.longest)]


def best_paths(sequences: Sequences, transitions: np.ndarray) -> list[list[int]]:
    """Return the path of highest score of each sequence (Viterbi 1967)."""
    best, slices, widths = sequences.emissions.copy(), sequences.slices(), sequences.widths
    for step in range(1, sequences.longest):  # the highest score of the paths that end in each tag
        before = best[slices[step - 1]][: widths[step]]
        best[slices[step]] += (before[:, :, None] + transitions).max(axis=1)
    tag_ids, into = np.empty(len(best), dtype=np.int64), np.ascontiguousarray(transitions.T)
    for step in range(sequences.longest - 1, -1, -1):
        scores = best[slices[step]]
        n_more = widths[step + 1]
        if n_more:
            scores[:n_more] += into[tag_ids[slices[step + 1]]]
        tag_ids[slices[step]] = scores.argmax(axis=1)
    return [tag_ids[sequences.places(row, np.arange(length))].tolist() for row, length in enumerate(sequences.lengths.tolist())]


@dataclass(frozen=True)
class Segment:
    """Tags that a sequence may bear from step `first` on, not followed by the tag `continued_by`."""

    row: int
    first: int
    tag_ids: Sequence[int]
    continued_by: int


class Marginals:
    """The probabilities of segments: the share of all paths, weighed by their scores, that bear them.

    Weights are powers of scores, scaled at each step, so that no logarithm is needed (Rabiner 1989, section V.A). None falls below
    exp(FLOOR) of the largest, so that what is forbidden, or next to impossible, leaves sums positive.
    """

    def __init__(self, sequences: Sequences, transitions: np.ndarray) -> None:
        self.sequences = sequences
        self.moves = np.exp(np.maximum(transitions - transitions.max(), FLOOR))
        emissions = sequences.emissions
        self.weights = np.exp(np.maximum(emissions - emissions.max(axis=1, keepdims=True), FLOOR))
        self._sum_ahead()
        self._sum_behind()

    def _sum_ahead(self) -> None:
        """Set `ahead`, packed: the share of each tag in the paths up to a step; and `scales`, by which a step's sums were divided."""
        ahead, scales, slices = self.weights.copy(), np.empty(len(self.weights)), self.sequences.slices()
        for step, here in enumerate(slices):
            sums = ahead[here]
            if step:
                sums *= ahead[slices[step - 1]][: len(sums)] @ self.moves
            scales[here] = scale = sums.sum(axis=1)
            sums /= scale[:, None]
        self.ahead, self.scales = ahead, scales

    def _sum_behind(self) -> None:
        """Set `behind`, packed: the weight of each tag at a step times the sum over all that may follow it, up to a factor a step."""
        behind, slices = self.weights.copy(), self.sequences.slices()
        backwards = np.ascontiguousarray(self.moves.T)
        for step in range(len(slices) - 2, -1, -1):
            following = behind[slices[step + 1]] @ backwards
            following /= following.sum(axis=1)[:, None]
            behind[slices[step]][: len(following)] *= following
        self.behind = behind

    def of(self, segments: Sequence[Segment]) -> np.ndarray:
        """Return the probability of each segment."""
        if not segments:
            return np.empty(0)
        rows, first = np.array([segment.row for segment in segments]), np.array([segment.first for segment in segments])
        lengths = np.array([len(segment.tag_ids) for segment in segments])
        tag_ids = np.zeros((len(segments), lengths.max()), dtype=np.int64)
        for index, segment in enumerate(segments):
            tag_ids[index, : len(segment.tag_ids)] = segment.tag_ids
        share = self.ahead[self.sequences.places(rows, first), tag_ids[:, 0]]
        for shift in range(1, tag_ids.shape[1]):
            some = np.flatnonzero(lengths > shift)
            before, tags = tag_ids[some, shift - 1], tag_ids[some, shift]
            places = self.sequences.places(rows[some], first[some] + shift)
            share[some] *= self.moves[before, tags] * self.weights[places, tags] / self.scales[places]
        last = first + lengths - 1
        some = np.flatnonzero(last + 1 < self.sequences.lengths[rows])
        final = tag_ids[some, lengths[some] - 1]
        behind = self.behind[self.sequences.places(rows[some], last[some] + 1)]
        all_after = ((self.ahead[self.sequences.places(rows[some], last[some])] @ self.moves) * behind).sum(axis=1)
        after = self.moves[final] * behind
        after[np.arange(len(some)), [segments[index].continued_by for index in some.tolist()]] = 0
        share[some] *= after.sum(axis=1) / all_after
        return np.clip(share, 0, 1)
