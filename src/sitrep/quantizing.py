"""An exported network whose products by weights are of 8-bit whole numbers.

Scales are fixed beforehand, from what the products are given on some articles, so that a window's scores do not depend on what else is in
its batch. Numbers that one channel alone makes large would leave the others few steps; they are divided by a factor a channel that the
weights are multiplied by (Xiao et al. 2023, "SmoothQuant: Accurate and Efficient Post-Training Quantization for Large Language Models").
"""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper

from sitrep.exporting import FUSED
from sitrep.heads.base import Batch

SHARES = (0.0, 0.5, 1.0)  # of the products that narrow, the first ones: what is left in 32 bits, tried in turn
STRENGTH, NARROWING_STRENGTH = 0.5, 0.8  # how far large channels are evened out; after an activation, where few are very large
SMALLEST = 1e-5  # of ranges: channels that are always 0
WEIGHT_STEPS = 127  # to either side of 0
CPU_INFO = Path("/proc/cpuinfo")
DOT_PRODUCTS = {"avx512_vnni", "avx_vnni", "amx_int8", "asimddp"}  # what Linux calls instructions that add 8-bit products up in 32 bits


@dataclass(frozen=True)
class Product:
    """A product of tokens, (..., n_in), by `weights`, (n_in, n_out); both sides by their names in the graph."""

    output: str
    tokens: str
    weights: np.ndarray

    @property
    def narrows(self) -> bool:
        """Whether less comes out than goes in, as behind an encoder's activation."""
        return self.weights.shape[0] > self.weights.shape[1]


@dataclass(frozen=True)
class Ranges:
    """The least and the greatest number of each channel, (n_in,), that products are given."""

    least: np.ndarray
    greatest: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """The greatest size of each channel."""
        return np.maximum(np.maximum(-self.least, self.greatest), SMALLEST)


class Quantizer:
    """Writes an exported network in 8 bits.

    The embeddings, the products inside the attention and the head (whatever follows the last normalisation) keep 32 bits.

    Args:
        source: the exported network.
        batches: what the ranges are measured on, as `pad_windows` gives them.
        reduce_range: half as many steps for weights, for processors that add 8-bit products up in 16 bits (see `has_dot_products`).
    """

    def __init__(self, source: Path, batches: Iterable[Batch], *, reduce_range: bool) -> None:
        self.source = source
        self.steps = WEIGHT_STEPS // 2 if reduce_range else WEIGHT_STEPS
        self.products = find_products(onnx.load(source))
        self.ranges = measure_ranges(source, [product.tokens for product in self.products], batches)

    def write(self, path: Path, share: float) -> int:
        """Write the network and return how many products are of whole numbers; `share`: of those that narrow, left in 32 bits."""
        narrowing = [product for product in self.products if product.narrows]
        spared = {product.output for product in narrowing[: round(share * len(narrowing))]}
        chosen = {product.output: product for product in self.products if product.output not in spared}
        model = onnx.load(self.source)
        nodes: list[NodeProto] = []
        scales: dict[str, np.ndarray] = {}  # of what has been rounded, by the name of the tokens
        biases = _find_biases(model.graph, chosen)
        added = {output for _, output in biases.values()}
        for node in model.graph.node:
            product = chosen.get(node.output[0]) if node.op_type == "MatMul" else None
            if product is None:
                if node.output[0] not in added:
                    nodes.append(node)
                continue
            if product.tokens not in scales:
                sharing = [other for other in chosen.values() if other.tokens == product.tokens]
                scales[product.tokens] = self._round_tokens(model.graph, nodes, product.tokens, sharing)
            self._multiply(model.graph, nodes, product, scales[product.tokens], biases.get(product.output, ("", product.output)))
        _replace_nodes(model.graph, nodes)
        onnx.save(model, path)
        return len(chosen)

    def _round_tokens(self, graph: onnx.GraphProto, nodes: list[NodeProto], tokens: str, sharing: Sequence[Product]) -> np.ndarray:
        """Add the nodes that make 8-bit numbers of `tokens`, and return what a step is worth in each channel."""
        ranges = self.ranges[tokens]
        strength = NARROWING_STRENGTH if sharing[0].narrows else STRENGTH
        weights = np.maximum(np.max([np.abs(product.weights).max(axis=1) for product in sharing], axis=0), SMALLEST)
        factors = ranges.sizes**strength / weights ** (1 - strength)
        least, greatest = min(0.0, (ranges.least / factors).min()), max(SMALLEST, (ranges.greatest / factors).max())
        step = (greatest - least) / 255
        zero = np.uint8(round(-least / step))
        inverse = _constant(graph, f"{tokens}_inverse", (1 / (factors * step)).astype(np.float32))
        one, zero_name = _constant(graph, f"{tokens}_one", np.float32(1)), _constant(graph, f"{tokens}_zero", zero)
        nodes.append(helper.make_node("Mul", [tokens, inverse], [f"{tokens}_scaled"]))
        nodes.append(helper.make_node("QuantizeLinear", [f"{tokens}_scaled", one, zero_name], [f"{tokens}_rounded"]))
        return factors * step

    def _multiply(
        self, graph: onnx.GraphProto, nodes: list[NodeProto], product: Product, scales: np.ndarray, added: tuple[str, str]
    ) -> None:
        """Add the product of rounded tokens by rounded weights, scaled by column; `added`: its bias and what comes out."""
        weights = product.weights * scales[:, None]
        columns = np.maximum(np.abs(weights).max(axis=0), np.finfo(np.float32).tiny) / self.steps
        rounded = np.rint(weights / columns).astype(np.int8)
        names = [
            f"{product.tokens}_rounded",
            _constant(graph, f"{product.output}_weights", rounded),
            f"{product.tokens}_one",
            _constant(graph, f"{product.output}_columns", columns.astype(np.float32)),
            f"{product.tokens}_zero",
            "",  # the zero of weights is 0
            added[0],
        ]
        nodes.append(helper.make_node("MatMulIntegerToFloat", names, [added[1]], domain=FUSED))


