"""A head's network as an ONNX file that onnxruntime reads.

The attention is exported as plain products and softmax: onnxruntime's own fused attention is slower on a CPU. What comes out is believed
only after parity.py has compared it.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn

from sitrep.articles import Article
from sitrep.heads.base import INPUTS, Batch, Head, pad_windows

OPSET = 18
FUSED = "com.microsoft"  # the domain of the operators that onnxruntime fuses
SAMPLES = ("A convoy was attacked near the border on Monday.", "Talks go on.", "The governor said so.")  # of unlike length


class Scorer(nn.Module):
    """`Head.score` with its inputs in a fixed order, as an exported graph has them."""

    def __init__(self, network: Head) -> None:
        super().__init__()
        self.network = network

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Tensor:
        """Return the scores of windows; inputs: each (n_windows, n_tokens)."""
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        return self.network.score(input_ids=input_ids, attention_mask=attention_mask, **types)


def export_network(network: Head, path: Path, scorer: nn.Module | None = None) -> None:
    """Write what scores windows, with any number of windows and tokens, as an ONNX file.

    Args:
        network: on the CPU; inputs and output of the file are those of its `score`.
        path: a file of 2 GB at most.
        scorer: what is written; the network's own `score` unless given.

    Raises:
        Exception: of any kind, where torch or onnxruntime cannot express the network.
    """
    scorer = (scorer or Scorer(network)).eval()
    batch = sample_batch(network)
    attention = network.body.config._attn_implementation
    with _quiet():
        network.body.set_attn_implementation("eager")
        try:
            program = torch.onnx.export(
                scorer,
                tuple(batch.values()),
                input_names=list(batch),
                output_names=["scores"],
                dynamic_shapes=tuple({0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC} for _ in batch),
                opset_version=OPSET,
                dynamo=True,
                verbose=False,
            )
        finally:
            network.body.set_attn_implementation(attention)
        assert program is not None
        program.save(path, external_data=False)
        fused = _fuse(path)
    if all(known.domain != FUSED for known in fused.opset_import):
        fused.opset_import.append(onnx.helper.make_opsetid(FUSED, 1))
    del fused.graph.value_info[:]  # the shapes of before the fusion, which do not all hold any more
    onnx.save(fused, path)


def _fuse(path: Path) -> onnx.ModelProto:
    """Return a model with GELU and its bias as one operator."""
    from onnxruntime.transformers.fusion_options import FusionOptions
    from onnxruntime.transformers.optimizer import optimize_model

    fusions = FusionOptions("bert")
    fusions.enable_attention = fusions.enable_embed_layer_norm = False
    fusions.enable_skip_layer_norm = fusions.enable_bias_skip_layer_norm = False
    return optimize_model(str(path), model_type="bert", opt_level=0, optimization_options=fusions).model


def sample_batch(network: Head) -> Batch:
    """Return a padded batch to trace the network with, its inputs in the order of INPUTS."""
    windower = network.windower
    encoded = windower.encode([Article(str(number), text) for number, text in enumerate(SAMPLES)])
    batch = pad_windows([windower.inputs(article, article.windows[0]) for article in encoded], windower.pad_id)
    return {name: batch[name] for name in INPUTS if name in batch}


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep what torch and onnxruntime say of each operator they do not know from the user."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)
