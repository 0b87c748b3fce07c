"""How fast is learnt, and how near to what the machine can: padding, tokens a second, share of the matrix-product rate.

python benchmarks/train_speed.py [steps=8] [seed=1] [data=...] [data.path=...]

Two kinds of batches in one process, taken in turn: random sentences by 16, padded to the longest, as usual scripts do it, and
sitrep's windows by a budget of tokens. Medians over the steps; padding is never counted as read.

Multiply-adds of a training step on one window of n tokens (Kaplan et al. 2020, section 2.1, with the attention products kept): in
each layer 4 d^2 for queries, keys, values and output, 2 d f for the feed-forward part, 2 n d for scores and weighted sums, all times
n; and three times that, since the backward pass is twice the forward one. d hidden size, f inner size. Embeddings, norms and the head
are left out.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import hydra
import numpy as np
import torch
from plain_recipe import training_rows
from transformers.trainer_pt_utils import LengthGroupedSampler

from sitrep.config import TrainConfig, load
from sitrep.corpus import load_corpus
from sitrep.heads.base import row_shape
from sitrep.models import build_model
from sitrep.sampling import BudgetBatches, Shape, padded_size
from sitrep.shell import CONFIGS, quote_path
from sitrep.training import encode_training, parameter_groups, use_bf16

RANDOM_BATCH = 16
Batches = list[list[int]]


def multiply_adds(n_tokens: int, hidden: int, inner: int, n_layers: int) -> int:
    """Return the multiply-adds of one training step on a window of `n_tokens`."""
    return 3 * n_layers * n_tokens * (4 * hidden**2 + 2 * hidden * inner + 2 * n_tokens * hidden)


def share_read(shapes: Sequence[Shape], batches: Batches) -> float:
    """Return the share of the padded tokens that is no padding, of rows of one window each."""
    return sum(shapes[row][1] for batch in batches for row in batch) / sum(padded_size(shapes, batch) for batch in batches)


def random_batches(n_rows: int, seed: int) -> Batches:
    """Return all rows in random order, RANDOM_BATCH a batch."""
    order = np.random.default_rng(seed).permutation(n_rows).tolist()
    return [order[start : start + RANDOM_BATCH] for start in range(0, n_rows, RANDOM_BATCH)]


def grouped_batches(shapes: Sequence[Shape], seed: int) -> Batches:
    """Return the batches of transformers' own length grouping."""
    lengths = [length for _, length in shapes]
    order = list(LengthGroupedSampler(RANDOM_BATCH, lengths=lengths, generator=torch.Generator().manual_seed(seed)))
    return [order[start : start + RANDOM_BATCH] for start in range(0, len(order), RANDOM_BATCH)]


def product_rate(hidden: int, inner: int, dtype: torch.dtype) -> float:
    """Return the multiply-adds a second of torch.matmul at the encoder's own shapes, 1,024 tokens at once; the best of ten."""
    rates = []
    for left, right in ((hidden, hidden), (hidden, inner), (inner, hidden)):
        a, b = torch.randn(1024, left, dtype=dtype), torch.randn(left, right, dtype=dtype)
        seconds = min(_seconds(lambda a=a, b=b: a @ b) for _ in range(10))
        rates.append(1024 * left * right / seconds)
    return statistics.harmonic_mean(rates)


