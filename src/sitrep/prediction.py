"""Articles in, articles with predictions out: streamed, order and ids kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np

from sitrep.articles import Article
from sitrep.backends import Backend
from sitrep.heads.base import pad_windows
from sitrep.models import Model
from sitrep.sampling import batches_by_length

LOOK_AHEAD = 64  # articles whose windows are sorted by length together, so that batches hold little padding


class EncoderReader:
    """Reads articles with a trained encoder; whole articles, whatever their length."""

    def __init__(self, model: Model, backend: Backend) -> None:
        self.model, self.backend = model, backend
        self.network = model.network
        self.windower = model.network.windower

    def read(self, articles: Iterable[Article]) -> Iterator[Article]:
        """Yield each article with what the model finds in it: mentions, or classes, with raw scores. Gold is never looked at."""
        stream = iter(articles)
        while chunk := list(islice(stream, LOOK_AHEAD)):
            yield from self._read_chunk(chunk)

    def _read_chunk(self, articles: Sequence[Article]) -> list[Article]:
        encoded = self.windower.encode(articles)
        windows = [self.windower.inputs(article, window) for article in encoded for window in article.windows]
        kept = iter(self._score(windows))
        return self.network.decode(encoded, [list(islice(kept, len(article.windows))) for article in encoded])

    def _score(self, windows: Sequence[Mapping[str, list[int]]]) -> list[np.ndarray]:
        """Return what the head keeps of the scores of each window, in order."""
        lengths = [len(window["input_ids"]) for window in windows]
        kept: list[np.ndarray] = [np.empty(0)] * len(windows)
        for batch in batches_by_length(lengths, self.backend.batch_tokens):
            scores = self.backend.score(pad_windows([windows[index] for index in batch], self.windower.pad_id))
            for index, found in zip(batch, self.network.keep(scores, [lengths[i] for i in batch]), strict=True):
                kept[index] = found
        return kept
