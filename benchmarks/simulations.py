"""Do intervals hold the truth as often as they say, and do equal models differ as seldom as they should? On simulated articles.

python benchmarks/simulations.py [simulations=500] [seed=1]

Articles are long or short and hard or easy, for all labels and all models alike, so that mentions hang together as real ones do. A label's
true precision, recall and F1 are equal and known: a mention is hit with probability s, the article's ease, whose mean over articles is the
label's F1, and for each mention a false one is made up 1 - s times in the mean. Ten labels, from several mentions an article to
one in ten articles. Prints Markdown: how many of the 95 % intervals of F1 hold the truth; how often two equal models differ at
the level of 5 %: for micro, macro, a label, and for any of the ten labels before and after Holm's correction; and how often micro and macro
do at the levels that Holm asks of the smallest of many.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence

import numpy as np
from scipy.stats import beta

from sitrep.intervals import N_RESAMPLES, interval, resample
from sitrep.scoring import AVERAGES, Counts, averages, ratios, summary
from sitrep.significance import differences, holm

MENTIONS = (6.0, 4.0, 3.0, 2.0, 1.5, 1.0, 0.7, 0.4, 0.2, 0.1)  # of each label in an article, in the mean
F1S = (0.9, 0.85, 0.8, 0.8, 0.75, 0.75, 0.7, 0.7, 0.65, 0.6)
CONCENTRATION = 10  # of the ease of articles: a standard deviation of 0.12 around 0.8
LEVEL = 0.05
SMALL_LEVELS = (0.005, 0.001)
SIZES = (10, 20, 40, 100)


def simulate(
    random: np.random.Generator,
    n_articles: int,
    gains: Sequence[float] = (0.0,),
    *,
    mentions: Sequence[float] = MENTIONS,
    f1s: Sequence[float] = F1S,
) -> np.ndarray:
    """Return (n_models, n_articles, n_labels, 3) counts of models on the same articles; gains: what each adds to the labels' F1."""
    length = random.gamma(3, 1 / 3, size=(n_articles, 1))
    ease = random.random((n_articles, 1))
    n_marked = random.poisson(length * np.array(mentions))
    models = []
    for gain in gains:
        means = np.array(f1s) + gain
        share = beta.ppf(ease, CONCENTRATION * means, CONCENTRATION * (1 - means))
        hits = random.binomial(n_marked, share)
        models.append(np.stack([hits, random.poisson(n_marked * (1 - share)), n_marked - hits], axis=-1))
    return np.stack(models)


def truth(mentions: Sequence[float] = MENTIONS, f1s: Sequence[float] = F1S) -> dict[str, float]:
    """Return the true F1 of each label, by number, and averaged: micro and weighted by mentions."""
    micro = float(np.average(f1s, weights=mentions))
    return {**{str(label): f1 for label, f1 in enumerate(f1s)}, "micro": micro, "macro": float(np.mean(f1s)), "weighted": micro}


def coverage(n_articles: int, n_simulations: int, seed: int = 1, n_resamples: int = N_RESAMPLES) -> dict[str, float]:
    """Return the share of 95 % intervals that hold the true F1: of the averages, of labels without and with the mark `too_few`.

    NaN if there was no such interval.
    """
    random, true = np.random.default_rng(seed), truth()
    held: dict[str, list[bool]] = {name: [] for name in (*AVERAGES, "labels", "labels marked")}
    for _ in range(n_simulations):
        (counts,) = simulate(random, n_articles)
        drawn = resample(counts, n_resamples)
        f1s = dict(zip(map(str, range(len(F1S))), ratios(drawn)[..., 2].T, strict=True))
        f1s |= {name: values[:, 2] for name, values in averages(drawn).items()}
        per_label = summary(Counts(tuple(map(str, range(len(F1S)))), (), counts), intervals=False)["per_label"]
        for name, values in f1s.items():
            if found := interval(values, n_articles):
                kind = name if name in AVERAGES else "labels marked" if per_label[name]["too_few"] else "labels"
                held[kind].append(found[0] <= true[name] <= found[1])
    return {name: float(np.mean(answers)) if answers else np.nan for name, answers in held.items()}


def false_alarms(n_articles: int, n_simulations: int, seed: int = 1, n_resamples: int = N_RESAMPLES) -> dict[str, float]:
    """Return how often two equal models differ at LEVEL: in micro, in macro, in a label, in any label before and after Holm.

    Of micro and macro at SMALL_LEVELS too.
    """
    random, n_labels = np.random.default_rng(seed), len(F1S)
    small = [f"{average} {level:.1%}" for level in SMALL_LEVELS for average in ("micro", "macro")]
    alarms: dict[str, list[float]] = {name: [] for name in ("micro", "macro", "a label", "any label", "any label, Holm", *small)}
    for _ in range(n_simulations):
        a, b = simulate(random, n_articles, gains=(0.0, 0.0))
        p_values = [found.p for found in differences(a[None], b[None], n_resamples)]
        low = [p is not None and p < LEVEL for p in p_values]
        corrected = [p is not None and p < LEVEL for p in holm(p_values[:n_labels])]
        lower = [p is not None and p < level for level in SMALL_LEVELS for p in p_values[n_labels : n_labels + 2]]
        shares = (low[n_labels], low[n_labels + 1], float(np.mean(low[:n_labels])), any(low[:n_labels]), any(corrected), *lower)
        for answers, share in zip(alarms.values(), shares, strict=True):
            answers.append(share)
    return {name: float(np.mean(answers)) for name, answers in alarms.items()}


def print_table(title: str, rows: Mapping[int, Mapping[str, float]]) -> None:
    """Print shares by number of articles as Markdown."""
    names = [*next(iter(rows.values()))]
    print(f"\n| {title} | {' | '.join(names)} |\n|---{'|---' * len(names)}|")
    for n_articles, row in rows.items():
        cells = ("n/a" if np.isnan(share) else f"{share:.1%}" for share in row.values())
        print(f"| {n_articles} articles | {' | '.join(cells)} |")


def main(arguments: Sequence[str]) -> None:
    """Print both tables."""
    options = {"simulations": 500, "seed": 1} | {key: int(value) for key, _, value in (argument.partition("=") for argument in arguments)}
    if unknown := options.keys() - {"simulations", "seed"}:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; options: simulations=N seed=N")
    print(f"{options['simulations']} simulations, seed {options['seed']}")
    for title, measure in (("95 % intervals that hold the true F1", coverage), ("equal models that differ at 5 %", false_alarms)):
        print_table(title, {n_articles: measure(n_articles, options["simulations"], options["seed"]) for n_articles in SIZES})


if __name__ == "__main__":
    main(sys.argv[1:])
