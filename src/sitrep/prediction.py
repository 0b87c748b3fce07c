"""Articles in, articles with predictions out: streamed, order and ids kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import numpy as np
import torch

from sitrep.articles import Article
from sitrep.calibration import decide
from sitrep.config import NER
from sitrep.models import Model
from sitrep.windows import EncodedArticle, batches_by_length, decode_mentions

LOOK_AHEAD = 64  # articles whose windows are sorted by length together, so that batches hold little padding
BATCH_TOKENS = 4096  # padded tokens read at once


class EncoderReader:
    """Reads articles with a trained encoder; whole articles, whatever their length.

    thresholds: label -> score from which a label of a class field is given; 0.5 where a label has none
    """

    def __init__(self, model: Model, device: torch.device, thresholds: Mapping[str, float] | None = None) -> None:
        self.model = model
        self.thresholds: Mapping[str, float] = thresholds or {}
        self.network = model.network.to(device)  # type: ignore[arg-type]
        self.windower = model.windower()
        self.device = device

    def read(self, articles: Iterable[Article]) -> Iterator[Article]:
        """Yield each article with what the model finds in it: mentions, or classes with scores. Gold is never looked at."""
        stream = iter(articles)
        while chunk := list(islice(stream, LOOK_AHEAD)):
            yield from self._read_chunk(chunk)

    def _read_chunk(self, articles: Sequence[Article]) -> Iterator[Article]:
        encoded = self.windower.encode(articles)
        rows = [self.windower.input_ids(article, window) for article in encoded for window in article.windows]
        outputs = iter(self._score(rows))
        for article in encoded:
            yield self._decode(article, list(islice(outputs, len(article.windows))))

    def _score(self, rows: Sequence[Sequence[int]]) -> list[np.ndarray]:
        """Return the logits of each window, in order: (n_tokens, n_tags) for NER, (n_labels,) for classes."""
        outputs: list[np.ndarray] = [np.empty(0)] * len(rows)
        was_training = self.network.training
        self.network.eval()
        with torch.inference_mode():
            for batch in batches_by_length([len(row) for row in rows], BATCH_TOKENS):
                inputs = pad_windows([rows[index] for index in batch], self.model.tokenizer.pad_token_id)
                logits = self.network(**{name: tensor.to(self.device) for name, tensor in inputs.items()}).logits
                for index, output in zip(batch, logits.float().cpu().numpy(), strict=True):
                    outputs[index] = output[: len(rows[index])] if self.model.task.kind == NER else output
        self.network.train(was_training)
        return outputs

    def _decode(self, encoded: EncodedArticle, outputs: Sequence[np.ndarray]) -> Article:
        if self.model.task.kind == NER:
            probabilities = _softmax(self.windower.merge(encoded, outputs))
            return decode_mentions(encoded, probabilities, self.model.tags)
        return self._decode_classes(encoded.article, np.mean(outputs, axis=0))

    def _decode_classes(self, article: Article, logits: np.ndarray) -> Article:
        """Return the article with its classes; the logits of its windows were averaged, as in training."""
        task = self.model.task
        probabilities = _softmax(logits) if task.kind == "multi-class" else 1 / (1 + np.exp(-logits))
        return decide(article, task, probabilities.tolist(), self.thresholds)


def pad_windows(rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, torch.Tensor]:
    """Return `input_ids` and `attention_mask`, both (n_rows, longest row), padded at the right."""
    longest = max(map(len, rows))
    return {
        "input_ids": torch.tensor([[*row, *[pad_id] * (longest - len(row))] for row in rows]),
        "attention_mask": torch.tensor([[1] * len(row) + [0] * (longest - len(row)) for row in rows]),
    }


def _softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
