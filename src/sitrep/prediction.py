"""Articles in, articles with predictions out: streamed, order and ids kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from sitrep.articles import Article
from sitrep.backends import Backend
from sitrep.heads.base import pad_windows, to_device
from sitrep.models import Model
from sitrep.sampling import batches_by_length, look_ahead
from sitrep.windows import EncodedArticle

Kept = list[np.ndarray]
"""What a head keeps of the scores of an article's windows."""


class EncoderReader:
    """Reads articles with a trained encoder; whole articles, whatever their length."""

    def __init__(self, model: Model, backend: Backend) -> None:
        self.model, self.backend = model, backend
        self.network = model.network
        self.windower = model.network.windower

    def read(self, articles: Iterable[Article]) -> Iterator[Article]:
        """Yield each article with what the model finds in it: mentions, or classes, with raw scores. Gold is never looked at."""
        for chunk in look_ahead(articles):
            yield from read_together([self], chunk)[0]


def read_together(readers: Sequence[EncoderReader], articles: Sequence[Article]) -> list[list[Article]]:
    """Return, for each reader, the articles as it reads them. All must cut articles alike: these are tokenised, cut and padded once."""
    encoded, kept = score_together(readers, articles)
    return [reader.network.decode(encoded, scores) for reader, scores in zip(readers, kept, strict=True)]


def score_together(readers: Sequence[EncoderReader], articles: Sequence[Article]) -> tuple[list[EncodedArticle], list[list[Kept]]]:
    """Return the articles in tokens, and for each reader and article what its head keeps of the scores of each window."""
    windower = readers[0].windower
    encoded = windower.encode(articles)
    windows = [(article, window) for article in encoded for window in article.windows]
    lengths = [len(windower.prefix) + end - start + len(windower.suffix) for _, (start, end) in windows]
    kept = [[np.empty(0)] * len(windows) for _ in readers]
    for batch in batches_by_length(lengths, readers[0].backend.batch_tokens):
        inputs = pad_windows([windower.inputs(*windows[index]) for index in batch], windower.pad_id)
        inputs = to_device(inputs, readers[0].network.device)  # once for all, by which a shared encoder knows them again
        for reader, own in zip(readers, kept, strict=True):
            found = reader.network.keep(reader.backend.score(inputs), [lengths[index] for index in batch])
            for index, scores in zip(batch, found, strict=True):
                own[index] = scores
    return encoded, [_by_article(encoded, scores) for scores in kept]


def _by_article(encoded: Sequence[EncodedArticle], kept: Sequence[np.ndarray]) -> list[Kept]:
    scores = iter(kept)
    return [list(islice(scores, len(article.windows))) for article in encoded]
