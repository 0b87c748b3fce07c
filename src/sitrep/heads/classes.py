"""Heads of class fields: an article's windows are read together and their logits pooled.

So a label need not be visible in every window, and a long article counts whole, in training as in reading.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, kl_div, logsigmoid
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedModel

from sitrep.articles import Article
from sitrep.calibration import decide
from sitrep.config import TaskConfig
from sitrep.heads.base import Batch, Head, Row, Rows, pad_windows, to_device
from sitrep.heads.tags import softmax
from sitrep.windows import EncodedArticle, Lost, Windower

BEGIN_ROWS = 64  # articles that say how the layer over mean vectors is to begin
LEAST_DEVIATION = 0.01  # of how near they are to the labels' names: a single article, or copies of one, deviate by nothing


class ClassHead(Head):
    """One logit a label and window; pooled over the windows as `task.pooling` says they are the article's.

    Where thresholds are fitted after training, the best epoch is that of the highest average precision, which needs none.
    """

    imitates = True
    learns_windows = False

    def __init__(self, body: PreTrainedModel, task: TaskConfig, windower: Windower) -> None:
        super().__init__(body, task, windower)
        self.best_measure = "average_precision" if task.thresholds == "dev" else "micro_f1"

    @classmethod
    def outputs(cls, task: TaskConfig) -> tuple[str, ...]:
        """Return the labels."""
        return tuple(task.labels)

    def training_rows(self, encoded: EncodedArticle) -> tuple[list[Row], list[Lost]]:
        """Return one row: `windows`, and `labels` as an index or a list of 0 and 1."""
        gold = encoded.article.labels[str(self.task.field)]
        labels = self.task.labels.index(gold[0]) if self.task.kind == "multi-class" else [float(x in gold) for x in self.task.labels]
        return [{"windows": [self.windower.inputs(encoded, window) for window in encoded.windows], "labels": labels}], []

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return the windows of all articles as one list, `owner` the article of each, and the articles' `labels`."""
        batch = pad_windows([window for row in rows for window in row["windows"]], self.windower.pad_id)
        owner = [index for index, row in enumerate(rows) for _ in row["windows"]]
        return {**batch, "owner": torch.tensor(owner), "labels": torch.tensor([row["labels"] for row in rows])}

    def loss(self, scores: Tensor, **targets: Tensor) -> Tensor:
        """Return the mean cross entropy of the articles."""
        labels = targets["labels"]
        logits = pool_by_owner(scores, targets["owner"], len(labels), str(self.task.pooling))
        if self.task.kind == "multi-class":
            return cross_entropy(logits, labels)
        return binary_cross_entropy_with_logits(logits, labels)

    def imitation(self, scores: Tensor, teacher: Head, taught: Tensor, temperature: float, **targets: Tensor) -> Tensor:
        """Return the mean divergence of the articles' labels: of the choice of one, or of each by itself."""
        pools = (pool_by_owner(each, targets["owner"], len(targets["labels"]), str(self.task.pooling)) for each in (scores, taught))
        ours, theirs = (_log_shares(logits / temperature, self.task.kind) for logits in pools)
        return temperature**2 * kl_div(ours, theirs, reduction="sum", log_target=True) / ours[..., 0].numel()

    def measure(self, dev: Sequence[Article], read: Callable[[Sequence[Article]], Iterable[Article]]) -> dict[str, float]:
        """Return F1 at a threshold of 0.5, and for any number of labels the average precision of all of them together.

        Average precision: the mean of the precisions at each right label, from the highest score down.
        """
        pred = list(read(dev))
        measures = super().measure(dev, lambda _: pred)
        if self.task.kind != "multi-class":
            field = str(self.task.field)
            right = [[label in article.labels[field] for label in self.task.labels] for article in dev]
            scores = [[article.scores[field][label] for label in self.task.labels] for article in pred]
            measures["average_precision"] = float(average_precision_score(np.ravel(right), np.ravel(scores)))
        return measures

    def keep(self, scores: Tensor, lengths: Sequence[int]) -> list[np.ndarray]:
        """Return the (n_labels,) logits of each window."""
        return list(scores.float().cpu().numpy())

    def decode(self, encoded: Sequence[EncodedArticle], kept: Sequence[Sequence[np.ndarray]]) -> list[Article]:
        """Return the articles with the scores of their classes, and those that reach one half, or the likeliest."""
        pool = np.max if self.task.pooling == "max" else np.mean
        return [self._article(article.article, pool(windows, axis=0)) for article, windows in zip(encoded, kept, strict=True)]

    def _article(self, article: Article, logits: np.ndarray) -> Article:
        probabilities = softmax(logits) if self.task.kind == "multi-class" else 1 / (1 + np.exp(-logits))
        return decide(article, self.task, dict(zip(self.task.labels, probabilities.tolist(), strict=True)))