def _seconds(act: Callable[[], Any]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def main(arguments: Sequence[str]) -> None:
    """Print the three tables."""
    options = dict(argument.split("=", 1) for argument in arguments if argument.startswith("steps="))
    rest = [quote_path(argument) for argument in arguments if not argument.startswith("steps=")]
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = load(TrainConfig, hydra.compose("train", list(rest)))
        plain = load(TrainConfig, hydra.compose("train", ["model.head=softmax", *rest]))
    train = load_corpus(config.data, config.task).train
    ours, theirs = build_model(config.model, config.task), build_model(plain.model, plain.task)
    windows, sentences = encode_training(ours, train).rows.to_list(), training_rows(theirs, train)
    shapes = {"sentences": [row_shape(row) for row in sentences], "windows of articles": [row_shape(row) for row in windows]}
    _print_padding(shapes, config)
    budget = list(BudgetBatches(shapes["windows of articles"], config.trainer.batch_tokens, config.seed))
    jobs = {
        "usual recipe, fp32": _Job(theirs, plain, sentences, random_batches(len(sentences), config.seed), bf16=False),
        "sitrep, fp32": _Job(ours, config, windows, budget, bf16=False),
    }
    if use_bf16("auto", torch.device("cpu")):
        jobs["sitrep, bf16"] = _Job(ours, config, windows, budget, bf16=True)
    _print_speed(jobs, int(options.get("steps", 8)), ours.network.body.config)


def _print_padding(shapes: dict[str, list[Shape]], config: TrainConfig) -> None:
    print("| batches | " + " | ".join(f"padding on {name}" for name in shapes) + " |\n|---|---|---|")
    ways: dict[str, Callable[[list[Shape]], Batches]] = {
        f"random, {RANDOM_BATCH} rows": lambda rows: random_batches(len(rows), config.seed),
        f"grouped by length (transformers), {RANDOM_BATCH} rows": lambda rows: grouped_batches(rows, config.seed),
        f"sitrep, {config.trainer.batch_tokens} tokens": lambda rows: list(BudgetBatches(rows, config.trainer.batch_tokens, config.seed)),
    }
    for name, way in ways.items():
        print(f"| {name} | " + " | ".join(f"{100 * (1 - share_read(rows, way(rows))):.1f} %" for rows in shapes.values()) + " |")


class _Job:
    """One way to train, a step at a time."""

    def __init__(self, model: Any, config: TrainConfig, rows: list[Any], batches: Batches, *, bf16: bool) -> None:
        self.network, self.rows, self.batches, self.bf16 = model.network.train(), rows, batches, bf16
        self.optimizer = torch.optim.AdamW(parameter_groups(model, config.trainer), lr=1e-5, fused=True)
        for group in self.optimizer.param_groups:
            group["lr"] = 1e-6  # the weights shall hardly move
        self.seconds: list[float] = []
        self.lengths: list[list[int]] = []

    def step(self, index: int) -> None:
        rows = [self.rows[row] for row in self.batches[index % len(self.batches)]]
        self.seconds.append(_seconds(lambda: self._learn(self.network.collate(rows))))
        self.lengths.append([len(row["input_ids"]) for row in rows])

    def _learn(self, batch: dict[str, torch.Tensor]) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.bf16):
            loss = self.network(**batch)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad()


def _print_speed(jobs: dict[str, _Job], n_steps: int, encoder: Any) -> None:
    for index in range(n_steps + 1):
        for job in jobs.values():
            job.step(index)
    sizes = encoder.hidden_size, encoder.intermediate_size
    rates = {dtype: product_rate(*sizes, dtype) for dtype in (torch.float32, torch.bfloat16)}
    print(f"\nmatrix products: {rates[torch.float32] / 1e9:.0f} G multiply-adds/s in fp32, {rates[torch.bfloat16] / 1e9:.0f} in bf16")
    print("\n| training | tokens/s | ratio | share of the fp32 product rate | of its own |\n|---|---|---|---|---|")
    first = None
    for name, job in jobs.items():
        steps = list(zip(job.lengths, job.seconds, strict=True))[1:]  # the first warms up
        speed = statistics.median(sum(lengths) / seconds for lengths, seconds in steps)
        work = statistics.median(
            sum(multiply_adds(length, *sizes, encoder.num_hidden_layers) for length in lengths) / seconds for lengths, seconds in steps
        )
        first = first or speed
        own = rates[torch.bfloat16 if job.bf16 else torch.float32]
        print(f"| {name} | {speed:,.0f} | {speed / first:.2f} | {work / rates[torch.float32]:.0%} | {work / own:.0%} |")


if __name__ == "__main__":
    main(sys.argv[1:])
