"""How fast are new articles read, beside transformers.pipeline, and how near to what the machine can? On the CPU.

python benchmarks/predict_speed.py run=RUN [backends=torch,onnx,int8] [student=RUN] [n=200] [rounds=3] [seed=1] [threads=N]

RUN is an encoder's run of task=ner. `n` articles of mixed length are made of those in data/articles, drawn with the seed; a quarter
each: one paragraph, the first half of an article, a whole one, two to five joined. Every way reads all of them in each round, one way after
the other in one process with the same threads; times are medians over the rounds.

sitrep's time is that of the whole job: JSONL read from a file, articles read, JSONL written. The pipeline's is that of its call alone, the
texts in memory: whole articles with a stride of a quarter of its 512 tokens, and paragraph by paragraph; of batches of 1, 8 and 16 it has
the size that is fastest on a tenth of the texts. It reads with the same weights, but is told neither the case of words nor the
transitions of the CRF.

Multiply-adds of a window of n tokens, special tokens included and padding not: n (W + 2 n d L), as in train_speed.py without the backward
pass. The share is their sum over sitrep's median time, divided by the rate of torch.matmul in 32 bits: that of the best of the encoder's
own shapes (4096 tokens at once) and of 2048 x 2048 x 2048, each the best of ten, before the rounds and after them. Overhead is the share of
the median round that was not spent in the backend.

Last the recall, strict, on dev articles joined by threes, so that each article stands once in the first, second and third place: of
mentions that begin before and behind token 512 of the joined one. Beside it a pipeline without stride, which cuts there.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from train_speed import linear_shapes, multiply_adds, product_rate
from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

from sitrep.articles import Article, Span
from sitrep.config import NER
from sitrep.formats import jsonl, read_articles
from sitrep.heads.base import Batch
from sitrep.prediction import EncoderReader
from sitrep.readers import CalibratedReader, load_calibrated, open_reader_run
from sitrep.runs import Run
from sitrep.sampling import READ_TOKENS
from sitrep.windows import Windower

ARTICLES = Path(__file__).parents[1] / "data" / "articles"
CUT = 512  # tokens, special tokens included, that the pipeline reads at once
STRIDE = CUT // 4
PEER_BATCHES = (1, 8, 16)
SEPARATOR = "\n\n"


def draw_articles(texts: Sequence[str], n: int, random: np.random.Generator) -> list[Article]:
    """Return `n` articles of mixed length made of `texts`: a quarter each a paragraph, half an article, a whole one, and two to five."""
    made = []
    for number in range(n):
        drawn = [texts[index] for index in random.integers(len(texts), size=5)]
        paragraphs = drawn[0].split(SEPARATOR)
        made.append(
            (
                paragraphs[random.integers(len(paragraphs))],
                SEPARATOR.join(paragraphs[: (len(paragraphs) + 1) // 2]),
                drawn[0],
                SEPARATOR.join(drawn[: random.integers(2, 6)]),
            )[number % 4]
        )
    return [Article(str(number), made[index]) for number, index in enumerate(random.permutation(n).tolist())]


class Job:
    """sitrep reading a file into a file; counts the seconds in the backend and the tokens of each window."""

    def __init__(self, reader: CalibratedReader, articles: Sequence[Article], folder: Path) -> None:
        folder.mkdir()
        assert isinstance(reader.reader, EncoderReader)
        self.reader, self.folder = reader, folder
        self.backend = reader.reader.backend
        self._score, self.backend.score = self.backend.score, self._timed  # type: ignore[method-assign]
        self.inside = 0.0
        self.lengths: list[int] = []
        self.outside: list[float] = []  # of each round, the share of the time that was not spent in the backend
        jsonl.write(articles, folder / "in.jsonl")

    def _timed(self, inputs: Batch) -> torch.Tensor:
        began = time.perf_counter()
        scores = self._score(inputs)
        self.inside += time.perf_counter() - began
        self.lengths += inputs["attention_mask"].sum(dim=1).tolist()
        return scores

    def __call__(self) -> None:
        """Do the whole job once."""
        self.inside, self.lengths, began = 0.0, [], time.perf_counter()
        jsonl.write(self.reader.read(read_articles(self.folder / "in.jsonl")), self.folder / "out.jsonl")
        self.outside.append(1 - self.inside / (time.perf_counter() - began))

    def share(self, median: float, rate: float) -> str:
        """Return the share of the product rate that the job reached, and that of the time around the backend."""
        network = self.reader.reader.network  # type: ignore[attr-defined]
        reached = sum(multiply_adds(network.body, length) for length in self.lengths) / 3 / median  # a third: without the backward pass
        return f"{reached / 1e9:.1f} G/s, {reached / rate:.0%} | {statistics.median(self.outside):.1%}"


def seconds(act: Callable[[], Any]) -> float:
    """Return how long `act` takes."""
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def load_peer(run: Run, **options: Any) -> Any:
    """Return transformers' pipeline on the run's checkpoint."""
    tokenizer = AutoTokenizer.from_pretrained(run.checkpoint_path, model_max_length=CUT)
    network = AutoModelForTokenClassification.from_pretrained(run.checkpoint_path, dtype=torch.float32)
    return pipeline("token-classification", model=network, tokenizer=tokenizer, device="cpu", **options)


def best_batch(peer: Any, texts: Sequence[str]) -> int:
    """Return the size of batches in which the peer reads a tenth of the texts fastest."""
    some = list(texts[:: max(1, min(10, len(texts) // 2))])
    return min(PEER_BATCHES, key=lambda size: seconds(lambda: peer(some, batch_size=size)))


def peers(run: Run, articles: Sequence[Article]) -> dict[str, Callable[[], Any]]:
    """Return the two ways in which pipelines are used on long articles."""
    texts = [article.text for article in articles if article.text.strip()]
    paragraphs = [part for text in texts for part in text.split(SEPARATOR) if part.strip()]
    peer, ways = load_peer(run, stride=STRIDE, aggregation_strategy="simple"), {}
    for name, pieces in ((f"pipeline, whole articles, stride {STRIDE}", texts), ("pipeline, by paragraph", paragraphs)):
        size = best_batch(peer, pieces)
        ways[f"{name}, batches of {size}"] = lambda pieces=pieces, size=size: peer(pieces, batch_size=size)
    return ways


def best_rate(network: Any) -> tuple[float, str]:
    """Return the multiply-adds a second of the fastest matrix product, and its shape."""
    shapes = [(READ_TOKENS, *shape) for shape in linear_shapes(network.body) if min(shape) > 64] + [(2048, 2048, 2048)]
    rates = [(product_rate({(rows, columns): 1}, n, torch.float32), f"{n} x {rows} x {columns}") for n, rows, columns in shapes]
    return max(rates)


def join_by_threes(articles: Sequence[Article]) -> list[Article]:
    """Return as many articles as there are, each with the two that follow it behind it; mentions are shifted."""
    joined = []
    for first in range(len(articles)):
        text, spans = "", list[Span]()
        for part in (articles[(first + shift) % len(articles)] for shift in range(3)):
            text += SEPARATOR if text else ""
            spans += [replace(span, start=span.start + len(text), end=span.end + len(text)) for span in part.spans]
            text += part.text
        joined.append(Article(str(first), text, tuple(spans)))
    return joined


def recalls(windower: Windower, gold: Sequence[Article], found: Sequence[set[tuple[int, int, str]]]) -> tuple[float, float]:
    """Return the strict recall of mentions that begin before token CUT, and of those behind it."""
    hits, totals = [0, 0], [0, 0]
    for article, encoded, marks in zip(gold, windower.encode(gold), found, strict=True):
        cut = encoded.starts[CUT - len(windower.prefix) - len(windower.suffix) :]
        for span in article.spans:
            side = int(len(cut) > 0 and span.start >= cut[0])
            totals[side] += 1
            hits[side] += (span.start, span.end, span.label) in marks
    before, behind = (hit / total if total else float("nan") for hit, total in zip(hits, totals, strict=True))
    return before, behind


def print_recalls(run: Run, reader: CalibratedReader) -> None:
    """Print the recall of both before and behind the place where the peer cuts."""
    assert isinstance(reader.reader, EncoderReader)
    gold = join_by_threes(run.articles("gold", "dev"))
    cutting = load_peer(run, aggregation_strategy="first")
    ways = {
        "sitrep": [{(s.start, s.end, s.label) for s in article.spans} for article in reader.read(gold)],
        "pipeline that cuts": [{(m["start"], m["end"], m["entity_group"]) for m in cutting(article.text)} for article in gold],
    }
    print(f"\n| recall on {len(gold)} joined dev articles | before token {CUT} | behind it |\n|---|---|---|")
    for name, found in ways.items():
        print(f"| {name} | " + " | ".join(f"{100 * value:.1f}" for value in recalls(reader.reader.windower, gold, found)) + " |")


def parse(arguments: Sequence[str]) -> dict[str, str]:
    """Return the options of the command line."""
    options = {"run": "", "backends": "torch,onnx,int8", "student": "", "n": "200", "rounds": "3", "seed": "1"}
    options["threads"] = str(torch.get_num_threads())
    given = dict(argument.partition("=")[::2] for argument in arguments)
    if unknown := given.keys() - options.keys():
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; options: {', '.join(options)}")
    return options | given


def open_tagger(reference: str) -> Run:
    """Return a run that the pipeline could read too."""
    run = open_reader_run(reference)
    if run.config().task.kind != NER or run.config().model.kind != "encoder":
        sys.exit(f"run={run.path}: is no encoder's run of task=ner, which the pipeline could read too")
    return run


def make_jobs(options: dict[str, str], articles: Sequence[Article], folder: Path) -> dict[str, Job]:
    """Return name -> job of each backend, of the run and of its student, if one is given."""
    runs = {"sitrep": options["run"]} | ({"student": options["student"]} if options["student"] else {})
    return {
        f"{name}, {backend}": Job(
            load_calibrated(open_tagger(run), "cpu", None, backend, int(options["threads"])), articles, folder / f"{name}-{backend}"
        )
        for name, run in runs.items()
        for backend in options["backends"].split(",")
    }


def main(arguments: Sequence[str]) -> None:
    """Print the tables."""
    options = parse(arguments)
    run = open_tagger(options["run"])
    torch.set_num_threads(int(options["threads"]))
    texts = [article.text for article in read_articles(ARTICLES)]
    articles = draw_articles(texts, int(options["n"]), np.random.default_rng(int(options["seed"])))
    with tempfile.TemporaryDirectory() as folder:
        jobs = make_jobs(options, articles, Path(folder))
        others = peers(run, articles)
        first = next(iter(jobs.values()))
        rates = [best_rate(first.reader.reader.network)]  # type: ignore[attr-defined]
        times: dict[str, list[float]] = {name: [] for name in (*jobs, *others)}
        for _ in range(int(options["rounds"])):
            for name, way in (jobs | others).items():
                times[name].append(seconds(way))
        rates.append(best_rate(first.reader.reader.network))  # type: ignore[attr-defined]
    (rate, shape), medians = max(rates), {name: statistics.median(values) for name, values in times.items()}
    print(
        f"{len(articles)} articles, {len(first.lengths)} windows, {sum(first.lengths):,} tokens; {options['rounds']} rounds, "
        f"{options['threads']} threads; product rate {rate / 1e9:.1f} G/s ({shape}; before and after the rounds "
        f"{rates[0][0] / 1e9:.1f} and {rates[1][0] / 1e9:.1f})\n"
    )
    heads = [f"against {name.rpartition(',')[0]}" for name in others]
    print(f"| way | seconds | articles/s | {' | '.join(heads)} | multiply-adds, of the product rate | around the model |")
    print("|---" * (5 + len(heads)) + "|")
    for name, median in medians.items():
        against = " | ".join(f"{medians[other] / median:.2f}" for other in others)
        shares = jobs[name].share(median, rate) if name in jobs else " | "
        spread = f"{min(times[name]):.1f} to {max(times[name]):.1f}"
        print(f"| {name} | {median:.1f} ({spread}) | {len(articles) / median:.2f} | {against} | {shares} |")
    print_recalls(run, first.reader)


if __name__ == "__main__":
    main(sys.argv[1:])
