"""One encoder for several heads, where they were trained without changing it (`trainer.learning_rate=0`): it is run once a batch."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from sitrep.heads.base import Head

OF_THE_LABELS = ("id2label", "label2id", "architectures", "problem_type", "_name_or_path")  # in an encoder's config: no matter to it
POOLER = "pooler."  # of vectors for whole windows, which no head reads


class SharedEncoder(nn.Module):
    """An encoder that, given the very same tensors again, returns what it has returned, in each thread by itself."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder
        self._last = threading.local()

    def forward(self, input_ids: torch.Tensor, **inputs: Any) -> Any:
        """Return the encoder's output; inputs as it takes them, None as if left out."""
        given = {"input_ids": input_ids, **{name: value for name, value in inputs.items() if value is not None}}
        known = getattr(self._last, "given", {})
        if known.keys() != given.keys() or any(known[name] is not value for name, value in given.items()):
            self._last.output, self._last.given = self.encoder(**given), given
        return self._last.output


def share_encoders(networks: Sequence[Head]) -> None:
    """Give networks whose encoders are the same in all weights one encoder; the others stay as they are. For reading, not for training."""
    fullest_first = sorted(networks, key=lambda network: len(network.body.base_model.state_dict()), reverse=True)
    groups: list[list[Head]] = []
    for network in fullest_first:
        same = (group for group in groups if _is_same(group[0].body.base_model, network.body.base_model))
        if group := next(same, None):
            group.append(network)
        else:
            groups.append([network])
    for group in groups:
        if len(group) > 1:
            shared = SharedEncoder(group[0].body.base_model)
            for network in group:
                _give(network, shared)


def _is_same(full: Any, other: Any) -> bool:
    """Say whether an encoder would return what `full` does, which may have a pooler more."""
    if type(full) is not type(other) or _settings(full) != _settings(other):
        return False
    weights, own = full.state_dict(), other.state_dict()
    spare = weights.keys() - own.keys()
    return own.keys() <= weights.keys() and all(name.startswith(POOLER) for name in spare) and all(
        torch.equal(weights[name], value) for name, value in own.items()
    )  # fmt: skip


def _settings(encoder: Any) -> dict[str, Any]:
    return {name: value for name, value in encoder.config.to_dict().items() if name not in OF_THE_LABELS}


def _give(network: Head, shared: SharedEncoder) -> None:
    body: Any = network.body
    if body.base_model is body:
        network.body = shared  # type: ignore[assignment]
    else:
        setattr(body, body.base_model_prefix, shared)
