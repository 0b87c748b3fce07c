"""Exports: every head, and encoders of every family, score padded windows as torch does."""

from dataclasses import replace

import pytest
import torch
from exports import uneven_batch
from factories import make_task
from tiny import SMALL, compose, own_data, write_encoder

from sitrep.backends import OnnxBackend, TorchBackend
from sitrep.exporting import export_network
from sitrep.heads.base import INPUTS
from sitrep.models import build_model

pytestmark = pytest.mark.slow

CASES = [
    ("wordpiece", "ner", "crf"), ("wordpiece", "ner", "softmax"), ("wordpiece", "ner", "span"),
    ("wordpiece", "multi-label", "mean"), ("wordpiece", "multi-class", "first"),
    ("byte-bpe", "ner", "crf"), ("byte-bpe-prefix", "ner", "crf"), ("unigram", "ner", "crf"),
]  # fmt: skip


@pytest.mark.parametrize(("tokenizer", "kind", "head"), CASES)
def test_an_export_scores_as_torch_does(corpus, tmp_path, tokenizer, kind, head):
    config = compose("train", *own_data(corpus), "model=hub", f"model.path={write_encoder(tmp_path / 'encoder', tokenizer)}", *SMALL)
    task = config.task if kind == "ner" else make_task(kind, ("raid", "talks", "siege"), "topics")
    network = build_model(replace(config.model, head=head), task).network
    with torch.no_grad():  # weights as they are drawn hardly look at other tokens
        for name, weights in network.named_parameters():
            weights.mul_(8 if "weight" in name and weights.ndim == 2 and "embed" not in name else 1)
    attention = network.body.config._attn_implementation
    export_network(network, tmp_path / "model.onnx")
    assert network.body.config._attn_implementation == attention
    backend = OnnxBackend(tmp_path / "model.onnx", threads=1)
    batch, lengths = uneven_batch(network)
    assert backend.inputs == [name for name in INPUTS if name in batch]
    assert len(set(lengths)) == 4
    expected, found = TorchBackend(network, torch.device("cpu")).score(batch), backend.score(batch)
    for row, other, length in zip(expected, found, lengths, strict=True):
        cut = tuple(slice(length if n == max(lengths) else n) for n in row.shape)
        assert torch.allclose(row[cut], other[cut], atol=1e-4)
    assert expected.std() > 0.01