def find_products(model: onnx.ModelProto) -> list[Product]:
    """Return the products of tokens by constant weights that come before the last normalisation, in their order."""
    graph = model.graph
    constants = {constant.name: constant for constant in graph.initializer}
    last = max((index for index, node in enumerate(graph.node) if node.op_type.endswith("LayerNormalization")), default=0)
    found = [node for node in graph.node[:last] if node.op_type == "MatMul" and node.input[1] in constants]
    products = [Product(node.output[0], node.input[0], numpy_helper.to_array(constants[node.input[1]])) for node in found]
    return [product for product in products if product.weights.ndim == 2]


def _find_biases(graph: onnx.GraphProto, outputs: Container[str]) -> dict[str, tuple[str, str]]:
    """Return, by product, the names of the constant that is added to it and of the sum, where nothing else is done with it."""
    vectors = {constant.name for constant in graph.initializer if len(constant.dims) == 1}
    uses = Counter(name for node in graph.node for name in node.input)
    found = {}
    for node in graph.node:
        if node.op_type == "Add":
            for product, bias in (tuple(node.input), tuple(reversed(node.input))):
                if product in outputs and bias in vectors and uses[product] == 1:
                    found[product] = (bias, node.output[0])
    return found


def measure_ranges(source: Path, names: Sequence[str], batches: Iterable[Batch]) -> dict[str, Ranges]:
    """Return the ranges of values inside an exported network, by name; padding is not looked at."""
    import onnxruntime

    model, wanted = onnx.load(source), list(dict.fromkeys(names))
    model.graph.output.extend(helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in wanted)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    inputs = [found.name for found in session.get_inputs()]
    ranges: dict[str, Ranges] = {}
    for batch in batches:
        is_token = batch["attention_mask"].bool().numpy()
        for name, values in zip(wanted, session.run(wanted, {key: batch[key].numpy() for key in inputs}), strict=True):
            rows = values.reshape(*is_token.shape, -1)[is_token]
            found = Ranges(rows.min(axis=0), rows.max(axis=0))
            known = ranges.get(name, found)
            ranges[name] = Ranges(np.minimum(known.least, found.least), np.maximum(known.greatest, found.greatest))
    return ranges


def has_dot_products() -> bool:
    """Say whether this processor adds 8-bit products up without overflow; where the system does not tell, only ARM is taken to."""
    if not CPU_INFO.exists():
        return platform.machine().lower() in ("arm64", "aarch64")
    return bool(DOT_PRODUCTS & set(CPU_INFO.read_text(encoding="utf-8", errors="replace").split()))


def _constant(graph: onnx.GraphProto, name: str, value: np.ndarray | np.generic) -> str:
    graph.initializer.append(numpy_helper.from_array(np.asarray(value), name))
    return name


def _replace_nodes(graph: onnx.GraphProto, nodes: Sequence[NodeProto]) -> None:
    """Give a graph other nodes, and drop the constants that none of them uses."""
    del graph.node[:]
    graph.node.extend(nodes)
    used = {name for node in nodes for name in node.input}
    kept = [constant for constant in graph.initializer if constant.name in used]
    del graph.initializer[:]
    graph.initializer.extend(kept)
