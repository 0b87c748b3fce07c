"""What multiplies: the scores of padded windows, by torch or by another engine that gives the same."""

from __future__ import annotations

import ctypes
import hashlib
import sys
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor

from sitrep.heads.base import Batch, Head, to_device

SLOW_FUSIONS = ["SkipLayerNormFusion"]  # one operator for what two do in a third of its time: it does not use vectors
CPU_TOKENS, GPU_TOKENS = 1024, 4096  # padded tokens in one batch: what a core's cache holds is read fastest, a GPU has to be filled


M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
KEPT, LARGEST_KEPT = 2**28, 2**25  # bytes, in all and of one block


class Backend(Protocol):
    """Something that scores windows as a head's network does."""

    name: str
    batch_tokens: int  # padded, that it reads fastest at once

    def score(self, inputs: Batch) -> Tensor:
        """Return the scores of windows; inputs: those of INPUTS that `pad_windows` gives, each (n_windows, n_tokens)."""
        ...


class TorchBackend:
    """The network itself, on `device`."""

    name = "torch"

    def __init__(self, network: Head, device: torch.device) -> None:
        self.network, self.device = network.to(device), device
        self.batch_tokens = CPU_TOKENS if device.type == "cpu" else GPU_TOKENS
        keep_freed_memory()

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

    batch_tokens = CPU_TOKENS

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
        self.session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"], disabled_optimizers=SLOW_FUSIONS)
        self.inputs = [found.name for found in self.session.get_inputs()]

    def score(self, inputs: Batch) -> Tensor:
        """Return the scores of windows; safe from several threads."""
        (scores,) = self.session.run(None, {name: inputs[name].numpy() for name in self.inputs})
        return torch.from_numpy(scores)


def keep_freed_memory() -> None:
    """Let glibc keep what torch frees for the next batch; handed back and fetched again it costs a tenth of the time, page by page."""
    if sys.platform == "linux" and (mallopt := getattr(ctypes.CDLL(None), "mallopt", None)):
        mallopt(M_MMAP_THRESHOLD, LARGEST_KEPT)
        mallopt(M_TRIM_THRESHOLD, KEPT)
