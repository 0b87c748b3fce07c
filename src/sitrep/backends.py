"""What multiplies: the scores of padded windows, by torch or by another engine that gives the same."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import Tensor

from sitrep.heads.base import Batch, Head, to_device


class Backend(Protocol):
    """Something that scores windows as a head's network does."""

    name: str

    def score(self, inputs: Batch) -> Tensor:
        """Return the scores of windows; inputs: those of INPUTS that `pad_windows` gives, each (n_windows, n_tokens)."""
        ...


class TorchBackend:
    """The network itself, on `device`."""

    name = "torch"

    def __init__(self, network: Head, device: torch.device) -> None:
        self.network, self.device = network.to(device), device

    def score(self, inputs: Batch) -> Tensor:
        """Return the scores of windows, without dropout, whether or not the network is being trained.

        Safe from several threads, unless it is being trained.
        """
        if self.network.training:
            self.network.eval()
            scores = self.score(inputs)
            self.network.train()
            return scores
        with torch.inference_mode():
            return self.network(**to_device(inputs, self.device))
