"""What every head offers: rows to learn from, a loss, and articles from scores.

A head is a network: the encoder (`body`, a plain transformers model that is saved as such) and whatever parameters of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from sitrep.articles import Article
from sitrep.config import TaskConfig
from sitrep.scoring import strict_f1
from sitrep.windows import EncodedArticle, Lost, Windower

Row = dict[str, Any]
Rows = Any  # a sequence of rows that indices choose from, such as a Dataset
Batch = dict[str, Tensor]

INPUTS = ("input_ids", "attention_mask", "token_type_ids")  # of a batch, what the encoder reads; the rest are targets


class Head(nn.Module, ABC):
    """An encoder with a head for one task."""

    body_class: ClassVar[Any]  # the transformers class that builds `body`
    best_measure: str = "micro_f1"  # of `measure`: which epoch is the best
    higher_is_better: ClassVar[bool] = True
    needs_mask_token: ClassVar[bool] = False
    imitates: ClassVar[bool] = False  # whether there is an `imitation`
    learns_windows: ClassVar[bool] = True  # a training row is a window, so that an article may be cut elsewhere in each epoch

    def __init__(self, body: PreTrainedModel, task: TaskConfig, windower: Windower) -> None:
        super().__init__()
        self.body = body
        self.task = task
        self.windower = windower

    @property
    def device(self) -> torch.device:
        """Where the network is."""
        return next(self.parameters()).device

    @classmethod
    @abstractmethod
    def outputs(cls, task: TaskConfig) -> tuple[str, ...]:
        """Return the names of what the body scores; none where that is words."""

    @abstractmethod
    def training_rows(self, encoded: EncodedArticle) -> tuple[list[Row], list[Lost]]:
        """Return what is learnt from a labelled article, and the mentions that the head cannot represent."""

    def begin(self, rows: Rows) -> None:
        """Choose where the fresh parameters begin, from the training rows."""

    @abstractmethod
    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return the tensors of one batch: the inputs of `score` and the targets of `loss`."""

    @abstractmethod
    def loss(self, scores: Tensor, **targets: Tensor) -> Tensor:
        """Return the mean loss of one batch; `scores` as `score` returns them, in 32 bits."""

    def imitation(self, scores: Tensor, teacher: Head, taught: Tensor, temperature: float, **targets: Tensor) -> Tensor:
        """Return the mean divergence of a batch from what a teacher makes of it, times `temperature` squared; 0 where they agree.

        teacher: a head of the same class for the same task; taught: its scores of the same windows, like `scores`; targets: those of
        `loss`, which say what counts. The square keeps the size of the gradients (Hinton et al. 2015, section 2).
        """
        raise NotImplementedError

    @abstractmethod
    def keep(self, scores: Tensor, lengths: Sequence[int]) -> list[np.ndarray]:
        """Return what `decode` needs of each window's scores; `lengths` in tokens, special tokens included."""

    @abstractmethod
    def decode(self, encoded: Sequence[EncodedArticle], kept: Sequence[Sequence[np.ndarray]]) -> list[Article]:
        """Return each article with what the scores of its windows say; gold is not looked at."""

    def score(self, **inputs: Tensor) -> Tensor:
        """Return the scores of windows; inputs: those of INPUTS that `pad_windows` gives, each (n_windows, n_tokens)."""
        return self.body(**inputs).logits

    def forward(self, **batch: Tensor) -> Tensor:
        """Return the loss where targets are given, the scores otherwise."""
        inputs = {name: tensor for name, tensor in batch.items() if name in INPUTS}
        targets = {name: tensor for name, tensor in batch.items() if name not in INPUTS}
        scores = self.score(**inputs)
        return self.loss(scores.float(), **targets) if targets else scores

    def measure(self, dev: Sequence[Article], read: Callable[[Sequence[Article]], Iterable[Article]]) -> dict[str, float]:
        """Return how good the network is on `dev`, for the history and the choice of the best epoch; `read` finds what it finds there."""
        return strict_f1(dev, list(read(dev)), self.task)

    def lost(self, encoded: EncodedArticle) -> list[Lost]:
        """Return the gold mentions of an article that the head cannot represent."""
        return self.training_rows(encoded)[1]

    def own_state(self) -> dict[str, Tensor]:
        """Return the parameters that plain transformers does not know."""
        return {name: tensor for name, tensor in self.state_dict().items() if not name.startswith("body.")}


def windows_of(row: Row) -> Sequence[Mapping[str, Any]]:
    """Return the windows of a training row: those of an article together, or the one that it is itself."""
    return row.get("windows") or [row]


def row_shape(row: Row) -> tuple[int, int]:
    """Return how many windows a training row holds, and the tokens of the longest."""
    windows = windows_of(row)
    return len(windows), max(len(window["input_ids"]) for window in windows)


def pad_windows(windows: Sequence[Mapping[str, Any]], pad_id: int) -> Batch:
    """Return the INPUTS of windows as tensors, each (n_windows, longest), padded at the right."""
    lengths = [len(window["input_ids"]) for window in windows]
    longest = max(lengths)

    def pad(rows: Iterable[Sequence[int]], filler: int) -> Tensor:
        padded = np.full((len(windows), longest), filler)
        for row, length, values in zip(padded, lengths, rows, strict=True):
            row[:length] = values
        return torch.from_numpy(padded)

    batch = {
        "input_ids": pad((window["input_ids"] for window in windows), pad_id),
        "attention_mask": torch.from_numpy((np.arange(longest) < np.array(lengths)[:, None]).astype(np.int64)),
    }
    if "token_type_ids" in windows[0]:
        batch["token_type_ids"] = pad((window["token_type_ids"] for window in windows), 0)
    return batch


def to_device(batch: Batch, device: torch.device) -> Batch:
    """Return the tensors of a batch, where `device` is."""
    return {name: tensor.to(device) for name, tensor in batch.items()}
