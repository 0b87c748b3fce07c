"""Do chosen articles teach more than random ones? A simulation of `annotate.py action=next` on the hand-labelled articles.

python benchmarks/next_articles.py [seeds=3] [rounds=4] [batch=8] [budget=words|articles] [held_out=20] [epochs=15] [ways=next,random]

The train articles, less `held_out` of them, are the pool, whose labels count as unknown until an article is chosen. Each seed starts with
`batch` random articles and adds as many in each round, by each way, or the words that so many have (`budget=words`): labelling is paid for
by the word. Models are scored on dev and the held-out articles, never on test.

So that a training takes seconds, the encoder (`model=minilm`) is frozen and has read each window once; learnt are a layer of 128 units over
its third and last layers and the case of words, and the crf head. Scores are those of this small model, not of train.py's: what is
compared is the choice, made by the code that the command runs (annotating/next.py), from this model's own scores.
"""

from __future__ import annotations

import random
import statistics
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from plain_recipe import compose
from torch import nn

from sitrep.annotate_config import BUDGETS
from sitrep.articles import Article
from sitrep.backends import TorchBackend
from sitrep.corpus import load_corpus
from sitrep.embeddings import embed
from sitrep.errors import did_you_mean, require
from sitrep.heads.base import pad_windows
from sitrep.models import build_model
from sitrep.prediction import EncoderReader
from sitrep.scoring import score
from sitrep.selection import Candidates, centre, choose, items_of
from sitrep.windows import IGNORED

LAYERS = (3, -1)  # of the encoder's, whose vectors the small model reads
UNITS = 128
BATCH = 32  # windows
RATE = 5e-3
N_RARE = 3


class Frozen:
    """The crf head over an encoder that does not change and has read every article once."""

    def __init__(self, articles: Sequence[Article], arguments: Sequence[str] = ()) -> None:
        config = compose(["model=minilm", "task=ner", *arguments])
        self.task = config.task
        torch.manual_seed(0)
        model = build_model(config.model, config.task)
        self.network = model.network.eval()
        self.windower = self.network.windower
        encoded = self.windower.encode(articles)
        self.encoded = {one.article.id: one for one in encoded}
        self.features = {one.article.id: [self._read(self.windower.inputs(one, window)) for window in one.windows] for one in encoded}
        self.rows = {one.article.id: self.network.training_rows(one)[0] for one in encoded}
        reader = EncoderReader(model, TorchBackend(model.network, torch.device("cpu")))
        self.vectors = dict(zip(self.encoded, embed(reader, articles), strict=True))

    def _read(self, window: dict[str, list[int]]) -> torch.Tensor:
        """Return (n_tokens, n_features) of one window."""
        inputs = pad_windows([window], self.windower.pad_id)
        with torch.inference_mode():
            hidden = self.network.body.base_model(**inputs, output_hidden_states=True).hidden_states
        cases = nn.functional.one_hot(inputs["token_type_ids"][0], self.network.body.config.type_vocab_size).float()
        return torch.cat([*(hidden[layer][0] for layer in LAYERS), cases], dim=1)

    def learn(self, ids: Sequence[str], epochs: int, seed: int) -> nn.Module:
        """Return what turns features into tag scores, learnt from these articles; the transitions are the network's."""
        torch.manual_seed(seed)
        n_features = next(iter(self.features.values()))[0].shape[1]
        layer = nn.Sequential(
            nn.Dropout(0.2), nn.Linear(n_features, UNITS), nn.GELU(), nn.Dropout(0.2), nn.Linear(UNITS, len(self.network.tags.tags))
        )
        self.network.transitions.data.zero_()
        pairs = [(x, row["labels"]) for name in ids for x, row in zip(self.features[name], self.rows[name], strict=True)]
        steps = epochs * -(-len(pairs) // BATCH)
        optimizer = torch.optim.AdamW([*layer.parameters(), self.network.transitions], lr=RATE, weight_decay=0.01)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps, pct_start=0.1)
        for _ in range(epochs):
            order = torch.randperm(len(pairs)).tolist()
            for start in range(0, len(order), BATCH):
                some = [pairs[index] for index in order[start : start + BATCH]]
                inputs = nn.utils.rnn.pad_sequence([x for x, _ in some], batch_first=True)
                labels = nn.utils.rnn.pad_sequence([torch.tensor(y) for _, y in some], batch_first=True, padding_value=IGNORED)
                loss = self.network.loss(layer(inputs), labels=labels)
                optimizer.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(layer.parameters(), 1.0)
                optimizer.step()
                schedule.step()
        return layer.eval()

    def read(self, layer: nn.Module, ids: Sequence[str]) -> list[Article]:
        """Return the articles with what the model finds."""
        with torch.inference_mode():
            kept = [[layer(x).numpy() for x in self.features[name]] for name in ids]
        return self.network.decode([self.encoded[name] for name in ids], kept)


