"""How fast is learnt, and how near to what the machine can: padding, tokens a second, share of the matrix-product rate. On the CPU.

python benchmarks/train_speed.py [steps=8] [seed=1] [data=...] [data.path=...] [key=value...]

Two kinds of batches in one process, a step of each in turn: random sentences by 16, padded to the longest, as usual scripts do it
(see plain_recipe.py), and sitrep's windows by a budget of tokens. Speeds are medians over the steps, the first left out. Padding
is never counted as read. Of transformers' own samplers the grouping by length is shown; `batch_rebalance` evens out devices and
accumulated batches, and with one of each it is random batches.

Multiply-adds of a training step on a row of n tokens (Kaplan et al. 2020, section 2.1, with the attention products kept):

    3 n (W + 2 n d L)

W the weights of all linear layers, each used once a token; 2 n d for a token's scores against n keys and the weighted sum of n
values, d the hidden size, in each of L layers; three times, since the backward pass multiplies twice for each product of the forward
one. Embeddings, biases, norms, softmax and the optimiser are left out. The rate of the machine is that of torch.matmul on the shapes
of these linear layers, as many tokens at once as a batch may hold, in the proportion in which the encoder uses them; the
best of ten, so that the share says too little rather than too much.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import torch
from plain_recipe import BATCH, PLAIN, compose, sentence_rule, training_rows
from torch import nn
from transformers.trainer_pt_utils import LengthGroupedSampler

from sitrep.config import TrainConfig
from sitrep.corpus import load_corpus
from sitrep.heads.base import row_shape
from sitrep.models import Model, build_model
from sitrep.sampling import BudgetBatches, Shape, padded_size
from sitrep.training import encode_training, parameter_groups, use_bf16

Batches = list[list[int]]
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


def linear_shapes(network: nn.Module) -> Counter[tuple[int, int]]:
    """Return how many linear layers there are of each shape (in, out)."""
    return Counter((layer.in_features, layer.out_features) for layer in network.modules() if isinstance(layer, nn.Linear))


def multiply_adds(network: Any, n_tokens: int) -> int:
    """Return the multiply-adds of one training step of an encoder with its head on a row of `n_tokens`."""
    n_weights = sum(n * rows * columns for (rows, columns), n in linear_shapes(network).items())
    return 3 * n_tokens * (n_weights + 2 * n_tokens * network.config.hidden_size * network.config.num_hidden_layers)


def product_rate(shapes: Counter[tuple[int, int]], n_tokens: int, dtype: torch.dtype) -> float:
    """Return the multiply-adds a second of torch.matmul on `n_tokens` rows and matrices of these shapes."""
    seconds = work = 0.0
    for (rows, columns), n in shapes.items():
        left, right = torch.randn(n_tokens, rows, dtype=dtype), torch.randn(rows, columns, dtype=dtype)
        seconds += n * min(_seconds(partial(torch.matmul, left, right)) for _ in range(10))
        work += n * n_tokens * rows * columns
    return work / seconds


def padding(shapes: Sequence[Shape], batches: Batches) -> float:
    """Return the share of padding among the tokens of all batches, of rows of one window each."""
    return 1 - sum(shapes[row][1] for batch in batches for row in batch) / sum(padded_size(shapes, batch) for batch in batches)


def random_batches(n_rows: int, seed: int) -> Batches:
    """Return all rows in random order, BATCH a batch."""
    return _by_sixteen(np.random.default_rng(seed).permutation(n_rows).tolist())


def grouped_batches(shapes: Sequence[Shape], seed: int) -> Batches:
    """Return the batches of transformers' own `train_sampling_strategy="group_by_length"`."""
    lengths = [length for _, length in shapes]
    return _by_sixteen(list(LengthGroupedSampler(BATCH, lengths=lengths, generator=torch.Generator().manual_seed(seed))))


def _by_sixteen(order: Sequence[int]) -> Batches:
    return [list(order[start : start + BATCH]) for start in range(0, len(order), BATCH)]


def _seconds(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


class _Job:
    """One way to train, a step at a time."""

    def __init__(self, model: Model, config: TrainConfig, rows: list[Any], batches: Batches, precision: str) -> None:
        self.network, self.rows, self.batches, self.precision = model.network.train(), rows, batches, precision
        still = [{**group, "lr": 1e-6} for group in parameter_groups(model, config.trainer)]  # the weights shall hardly move
        self.optimizer = torch.optim.AdamW(still, fused=True)
        self.speeds: list[float] = []  # tokens a second, by step
        self.rates: list[float] = []  # multiply-adds a second

    def step(self, index: int) -> None:
        rows = [self.rows[row] for row in self.batches[index % len(self.batches)]]
        lengths = [len(row["input_ids"]) for row in rows]
        seconds = _seconds(lambda: self._learn(rows))
        self.speeds.append(sum(lengths) / seconds)
        self.rates.append(sum(multiply_adds(self.network.body, length) for length in lengths) / seconds)

    def _learn(self, rows: list[Any]) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.precision == "bf16"):
            loss = self.network(**self.network.collate(rows))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()


