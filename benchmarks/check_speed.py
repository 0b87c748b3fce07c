"""How long does the data doctor take, and how much memory, and do both grow with the articles alone? Never timed by tests.

python benchmarks/check_speed.py [articles=1000,10000] [seed=1]

Articles are made of those in data/articles: paragraphs drawn from all of them until there are as many characters as in one, each mention
replaced by another one of its label, so that hardly two articles are near-duplicates (one in a hundred is a copy of the one before, with
a word more). One mark in fifty reaches a character too far. They are written as JSONL into a temporary folder, and annotate.py
action=check reads them in a process of its own, with its report: seconds are those of the clock and of the processor, which other work on
the machine does not touch; memory is the most that it held.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from sitrep.articles import Article, Span
from sitrep.formats import jsonl, read_articles
from sitrep.reports.marking import paragraph_ends

ROOT = Path(__file__).parents[1]
COPIES, SLIPS = 0.01, 0.02  # shares of articles and of marks

Paragraph = list[tuple[str, str | None]]  # pieces of text with the label of each


def paragraphs_of(article: Article) -> Iterator[Paragraph]:
    """Yield the paragraphs of an article, cut at the ends of its mentions."""
    start, spans = 0, sorted(article.spans)
    for end in paragraph_ends(article.text):
        pieces: Paragraph = []
        for span in (span for span in spans if start <= span.start and span.end <= end):
            pieces += [(article.text[start : span.start], None), (article.surface(span), span.label)]
            start = span.end
        yield [*pieces, (article.text[start:end], None)]
        start = end


def draw_articles(articles: Sequence[Article], n: int, random: np.random.Generator) -> Iterator[Article]:
    """Yield `n` articles made of `articles`."""
    paragraphs = [paragraph for article in articles for paragraph in paragraphs_of(article)]
    surfaces: dict[str, list[str]] = defaultdict(list)
    for article in articles:
        for span in article.spans:
            surfaces[span.label].append(article.surface(span))
    lengths = [len(article.text) for article in articles]
    made = Article("0", "")
    for number in range(n):
        if made.text and random.random() < COPIES:
            made = Article(str(number), f"{made.text} Again", made.spans)
        else:
            made = _draw_article(str(number), paragraphs, surfaces, lengths[random.integers(len(lengths))], random)
        yield made


def _draw_article(
    name: str, paragraphs: Sequence[Paragraph], surfaces: dict[str, list[str]], length: int, random: np.random.Generator
) -> Article:
    text, spans = "", []
    while len(text) < length:
        for piece, label in paragraphs[random.integers(len(paragraphs))]:
            if label:
                surface = surfaces[label][random.integers(len(surfaces[label]))]
                spans.append(Span(len(text), len(text) + len(surface) + int(random.random() < SLIPS), label))
                text += surface
            else:
                text += piece
    return Article(name, f"{text}\n", tuple(spans))


def measure(n: int, seed: int) -> tuple[float, float, int, int]:
    """Return the seconds by the clock and of the processor, and the peak bytes of checking `n` articles, and how many marks they have."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "articles.jsonl")
        made = list(draw_articles(list(read_articles(ROOT / "data" / "articles")), n, np.random.default_rng(seed)))
        jsonl.write(made, source)
        command = [sys.executable, ROOT / "annotate.py", "action=check", f"input={source}", f"report={folder}/check.html", "fail_on=never"]
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        if status:
            raise SystemExit(f"annotate.py failed: {status}")
        return seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, sum(len(article.spans) for article in made)


def main(arguments: Sequence[str]) -> None:
    """Print the table."""
    options = {"articles": "1000,10000", "seed": "1", **dict(argument.split("=", 1) for argument in arguments)}
    if unknown := options.keys() - {"articles", "seed"}:
        raise SystemExit(f"unknown option {', '.join(sorted(unknown))}; known: articles, seed")
    print("| articles | marks | seconds | of the processor | peak MB |\n|---:|---:|---:|---:|---:|")
    for size in options["articles"].split(","):
        seconds, busy, peak, n_marks = measure(int(size), int(options["seed"]))
        print(f"| {int(size):,} | {n_marks:,} | {seconds:.1f} | {busy:.1f} | {peak / 1e6:.0f} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
