"""How far two annotators agree: F1 of mentions, Cohen's kappa of words and of class labels, and each disagreement.

kappa = (p_o - p_e) / (1 - p_e) (Cohen 1960): p_o is the share of items on which both agree, p_e the share on which they would if each
gave its labels as often as it does, but at random. For words the labels are those of the mention that covers a word, or none (no BIO parts:
where one mention ends and another begins is what F1 tells). Of mentions that overlap the longest counts. Most words are outside for
both, so kappa is also given over the words that at least one of the two marked; and per label, as that label or not.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sitrep.articles import Article, Span
from sitrep.errors import InputError
from sitrep.findings import CONTEXT_CHARS
from sitrep.formats.faults import Losses
from sitrep.formats.writing import Target, flat_spans
from sitrep.labels import TOP_LEVEL
from sitrep.matching import Match, overlap, strict
from sitrep.mistakes import Mistake, find_mistakes
from sitrep.scoring import by_id, count, summary

WORD = re.compile(r"\w[\w\u0300-\u036f\u200c\u200d]*")
KINDS = {"wrong label": "label", "missed": "missing in b", "spurious": "missing in a"}  # the rest: `boundary`
RULES: Mapping[str, Match] = {"strict": strict, "partial": overlap}

Label = str | None  # None: outside all mentions, which a label of any name differs from
Confusion = Counter[tuple[Label, Label]]  # (label of a, label of b) -> items


@dataclass
class Pairs:
    """The articles of both sides by id, and the ids of those that only one side has."""

    both: list[tuple[Article, Article]]
    only_a: list[str] = field(default_factory=list)
    only_b: list[str] = field(default_factory=list)


def pair_up(a: Iterable[Article], b: Iterable[Article]) -> Pairs:
    """Return the articles of two annotators, paired by id.

    Raises:
        InputError: if an id stands twice on a side, no id is shared, or the texts of an article differ.
    """
    sides = [by_id(a, "a"), by_id(b, "b")]
    pairs = Pairs([], *(sorted(one.keys() - other.keys()) for one, other in (sides, sides[::-1])))
    for article_id, article in sides[0].items():
        if other := sides[1].get(article_id):
            _check_texts(article, other)
            pairs.both.append((article, other))
    if not pairs.both:
        raise InputError(
            f"a and b share no article: ids such as {', '.join(pairs.only_a[:3]) or '(none)'} "
            f"against {', '.join(pairs.only_b[:3]) or '(none)'}; give both the same ids"
        )
    return pairs


def _check_texts(a: Article, b: Article) -> None:
    if a.text == b.text:
        return
    pairs = enumerate(zip(a.text, b.text, strict=False))
    at = next((index for index, (one, other) in pairs if one != other), min(len(a.text), len(b.text)))
    shown = [repr(article.text[at : at + 30]) if at < len(article.text) else "its end" for article in (a, b)]
    raise InputError(
        f"{b.where()}: the text differs from that of {a.source or 'a'} from character {at} on: {shown[1]} against {shown[0]}; "
        "offsets can be compared on equal texts only"
    )


def measure(pairs: Pairs) -> dict[str, Any]:
    """Return how far the two agree, as the JSON of a report holds it: undefined is None."""
    golds, preds = [a for a, _ in pairs.both], [b for _, b in pairs.both]
    labels = sorted({span.label for article in (*golds, *preds) for span in article.spans})
    lost = Losses()
    confusion: Confusion = Counter()
    for a, b in pairs.both:
        confusion += confuse_words(a, b, lost)
    return {
        "n_articles": len(pairs.both),
        "only_a": pairs.only_a,
        "only_b": pairs.only_b,
        "labels": labels,
        "n_mentions": {
            side: dict(Counter(span.label for x in articles for span in x.spans)) for side, articles in (("a", golds), ("b", preds))
        },
        "f1": {name: summary(count(golds, preds, labels, rule)) for name, rule in RULES.items()} if labels else {},
        "kappa": {
            "n_words": confusion.total(),
            "words": kappa(confusion),
            "marked_words": kappa(Counter({pair: n for pair, n in confusion.items() if pair != (None, None)})),
            "per_label": {label: kappa(against_the_rest(confusion, label)) for label in labels},
            "n_overlapping": lost.counts.total(),
        },
        "fields": {name: _measure_field(pairs.both, name) for name in _shared_fields(pairs.both)},
    }


def kappa(confusion: Mapping[tuple[Any, Any], int]) -> float | None:
    """Return Cohen's kappa of items counted by (label of a, label of b); None if there are none, or chance alone agrees on all."""
    total = sum(confusion.values())
    if not total:
        return None
    rows, columns = Counter[Any](), Counter[Any]()
    for (a, b), n in confusion.items():
        rows[a] += n
        columns[b] += n
    observed = sum(n for (a, b), n in confusion.items() if a == b) / total
    expected = sum(rows[label] * columns[label] for label in rows) / total**2
    return None if math.isclose(expected, 1) else (observed - expected) / (1 - expected)