class FirstHead(ClassHead):
    """Labels from the first token of a window, as plain transformers does it."""

    body_class = AutoModelForSequenceClassification


class MeanHead(ClassHead):
    """Labels from the mean of a window's token vectors.

    Sentence encoders such as the default one are trained to mean something by that mean; their first token is not. So the layer can
    begin with what the encoder makes of the labels' names: articles near to the name of a label are likely to bear it.
    """

    body_class = AutoModel

    def __init__(self, body: PreTrainedModel, task: TaskConfig, windower: Windower) -> None:
        super().__init__(body, task, windower)
        self.classifier = nn.Linear(body.config.hidden_size, len(task.labels))

    def begin(self, rows: Rows) -> None:
        """Begin with the vectors of the labels' names, scaled and shifted so that some rows' logits deviate by 1 from the base rate."""
        names = [Article(label, re.sub(r"[-_]+", " ", label)) for label in self.task.labels]
        some = [rows[index] for index in range(0, len(rows), -(-len(rows) // BEGIN_ROWS))]
        gold = torch.tensor([row["labels"] for row in some], device=self.device)
        if self.task.kind == "multi-class":
            gold = nn.functional.one_hot(gold, len(names))
        self.eval()
        with torch.no_grad():
            named = [self.windower.inputs(encoded, encoded.windows[0]) for encoded in self.windower.encode(names)]
            vectors = nn.functional.normalize(self._vectors(named))
            near = torch.stack([self._pooled(row, vectors) for row in some])
            scale = 1 / near.std(dim=0, correction=0).mean().clamp(min=LEAST_DEVIATION)
            self.classifier.weight.copy_(scale * vectors)
            base_rate = (gold.sum(dim=0) + 1) / (len(some) + 2)  # of a label that none of these rows bears, too
            self.classifier.bias.copy_(torch.logit(base_rate) - scale * near.mean(dim=0))

    def _pooled(self, row: Row, vectors: Tensor) -> Tensor:
        """Return (n_vectors,): how near an article's windows are to each of the vectors, pooled."""
        near = self._vectors(row["windows"]) @ vectors.T
        return near.amax(dim=0) if self.task.pooling == "max" else near.mean(dim=0)

    def score(self, **inputs: Tensor) -> Tensor:
        """Return (n_windows, n_labels) logits."""
        return self.classifier(nn.functional.dropout(self._means(**inputs), 0.1, self.training))

    def _vectors(self, windows: Sequence[Mapping[str, Any]]) -> Tensor:
        """Return (n_windows, width): the mean vectors of windows."""
        return self._means(**to_device(pad_windows(windows, self.windower.pad_id), self.device))

    def _means(self, **inputs: Tensor) -> Tensor:
        """Return (n_windows, width): the mean vector of each window's tokens."""
        hidden, mask = self.body(**inputs).last_hidden_state, inputs["attention_mask"]
        return (hidden * (mask.unsqueeze(2) / mask.sum(dim=1)[:, None, None])).sum(dim=1)


def _log_shares(logits: Tensor, kind: str) -> Tensor:
    """Return log probabilities that sum to 1 in the last dimension: of the labels, or of each label and its absence."""
    return logits.log_softmax(dim=1) if kind == "multi-class" else torch.stack([logsigmoid(logits), logsigmoid(-logits)], dim=2)


def pool_by_owner(logits: Tensor, owner: Tensor, n_owners: int, pooling: str) -> Tensor:
    """Return (n_owners, n_labels): the `mean` or `max` of the (n_windows, n_labels) logits of each owner."""
    reduce = {"mean": "mean", "max": "amax"}[pooling]
    pooled = torch.zeros(n_owners, logits.shape[1], dtype=logits.dtype, device=logits.device)
    return pooled.scatter_reduce(0, owner.unsqueeze(1).expand_as(logits), logits, reduce, include_self=False)
