"""Heads that tag words: `softmax` decides word by word, `crf` for the whole article at once.

A word is tagged where its first token stands (see windows.py); mentions are flat.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, kl_div
from transformers import AutoModelForTokenClassification, PreTrainedModel

from sitrep.articles import Article
from sitrep.config import TaskConfig
from sitrep.heads import chain
from sitrep.heads.base import Batch, Head, Row, pad_windows
from sitrep.heads.decoding import Marginals, Segment, Sequences, best_paths
from sitrep.labels import TagSet
from sitrep.windows import IGNORED, EncodedArticle, Lost, Windower, decode_mentions, place_mentions


class SoftmaxHead(Head):
    """One tag a token, independent of its neighbours; trained on every token, read at the first of each word."""

    body_class = AutoModelForTokenClassification
    imitates = True
    allowed: Tensor

    def __init__(self, body: PreTrainedModel, task: TaskConfig, windower: Windower) -> None:
        super().__init__(body, task, windower)
        self.tags = TagSet(tuple(task.labels))
        self.register_buffer("allowed", torch.tensor(self.tags.allowed()), persistent=False)

    @classmethod
    def outputs(cls, task: TaskConfig) -> tuple[str, ...]:
        """Return the BIO tags."""
        return TagSet(tuple(task.labels)).tags

    def training_rows(self, encoded: EncodedArticle) -> tuple[list[Row], list[Lost]]:
        """Return a row a window: its inputs and `labels`."""
        return self.windower.tag_windows(encoded, self.tags)

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return `labels` beside the tokens, both (n_windows, n_tokens)."""
        batch = pad_windows(rows, self.windower.pad_id)
        longest = batch["input_ids"].shape[1]
        return {**batch, "labels": torch.tensor([[*row["labels"], *[IGNORED] * (longest - len(row["labels"]))] for row in rows])}

    def loss(self, scores: Tensor, **targets: Tensor) -> Tensor:
        """Return the mean cross entropy of the tokens."""
        return cross_entropy(scores.flatten(0, 1), targets["labels"].flatten(), ignore_index=IGNORED)

    def imitation(self, scores: Tensor, teacher: Head, taught: Tensor, temperature: float, **targets: Tensor) -> Tensor:
        """Return the mean divergence of the tags of the tokens that bear a label."""
        counts = targets["labels"] != IGNORED
        ours, theirs = ((each[counts] / temperature).log_softmax(dim=1) for each in (scores, taught))
        return temperature**2 * kl_div(ours, theirs, reduction="sum", log_target=True) / counts.sum().clamp(min=1)

    def keep(self, scores: Tensor, lengths: Sequence[int]) -> list[np.ndarray]:
        """Return the (n_tokens, n_tags) scores of each window."""
        return [row[:length] for row, length in zip(scores.float().cpu().numpy(), lengths, strict=True)]

    def decode(self, encoded: Sequence[EncodedArticle], kept: Sequence[Sequence[np.ndarray]]) -> list[Article]:
        """Return the articles with the tags of highest probability."""
        merged = [self.windower.merge(article, windows) for article, windows in zip(encoded, kept, strict=True)]
        return [decode_mentions(article, softmax(scores), self.tags) for article, scores in zip(encoded, merged, strict=True)]

    def marginals(self, encoded: Sequence[EncodedArticle], kept: Sequence[Sequence[np.ndarray]]) -> Marginals:
        """Return what gives the probability of any tags of these articles' words, a row an article.

        Tags that no sequence may have (an `I-X` that continues nothing) are left out, and the others share all the probability.
        """
        return Marginals(self._sequences(encoded, kept), self._scores_of_neighbours())

    def _sequences(self, encoded: Sequence[EncodedArticle], kept: Sequence[Sequence[np.ndarray]]) -> Sequences:
        return Sequences([self._emissions(article, windows) for article, windows in zip(encoded, kept, strict=True)])

    def _emissions(self, encoded: EncodedArticle, windows: Sequence[np.ndarray]) -> np.ndarray:
        """Return (n_words, n_tags): the scores of each word's first token."""
        scores = self.windower.merge(encoded, windows)
        scores[np.ix_(encoded.paragraph_starts, self.tags.inside_ids)] = chain.FORBIDDEN
        return scores[encoded.words[:, 0]]

    def _scores_of_neighbours(self) -> np.ndarray:
        return self._moves().detach().cpu().double().numpy()  # Apple GPUs have no 64 bits

    def _moves(self) -> Tensor:
        return torch.zeros(self.allowed.shape, device=self.allowed.device).masked_fill(~self.allowed, chain.FORBIDDEN)


