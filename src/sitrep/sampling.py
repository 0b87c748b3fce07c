"""Batches of like length within a budget of tokens: little padding, another order in each epoch, the same number of batches.

`Trainer` counts the updates of an epoch once, when it starts; so the number of batches is fixed, and the rows are shared out anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np

from sitrep.articles import Article, in_chunks
from sitrep.errors import InputError

JITTER = 0.03  # of the length: rows of nearly the same length meet others in each epoch; more costs padding
READ_TOKENS = 4096  # padded tokens read at once, where nothing is learnt
LOOK_AHEAD = 64  # articles whose windows are sorted by length together, so that batches hold little padding
LOOK_AHEAD_CHARACTERS = 500_000  # of these articles together, so that memory does not grow with their length

Shape = tuple[int, int]  # of a training row: windows, tokens of the longest


class BudgetBatches:
    """A batch sampler whose batches hold `budget` padded tokens or fewer, as nearly as can be.

    Args:
        cuts:   (windows, tokens of the longest) of each row, by cut; rows are numbered through, and epochs take the cuts in turn.
        budget: padded tokens a batch; a row that is larger stands alone.
        seed:   with the epoch, decides what stands together and in which order.
        n_processes, rank: of so many processes that share the batches out, this one's number; all get as many.

    Raises:
        InputError: if there are more processes than rows.
    """

    def __init__(self, cuts: Sequence[Sequence[Shape]], budget: int, seed: int, n_processes: int = 1, rank: int = 0) -> None:
        fewest = min(map(len, cuts))
        if fewest < n_processes:
            raise InputError(f"{n_processes} processes cannot share {fewest} training rows; start fewer")
        self.cuts, self.seed, self.epoch = [list(shapes) for shapes in cuts], seed, 0
        self.n_processes, self.rank = n_processes, rank
        wanted = max(len(pack(shapes, sorted(range(len(shapes)), key=lambda row: shapes[row][1]), budget)) for shapes in cuts)
        self.n_batches = min(-(-max(1, wanted) // n_processes), fewest // n_processes) * n_processes  # of all processes

    def set_epoch(self, epoch: int) -> None:
        """Choose the cut and the order of `epoch`."""
        self.epoch = epoch

    def __len__(self) -> int:
        return self.n_batches // self.n_processes

    def __iter__(self) -> Iterator[list[int]]:
        random = np.random.default_rng([self.seed, self.epoch])
        cut = self.epoch % len(self.cuts)
        shapes, first = self.cuts[cut], sum(map(len, self.cuts[:cut]))
        keys = np.array([length for _, length in shapes]) * random.uniform(1 - JITTER, 1 + JITTER, len(shapes))
        batches = cut_evenly(shapes, np.argsort(keys, kind="stable").tolist(), self.n_batches)
        for index in random.permutation(len(batches))[self.rank :: self.n_processes]:
            yield [first + row for row in batches[index]]


def pack(shapes: Sequence[Shape], order: Sequence[int], budget: float) -> list[list[int]]:
    """Return `order` cut into runs whose padded size stays within `budget` (one row at least)."""
    batches: list[list[int]] = []
    n_windows = longest = 0
    for row in order:
        n_windows, longest = n_windows + shapes[row][0], max(longest, shapes[row][1])
        if not batches or n_windows * longest > budget:
            batches.append([])
            n_windows, longest = shapes[row]
        batches[-1].append(row)
    return batches


def batches_by_length(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Return indices of rows of one window in batches, longest first, whose padded size stays within `budget` (one row at least)."""
    longest_first = sorted(range(len(lengths)), key=lengths.__getitem__, reverse=True)
    return pack([(1, length) for length in lengths], longest_first, budget)


def look_ahead(articles: Iterable[Article]) -> Iterator[list[Article]]:
    """Yield the articles in chunks that are read together."""
    return in_chunks(articles, LOOK_AHEAD, LOOK_AHEAD_CHARACTERS)


def cut_evenly(shapes: Sequence[Shape], order: Sequence[int], n_batches: int) -> list[list[int]]:
    """Return `order` cut into exactly `n_batches` runs, the largest padded size as small as can be."""
    low, high = 0, padded_size(shapes, order)
    while low < high:  # the smallest budget that does not need more batches
        middle = (low + high) // 2
        low, high = (low, middle) if len(pack(shapes, order, middle)) <= n_batches else (middle + 1, high)
    batches = pack(shapes, order, low)
    while len(batches) < n_batches:
        largest = max(range(len(batches)), key=lambda index: (len(batches[index]) > 1, padded_size(shapes, batches[index])))
        half = len(batches[largest]) // 2
        batches[largest : largest + 1] = [batches[largest][:half], batches[largest][half:]]
    return batches


def padded_size(shapes: Sequence[Shape], rows: Sequence[int]) -> int:
    """Return the tokens that a batch of `rows` holds, padding included."""
    return sum(shapes[row][0] for row in rows) * max(shapes[row][1] for row in rows)
