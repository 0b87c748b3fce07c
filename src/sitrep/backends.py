"""What multiplies: the scores of padded windows, by torch or by another engine that gives the same."""

from __future__ import annotations

import hashlib
from pathlib import Path
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


class OnnxBackend:
    """An exported network in onnxruntime, on `threads` threads of the CPU; the file is not needed once it is open."""

    def __init__(self, path: Path, threads: int, name: str = "onnx") -> None:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        options.log_severity_level = 3  # errors
        options.enable_mem_pattern = False  # it keeps one for every shape that it has met, and batches come in thousands
        options.add_session_config_entry("session.force_spinning_stop", "1")  # between batches the cores are others'
        self.name = name
        with path.open("rb") as file:
            self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.inputs = [found.name for found in self.session.get_inputs()]

    def score(self, inputs: Batch) -> Tensor:
        """Return the scores of windows; safe from several threads."""
        (scores,) = self.session.run(None, {name: inputs[name].numpy() for name in self.inputs})
        return torch.from_numpy(scores)