class CrfHead(SoftmaxHead):
    """The best sequence of tags of the whole article, with learnt scores for neighbours.

    Forbidden: an `I-X` that does not continue an X, in training as in reading, and in reading one after a blank line. The score of
    a mention is its marginal probability: that of all tag sequences in which exactly these words bear this label.
    """

    def __init__(self, body: PreTrainedModel, task: TaskConfig, windower: Windower) -> None:
        super().__init__(body, task, windower)
        self.transitions = nn.Parameter(torch.zeros(len(self.tags.tags), len(self.tags.tags)))

    def training_rows(self, encoded: EncodedArticle) -> tuple[list[Row], list[Lost]]:
        """Return a row a window: its inputs, and `labels` at the first token of each word."""
        return self.windower.tag_windows(encoded, self.tags, first_tokens_only=True)

    def loss(self, scores: Tensor, **targets: Tensor) -> Tensor:
        """Return the negative log likelihood of the tag sequences, per word."""
        order, mask = _words_first(targets["labels"])
        emissions, moves = _take(scores, order), self._moves()
        gold = chain.path_scores(emissions, mask, moves, targets["labels"].gather(1, order))
        return _per_word(chain.log_partition(emissions, mask, moves) - gold, mask)

    def imitation(self, scores: Tensor, teacher: Head, taught: Tensor, temperature: float, **targets: Tensor) -> Tensor:
        """Return the divergence of the distributions over whole tag sequences, per word (Wang et al. 2020, section 3.2)."""
        assert isinstance(teacher, CrfHead)
        order, mask = _words_first(targets["labels"])
        theirs = _take(taught, order) / temperature, teacher._moves() / temperature
        ours = _take(scores, order) / temperature, self._moves() / temperature
        return temperature**2 * _per_word(chain.divergence(theirs, ours, mask), mask)

    def decode(self, encoded: Sequence[EncodedArticle], kept: Sequence[Sequence[np.ndarray]]) -> list[Article]:
        """Return the articles with the tags of the best sequence."""
        if not encoded:
            return []
        sequences, moves = self._sequences(encoded, kept), self._scores_of_neighbours()
        paths = best_paths(sequences, moves)
        found = [self.tags.decode(path) for path in paths]
        segments = [
            Segment(row, first, path[first:last], continued_by=path[last - 1] + path[last - 1] % 2)
            for row, (path, mentions) in enumerate(zip(paths, found, strict=True))
            for first, last, _ in mentions
        ]
        scores = iter(Marginals(sequences, moves).of(segments).tolist())
        return [
            place_mentions(article, mentions, list(islice(scores, len(mentions)))) for article, mentions in zip(encoded, found, strict=True)
        ]

    def _moves(self) -> Tensor:
        return self.transitions.masked_fill(~self.allowed, chain.FORBIDDEN)


def _words_first(labels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the tokens of each window that bear a label, before others, and which of them do; both (n_windows, most words)."""
    present = labels != IGNORED
    n_words = max(1, int(present.sum(dim=1).max()))
    order = (~present).to(torch.uint8).argsort(dim=1, stable=True)[:, :n_words]
    return order, present.gather(1, order)


def _take(scores: Tensor, order: Tensor) -> Tensor:
    """Return (n_windows, most words, n_tags): the scores of the tokens in `order`."""
    return scores.gather(1, order.unsqueeze(2).expand(-1, -1, scores.shape[2]))


def _per_word(losses: Tensor, mask: Tensor) -> Tensor:
    """Return the sum of the windows' losses over all their words; a window without a word has nothing to teach."""
    return (losses * mask[:, 0]).sum() / mask.sum().clamp(min=1)


def softmax(logits: np.ndarray) -> np.ndarray:
    """Return probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
