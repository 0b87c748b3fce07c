"""How fast readers are, side by side on this machine, and which of them wins."""

from __future__ import annotations

import os
import platform
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import accumulate

import torch

from sitrep.articles import Article
from sitrep.prediction import EncoderReader
from sitrep.quantizing import CPU_INFO

MARGIN = 0.95  # of torch's time: what another backend must stay below to be chosen
ROUND_SECONDS = 1.5  # that torch is to read in one round of the timing
N_ROUNDS = 5
MAX_SECONDS = 15.0  # for all rounds; one is always finished


def measure_rates(readers: Mapping[str, EncoderReader], articles: Sequence[Article]) -> dict[str, float]:
    """Return articles a second of each reader, the median of rounds in which all take turns; tokenising and decoding included."""

    def seconds(reader: EncoderReader, some: Sequence[Article]) -> float:
        began = time.perf_counter()
        for _ in reader.read(some):
            pass
        return time.perf_counter() - began

    few = articles[:2]
    for reader in readers.values():  # memory is allotted, weights are packed
        seconds(reader, few)
    n_characters = ROUND_SECONDS * sum(len(article.text) for article in few) / seconds(readers["torch"], few)
    n_articles = max(len(few), sum(total <= n_characters for total in accumulate(len(article.text) for article in articles)))
    taken: dict[str, list[float]] = {name: [] for name in readers}
    began = time.perf_counter()
    while not taken["torch"] or (len(taken["torch"]) < N_ROUNDS and time.perf_counter() - began < MAX_SECONDS):
        for name, reader in readers.items():
            taken[name].append(seconds(reader, articles[:n_articles]))
    return {name: n_articles / statistics.median(times) for name, times in taken.items()}


def pick(rates: Mapping[str, float]) -> str:
    """Return the fastest backend: torch, unless another wins by more than noise."""
    best = max(rates, key=rates.__getitem__)
    return best if rates["torch"] < MARGIN * rates[best] else "torch"


def describe_machine(threads: int) -> str:
    """Return what decides how fast backends are here: the processor, its cores, and how many threads share them."""
    lines = CPU_INFO.read_text(encoding="utf-8", errors="replace").splitlines() if CPU_INFO.exists() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{(named or [platform.processor() or platform.machine()])[0]}, {os.cpu_count()} cores, {threads} threads"


@contextmanager
def torch_threads(threads: int) -> Iterator[None]:
    """Let torch multiply on so many threads inside the block."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
