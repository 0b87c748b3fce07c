"""Known mistakes put into labelled articles, to see which are found again: labels swapped, marks dropped, boundaries moved."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from sitrep.articles import Article, Span

KINDS = ("label", "dropped", "boundary")
WORD = re.compile(r"\w+(?:[-'’.]\w+)*")
GAP = re.compile(r"[ \u00a0]+")  # what may stand between a mention and the word that it takes in


@dataclass(frozen=True)
class Injected:
    """One mistake: what the annotator marked, and what stands there now (None: nothing)."""

    article_id: str
    kind: str
    right: Span
    wrong: Span | None


def corrupt(articles: Sequence[Article], labels: Sequence[str], share: float, seed: int) -> tuple[list[Article], list[Injected]]:
    """Return the articles with mistakes in `share` of all marks, spread over KINDS in turn, and the mistakes.

    labels: those that a swapped label is drawn from. A mark whose boundary cannot move by a word (a single word, none free beside it) is
    passed over for another.
    """
    draw = random.Random(seed)
    marks = [(row, span) for row, article in enumerate(articles) for span in sorted(article.spans)]
    draw.shuffle(marks)
    n_wanted = round(share * len(marks))
    spans = [set(article.spans) for article in articles]
    injected: list[Injected] = []
    for row, span in marks:
        if len(injected) == n_wanted:
            break
        kind, article = KINDS[len(injected) % len(KINDS)], articles[row]
        if kind == "label":
            choices = [replace(span, label=label) for label in labels if label != span.label]
        elif kind == "boundary":
            choices = moved(article.text, span, spans[row] - {span})
        else:
            choices = [None]
        if not choices:
            continue
        wrong = draw.choice(choices)
        spans[row].remove(span)
        if wrong:
            spans[row].add(wrong)
        injected.append(Injected(article.id, kind, span, wrong))
    return [replace(article, spans=tuple(sorted(own))) for article, own in zip(articles, spans, strict=True)], injected


def moved(text: str, span: Span, others: set[Span]) -> list[Span]:
    """Return `span` with a word more or less at either end, where that is no other mark's and within the line."""
    words = [match.span() for match in WORD.finditer(text, span.start, span.end)]
    choices = []
    if len(words) > 1:
        choices += [replace(span, start=words[1][0]), replace(span, end=words[-2][1])]
    if (gap := GAP.match(text, span.end)) and (word := WORD.match(text, gap.end())):
        choices.append(replace(span, end=word.end()))
    before = [match.span() for match in WORD.finditer(text, max(0, span.start - 60), span.start)]
    if before and GAP.fullmatch(text, before[-1][1], span.start):
        choices.append(replace(span, start=before[-1][0]))
    return [
        choice for choice in choices
        if choice.start < choice.end and not any(choice.start < other.end and other.start < choice.end for other in others)
    ]  # fmt: skip