class Simulation:
    """One pool, of which more and more is labelled."""

    def __init__(self, options: dict[str, str]) -> None:
        self.n_seeds, self.n_rounds = int(options["seeds"]), int(options["rounds"])
        self.batch, self.epochs = int(options["batch"]), int(options["epochs"])
        self.by_words = options["budget"] == "words"
        config = compose(["task=ner"])
        corpus = load_corpus(config.data, config.task)
        train = sorted(corpus.train, key=lambda article: article.id)
        random.Random(0).shuffle(train)
        n_held_out = int(options["held_out"])
        self.gold, self.pool = [*corpus.dev, *train[:n_held_out]], train[n_held_out:]
        self.model = Frozen([*self.gold, *self.pool])
        self.labels = self.model.task.labels
        self.by_id = {article.id: article for article in self.pool}
        self.words = {article.id: len(article.text.split()) for article in self.pool}

    def taught(self, ids: Sequence[str]) -> np.ndarray:
        """Return how many marks of each label these articles hold."""
        counts = Counter(span.label for name in ids for span in self.by_id[name].spans)
        return np.array([counts[label] for label in self.labels], dtype=float)

    def order(self, way: str, layer: nn.Module, ids: Sequence[str], left: Sequence[str], draw: random.Random) -> list[str]:
        """Return `left` in the order in which `way` would label it."""
        if way == "random":
            return draw.sample(left, len(left))
        doubt, found = items_of(self.model.read(layer, left), [(None, label) for label in self.labels])
        costs = np.array([self.words[name] for name in left], dtype=float) if self.by_words else np.ones(len(left))
        vectors, known = centre(*(np.stack([self.model.vectors[name] for name in names]) for names in (left, ids)))
        candidates = Candidates(vectors, doubt, found, costs)
        return [left[choice.index] for choice in WAYS[way](candidates, known, self.taught(ids))]

    def fill(self, ids: Sequence[str], order: Sequence[str], number: int) -> list[str]:
        """Return `ids` and the first of `order` that are paid for by round `number`, the first of which is 0.

        Each round pays for `batch` articles, or for as many words as so many have on average; what one round spends too much or too little,
        since articles are whole, the next makes up for.
        """
        if not self.by_words:
            return [*ids, *order[: self.batch]]
        budget = (number + 1) * self.batch * statistics.fmean(self.words.values())
        chosen = list(ids)
        spent = sum(self.words[name] for name in ids)
        for name in order:
            if spent + self.words[name] / 2 <= budget:
                chosen.append(name)
                spent += self.words[name]
        return chosen

    def run(self, way: str, seed: int) -> list[dict[str, Any]]:
        """Return what was measured after each round, the first (the same for all ways) included."""
        draw = random.Random(seed)
        ids = self.fill([], draw.sample([article.id for article in self.pool], len(self.pool)), 0)
        rows = []
        for number in range(self.n_rounds + 1):
            layer = self.model.learn(ids, self.epochs, seed)
            pred = self.model.read(layer, [article.id for article in self.gold])
            strict = score(self.gold, pred, self.model.task, intervals=False)["strict"]
            rows.append({"n": len(ids), "words": sum(self.words[name] for name in ids), "strict": strict})
            if number < self.n_rounds:
                left = [article.id for article in self.pool if article.id not in ids]
                ids = self.fill(ids, self.order(way, layer, ids, left, draw), number + 1)
        return rows


WAYS: dict[str, Callable[..., Any]] = {"next": choose}
DEFAULTS = {"seeds": "3", "rounds": "4", "batch": "8", "budget": "words", "held_out": "20", "epochs": "15", "ways": "next,random"}


def options_of(arguments: Sequence[str]) -> dict[str, str]:
    """Return the options, those that are not given as `DEFAULTS` has them.

    Raises:
        InputError: for an option, budget or way that is unknown.
    """
    given = {key: value for key, _, value in (argument.partition("=") for argument in arguments)}
    options = {**DEFAULTS, **given}
    for what, values, known in (
        ("option", given, DEFAULTS), ("budget", [options["budget"]], BUDGETS), ("way", options["ways"].split(","), (*WAYS, "random")),
    ):  # fmt: skip
        for value in values:
            require(value in known, f"{what} {value!r} is unknown{did_you_mean(value, known)}")
    return options


def main(arguments: Sequence[str]) -> None:
    """Print a row a budget: how much each way has labelled, and the F1 that it reaches."""
    began = time.monotonic()
    options = options_of(arguments)
    simulation = Simulation(options)
    ways = options["ways"].split(",")
    found = {way: [simulation.run(way, seed) for seed in range(1, simulation.n_seeds + 1)] for way in ways}
    support = Counter(span.label for article in simulation.pool for span in article.spans)
    rare = [label for label, _ in sorted(support.items(), key=lambda item: item[1])[:N_RARE]]
    print(f"{len(simulation.pool)} articles to choose from, {len(simulation.gold)} to score on; rarest labels: {', '.join(rare)}")
    print("| round | " + " | ".join(f"{way}: articles, words | micro | macro | rare" for way in ways) + " |")
    print("|---" * (1 + 4 * len(ways)) + "|")
    for number in range(simulation.n_rounds + 1):
        cells = []
        for way in ways:
            rows = [rows[number] for rows in found[way]]
            f1s = [[measure(row["strict"], name, rare) for row in rows] for name in ("micro", "macro", "rare")]
            cells.append(f"{statistics.fmean(row['n'] for row in rows):.0f}, {statistics.fmean(row['words'] for row in rows):,.0f}")
            cells += map(spread, f1s)
        print(f"| {number} | " + " | ".join(cells) + " |")
    print(f"{time.monotonic() - began:.0f} s")


def spread(f1s: Sequence[float]) -> str:
    """Return the mean in points and, of two seeds or more, the standard deviation."""
    deviation = f" ± {100 * statistics.stdev(f1s):.1f}" if len(f1s) > 1 else ""
    return f"{100 * statistics.fmean(f1s):.1f}{deviation}"


def measure(strict: dict[str, Any], name: str, rare: Sequence[str]) -> float:
    """Return micro or macro F1, or the mean of the rarest labels' (0 where it is undefined)."""
    if name == "rare":
        return statistics.fmean(strict["per_label"][label]["f1"] or 0 for label in rare)
    return strict[name]["f1"] or 0


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(sys.argv[1:])