def main(arguments: Sequence[str]) -> None:
    """Print the three tables."""
    options = dict(argument.split("=", 1) for argument in arguments if argument.startswith("steps="))
    rest = [argument for argument in arguments if not argument.startswith("steps=")]
    config, plain = compose(rest), compose([*PLAIN, *rest])
    budget, seed = config.trainer.batch_tokens, config.seed
    articles = load_corpus(config.data, config.task).train
    torch.manual_seed(seed)
    ours, theirs = build_model(config.model, config.task), build_model(plain.model, plain.task)
    learnt, sentences = encode_training(ours, articles), training_rows(theirs, articles, sentence_rule(config.data))
    windows = learnt.rows.to_list()[: len(learnt.cuts[0])]
    shapes = {"sentences": [row_shape(row) for row in sentences], "windows of articles": [row_shape(row) for row in windows]}
    print_padding(shapes, budget, seed)
    print()
    precisions = [name for name in PRECISIONS if name == "fp32" or use_bf16("auto", torch.device("cpu"))]
    ways = {
        f"usual recipe: {BATCH} random sentences": (theirs, plain, sentences, random_batches(len(sentences), seed)),
        f"sitrep: windows, {budget} tokens": (ours, config, windows, list(BudgetBatches([shapes["windows of articles"]], budget, seed))),
    }
    jobs = {name: [_Job(*way, precision) for precision in precisions] for name, way in ways.items()}
    for index in range(int(options.get("steps", 8)) + 1):
        for job in (job for alike in jobs.values() for job in alike):
            job.step(index)
    print_speeds(jobs, precisions)
    rates = {name: product_rate(linear_shapes(ours.network.body), budget, PRECISIONS[name]) for name in precisions}
    print_shares(jobs, rates)


def print_padding(shapes: dict[str, list[Shape]], budget: int, seed: int) -> None:
    """Print the share of padding over one epoch."""
    print("| batches | " + " | ".join(f"padding: {name}" for name in shapes) + " |\n|---|---|---|")
    ways: dict[str, Callable[[list[Shape]], Batches]] = {
        f"random, {BATCH} rows": lambda rows: random_batches(len(rows), seed),
        f"grouped by length (transformers), {BATCH} rows": lambda rows: grouped_batches(rows, seed),
        f"sitrep, {budget} tokens": lambda rows: list(BudgetBatches([rows], budget, seed)),
    }
    for name, way in ways.items():
        print(f"| {name} | " + " | ".join(f"{padding(rows, way(rows)):.1%}" for rows in shapes.values()) + " |")


def print_speeds(jobs: dict[str, list[_Job]], precisions: Sequence[str]) -> None:
    """Print tokens a second, and how many times those of the first way in the same precision."""
    print(
        "| training | " + " | ".join(f"tokens/s, {name} | ratio" for name in precisions) + " |\n|---" + "|---|---" * len(precisions) + "|"
    )
    first = [statistics.median(job.speeds[1:]) for job in next(iter(jobs.values()))]
    for name, alike in jobs.items():
        speeds = [statistics.median(job.speeds[1:]) for job in alike]
        print(f"| {name} | " + " | ".join(f"{speed:,.0f} | {speed / base:.2f}" for speed, base in zip(speeds, first, strict=True)) + " |")


def print_shares(jobs: dict[str, list[_Job]], rates: dict[str, float]) -> None:
    """Print multiply-adds a second as a share of what matrix products reach in the same precision."""
    print("\n| share of the product rate | " + " | ".join(rates) + " |\n|---" + "|---" * len(rates) + "|")
    for name, alike in jobs.items():
        shares = [statistics.median(job.rates[1:]) / rates[job.precision] for job in alike]
        print(f"| {name} | " + " | ".join(f"{share:.0%}" for share in shares) + " |")
    print("| torch.matmul, 10^9 multiply-adds/s | " + " | ".join(f"{rate / 1e9:,.0f}" for rate in rates.values()) + " |")


if __name__ == "__main__":
    main(sys.argv[1:])