def against_the_rest(confusion: Mapping[tuple[Label, Label], int], label: str) -> Confusion:
    """Return the counts of `label` or not."""
    merged: Confusion = Counter()
    for (a, b), n in confusion.items():
        merged[label if a == label else None, label if b == label else None] += n
    return merged


def confuse_words(a: Article, b: Article, lose: Losses) -> Confusion:
    """Return the labels that the two give to each word of an article, counted; marks that overlap a longer one go to `lose`."""
    words = [match.span() for match in WORD.finditer(a.text)]
    return Counter(zip(*(_labels(words, flat_spans(side, Target(lose))) for side in (a, b)), strict=True))


def _labels(words: Sequence[tuple[int, int]], spans: Sequence[Span]) -> Iterator[Label]:
    """Yield the label of each word: that of the first mention with a character of it; both are sorted and do not overlap."""
    index = 0
    for start, end in words:
        while index < len(spans) and spans[index].end <= start:
            index += 1
        yield spans[index].label if index < len(spans) and spans[index].start < end else None


def _shared_fields(pairs: Sequence[tuple[Article, Article]]) -> list[str]:
    names = dict.fromkeys(name for pair in pairs for article in pair for name in (*article.labels, *TOP_LEVEL))
    return [name for name in names if any(a.classes(name) is not None and b.classes(name) is not None for a, b in pairs)]


def _measure_field(pairs: Sequence[tuple[Article, Article]], name: str) -> dict[str, Any]:
    """Return the kappa of a class field over the articles in which both have it.

    Where each has exactly one label, of that label; else of the decisions, label by label and article by article, whether it applies.
    """
    sides = [(set(of_a), set(of_b)) for a, b in pairs if (of_a := a.classes(name)) is not None and (of_b := b.classes(name)) is not None]
    labels = sorted({label for pair in sides for side in pair for label in side})
    per_label = {label: Counter((str(label in a), str(label in b)) for a, b in sides) for label in labels}
    if all(len(side) == 1 for pair in sides for side in pair):
        overall = kappa(Counter((next(iter(a)), next(iter(b))) for a, b in sides))
    else:
        overall = kappa(sum(per_label.values(), Counter()))
    return {
        "n_articles": len(sides),
        "n_equal": sum(a == b for a, b in sides),
        "kappa": overall,
        "per_label": {label: kappa(confusion) for label, confusion in per_label.items()},
    }


def disagreements(pairs: Pairs, fields: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Yield what the two marked differently, article by article: mentions by kind, then class fields.

    kind: `boundary` (the label is the same), `label`, `missing in a`, `missing in b` or `class`; detail: as of mistakes.py, a as marked
    """
    fields = list(fields)
    for a, b in pairs.both:
        yield from (_row(mistake, a) for mistake in find_mistakes(a, b))
        for name in fields:
            values = [article.classes(name) for article in (a, b)]
            if None not in values and set(values[0] or ()) != set(values[1] or ()):
                yield {"id": a.id, "kind": "class", "detail": name, "a": list(values[0] or ()), "b": list(values[1] or ())}


def _row(mistake: Mistake, article: Article) -> dict[str, Any]:
    spans = [*mistake.gold, *mistake.pred]
    start, end = min(span.start for span in spans), max(span.end for span in spans)
    sides = {
        side: [{"start": s.start, "end": s.end, "label": s.label, "text": article.surface(s)} for s in found]
        for side, found in (("a", mistake.gold), ("b", mistake.pred))
    }
    around = {"before": article.text[max(0, start - CONTEXT_CHARS) : start], "after": article.text[end : end + CONTEXT_CHARS]}
    return {"id": article.id, "kind": KINDS.get(mistake.kind, "boundary"), "detail": mistake.kind, **sides, **around}
