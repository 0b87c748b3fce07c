"""How long does scoring take, beside seqeval's on the same mentions, and is the time linear in them? Never timed by tests.

python benchmarks/scoring_speed.py [articles=10000] [mentions=50] [seed=1]

`mentions` are marked in each article and as many read: of ten, seven are the same, one has another end, one another label, and one is
missed and another made up. A token is one character long, so that seqeval gets the very same mentions as IOB2 tags; its time is that of
classification_report(mode="strict", scheme=IOB2) alone. sitrep's are those of the strict rule, of all three rules, and of all that a
metrics file holds, with intervals. Last the intervals of 1,000 articles. All in one process, each once; seconds are those of the
processor, all threads together, so that other work on the machine does not count.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from seqeval.metrics import classification_report
from seqeval.scheme import IOB2

from sitrep.articles import Article, Span
from sitrep.config import NER, TaskConfig, WindowsConfig
from sitrep.intervals import N_RESAMPLES
from sitrep.labels import TagSet
from sitrep.matching import strict
from sitrep.scoring import count, score, summary

LABELS = ("PERSON", "ARMED_GROUP", "STATE_FORCE", "ORGANISATION", "LOCATION", "NATIONALITY", "DATE", "WEAPON", "VEHICLE", "CASUALTIES")
TASK = TaskConfig("ner", NER, None, list(LABELS), WindowsConfig(max_tokens=128, overlap=32), None, None)
SLOT = 8  # tokens a mention has for itself
SHARES = (0.25, 0.5, 1.0)  # of the articles: the sizes


def draw_articles(n_articles: int, n_mentions: int, random: np.random.Generator) -> tuple[list[Article], list[Article]]:
    """Return marked and read articles, of `n_mentions` mentions each."""
    shape, text = (n_articles, n_mentions), "x" * (n_mentions * SLOT)
    slots = np.arange(n_mentions) * SLOT
    starts = slots + random.integers(3, size=shape)
    ends, labels, fates = (
        starts + random.integers(1, 4, size=shape),
        random.integers(len(LABELS), size=shape),
        random.integers(10, size=shape),
    )
    missed = fates == 9
    sides = (
        (starts, ends, labels),
        (
            np.where(missed, slots + SLOT - 2, starts),
            np.where(missed, slots + SLOT, ends + (fates == 8)),
            (labels + (fates == 7)) % len(LABELS),
        ),
    )
    gold, pred = (
        [
            Article(str(number), text, tuple(Span(start, end, LABELS[label]) for start, end, label in row))
            for number, row in enumerate(np.stack(side, axis=-1).tolist())
        ]
        for side in sides
    )
    return gold, pred


def tags_of(articles: Sequence[Article]) -> list[list[str]]:
    """Return the IOB2 tag of each token."""
    tags = TagSet(LABELS)
    spans = (([(span.start, span.end, span.label) for span in article.spans], len(article.text)) for article in articles)
    return [[tags.tags[tag_id] for tag_id in tags.encode(*row)] for row in spans]


def timed(act: Callable[[], Any]) -> tuple[float, Any]:
    """Return the seconds of the processor that `act` takes, and what it returns."""
    began = time.process_time()
    value = act()
    return time.process_time() - began, value


def seqeval_report(gold: Sequence[Sequence[str]], pred: Sequence[Sequence[str]]) -> Any:
    """Return seqeval's strict scores."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return classification_report(gold, pred, mode="strict", scheme=IOB2, output_dict=True)


def measure(gold: Sequence[Article], pred: Sequence[Article]) -> dict[str, float]:
    """Return the seconds of each way to score; the two strict scores must be the same."""
    alone, ours = timed(lambda: summary(count(gold, pred, LABELS, strict), intervals=False))
    rules, _ = timed(lambda: score(gold, pred, TASK, intervals=False))
    whole, _ = timed(lambda: score(gold, pred, TASK))
    tags = tags_of(gold), tags_of(pred)
    theirs, report = timed(lambda: seqeval_report(*tags))
    f1s = ours["micro"]["f1"], report["micro avg"]["f1-score"]
    if abs(f1s[0] - f1s[1]) > 1e-12:
        sys.exit(f"micro F1 differs: sitrep {f1s[0]}, seqeval {f1s[1]}")
    return {"strict": alone, "three rules": rules, "with intervals": whole, "seqeval strict": theirs}


def main(arguments: Sequence[str]) -> None:
    """Print both tables."""
    options = {"articles": 10_000, "mentions": 50, "seed": 1} | {
        key: int(value) for key, _, value in (argument.partition("=") for argument in arguments)
    }
    if unknown := options.keys() - {"articles", "mentions", "seed"}:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; options: articles=N mentions=N seed=N")
    random = np.random.default_rng(options["seed"])
    gold, pred = draw_articles(options["articles"], options["mentions"], random)
    names = ("articles", "mentions", "strict", "three rules", "with intervals", "seqeval strict", "seqeval / strict", "seqeval / all")
    print(f"| {' | '.join(names)} |\n{'|---' * len(names)}|")
    for share in SHARES:
        n = max(1, round(share * len(gold)))
        seconds = measure(gold[:n], pred[:n])
        cells = [f"{n:,}", f"{n * options['mentions']:,}", *(f"{value:.2f} s" for value in seconds.values())]
        cells += [f"{seconds['seqeval strict'] / seconds[name]:.1f}" for name in ("strict", "with intervals")]
        print(f"| {' | '.join(cells)} |", flush=True)
    counts = count(gold[:1000], pred[:1000], LABELS, strict)
    resampled, _ = timed(lambda: summary(counts))
    print(f"\nintervals of one rule, {len(counts.values):,} articles, {len(LABELS)} labels, {N_RESAMPLES:,} resamples: {resampled:.2f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
