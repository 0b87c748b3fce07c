"""8-bit products: near to torch, whatever else is in the batch; which processors they are safe on."""

import numpy as np
import onnx
import pytest
import torch
from exports import uneven_batch
from onnx import numpy_helper

from sitrep import quantizing
from sitrep.backends import OnnxBackend, TorchBackend
from sitrep.heads.base import pad_windows
from sitrep.models import load_model
from sitrep.quantizing import Quantizer, find_products, has_dot_products, measure_ranges

pytestmark = pytest.mark.slow

N_LAYERS = 2  # of tiny.py's encoders, each with products for query, key, value, output, up and down


@pytest.fixture(scope="module")
def network(ner_run):
    return load_model(ner_run.checkpoint_path).network


@pytest.fixture
def source(ner_export):
    return ner_export


def quantizer(source, network, *, reduce_range=False):
    return Quantizer(source, [uneven_batch(network)[0]], reduce_range=reduce_range)


def test_scores_stay_near_and_do_not_depend_on_the_batch(source, network, tmp_path):
    assert quantizer(source, network).write(tmp_path / "int8.onnx", 0) == 6 * N_LAYERS
    backend, batch = OnnxBackend(tmp_path / "int8.onnx", 1, "int8"), uneven_batch(network)
    expected = TorchBackend(network, torch.device("cpu")).score(batch[0])
    found = backend.score(batch[0])
    assert backend.name == "int8"
    for row, (scores, true, length) in enumerate(zip(found, expected, batch[1], strict=True)):
        error = (scores - true)[:length].abs().max()
        assert 0 < error < 0.1 * expected.std()
        alone = backend.score({name: tensor[row : row + 1, :length] for name, tensor in batch[0].items()})[0]
        assert torch.allclose(alone, scores[:length], atol=1e-2 * float(expected.std()))


def test_fewer_products_leave_less_error(source, network, tmp_path):
    batch, _ = uneven_batch(network)
    expected, errors = TorchBackend(network, torch.device("cpu")).score(batch), []
    for share, n_products in ((0, 12), (0.5, 11), (1, 10)):
        assert quantizer(source, network).write(tmp_path / "int8.onnx", share) == n_products
        found = OnnxBackend(tmp_path / "int8.onnx", 1).score(batch)
        errors.append(((found - expected) ** 2)[batch["attention_mask"].bool()].mean().item())
    assert errors[2] < errors[0]


@pytest.mark.parametrize(("reduce_range", "steps"), [(False, 127), (True, 63)])
def test_weights_use_the_steps_that_the_processor_takes(source, network, tmp_path, reduce_range, steps):
    quantizer(source, network, reduce_range=reduce_range).write(tmp_path / "int8.onnx", 0)
    constants = onnx.load(tmp_path / "int8.onnx").graph.initializer
    weights = [numpy_helper.to_array(constant) for constant in constants if constant.data_type == onnx.TensorProto.INT8]
    assert len(weights) == 6 * N_LAYERS and {int(np.abs(found).max()) for found in weights} == {steps}
    assert not any(constant.data_type == onnx.TensorProto.FLOAT and tuple(constant.dims) == (32, 64) for constant in constants)


def test_the_head_and_the_embeddings_are_left(source):
    products = find_products(onnx.load(source))
    assert [product.weights.shape for product in products] == [(32, 32), (32, 32), (32, 32), (32, 32), (32, 64), (64, 32)] * N_LAYERS
    assert [product.narrows for product in products] == [False] * 5 + [True] + [False] * 5 + [True]


def test_ranges_do_not_look_at_padding(source, network):
    name = find_products(onnx.load(source))[-1].tokens
    batch, lengths = uneven_batch(network)
    single = [{key: tensor[row : row + 1, :length] for key, tensor in batch.items()} for row, length in enumerate(lengths)]
    together, apart = (measure_ranges(source, [name], batches)[name] for batches in ([batch], single))
    assert np.allclose(together.least, apart.least, atol=1e-4) and np.allclose(together.greatest, apart.greatest, atol=1e-4)
    windower = network.windower
    (fewer,) = (measure_ranges(source, [name], [pad_windows([{**{k: v[0].tolist() for k, v in single[2].items()}}], windower.pad_id)]),)
    assert (fewer[name].sizes <= together.sizes + 1e-4).all() and (fewer[name].sizes < together.sizes - 1e-3).any()


@pytest.mark.parametrize(
    ("flags", "machine", "expected"),
    [("fpu avx512_vnni sse", "x86_64", True), ("fpu avx2 avx512f", "x86_64", False), (None, "arm64", True), (None, "AMD64", False)],
)
def test_processors_that_add_up_without_overflow(tmp_path, monkeypatch, flags, machine, expected):
    path = tmp_path / "cpuinfo"
    if flags:
        path.write_text(f"processor : 0\nflags : {flags}\n")
    monkeypatch.setattr(quantizing, "CPU_INFO", path)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert has_dot_products() is expected
