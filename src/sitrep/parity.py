"""The gate that every other backend passes before it reads: the same as torch on the run's own articles, or not used.

Padding is where exports go wrong, so windows of very unlike length are scored in one batch and held against each alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import cycle
from typing import Any

from torch import Tensor

from sitrep.articles import Article
from sitrep.backends import Backend
from sitrep.heads.base import pad_windows
from sitrep.models import Model
from sitrep.prediction import EncoderReader

TOLERANCE = 1e-3  # of scores, raw and as probabilities
MAX_LOSS = 0.005  # of micro F1 on dev, for products of whole numbers
N_ARTICLES = 24  # of dev, beside those made from them
N_WINDOWS = 8  # in one batch, from the longest to the shortest, which is read in each
N_BATCHES = 3


class RefusedError(Exception):
    """A backend does not give what torch gives, or cannot be made; the message has the figures."""


@dataclass
class Parity:
    """What was compared, and the greatest difference of scores that was found."""

    n_articles: int
    n_windows: int
    greatest_difference: float = 0.0

    def as_json(self) -> dict[str, Any]:
        """Return the figures for backends.json."""
        return asdict(self)


def probe_articles(dev: Sequence[Article], max_tokens: int) -> list[Article]:
    """Return articles that a backend is tried on: some of dev, some joined to one of several windows, one without text, one of one word.

    Raises:
        RefusedError: if no article of dev has a text.
    """
    texts = [article.text for article in dev if article.text.strip()]
    if not texts:
        raise RefusedError("gold/dev.jsonl holds no text to compare on")
    joined: list[str] = []
    for text in cycle(texts):
        joined.append(text)
        if sum(map(len, joined)) > 20 * max_tokens:  # four windows of words of five letters, or more
            break
    made = [Article("dev joined", "\n\n".join(joined)), Article("no text", ""), Article("one word", texts[0].split()[0])]
    return [*made, *(article.bare() for article in dev[:: -(-len(dev) // N_ARTICLES)])]


def check_parity(model: Model, torch_backend: Backend, backend: Backend, articles: Sequence[Article]) -> Parity:
    """Compare a backend with torch, window by window and article by article.

    Raises:
        RefusedError: at the first score, mention or label that is not the same.
    """
    parity = Parity(len(articles), 0)
    _check_windows(model, torch_backend, backend, articles, parity)
    pairs = zip(*(EncoderReader(model, used).read(articles) for used in (torch_backend, backend)), strict=True)
    for expected, found in pairs:
        _check_article(expected, found, parity)
    return parity


def _check_windows(model: Model, torch_backend: Backend, backend: Backend, articles: Iterable[Article], parity: Parity) -> None:
    windower = model.network.windower
    named = [
        (f"article {article.article.id!r}, window {number} of {len(article.windows)}", windower.inputs(article, window))
        for article in windower.encode(list(articles))
        for number, window in enumerate(article.windows, start=1)
    ]
    named.sort(key=lambda pair: len(pair[1]["input_ids"]), reverse=True)
    step = -(-len(named) // N_WINDOWS)
    batches = [[*named[first::step], named[-1]] for first in range(min(step, N_BATCHES))]
    for batch in [*batches, named[:1], named[-1:]]:
        scores = backend.score(pad_windows([window for _, window in batch], windower.pad_id))
        for row, (name, window) in zip(scores, batch, strict=True):
            (alone,) = torch_backend.score(pad_windows([window], windower.pad_id))
            difference = _difference(alone, row)
            if not difference <= TOLERANCE:  # NaN is refused, too
                longest = len(batch[0][1]["input_ids"])
                raise RefusedError(
                    f"{name} ({len(window['input_ids'])} tokens, read in a batch of {len(batch)} windows padded to {longest}): "
                    f"scores differ by up to {difference:.2g}; {TOLERANCE:g} is allowed"
                )
            parity.greatest_difference = max(parity.greatest_difference, difference)
            parity.n_windows += 1


def _difference(expected: Tensor, found: Tensor) -> float:
    """Return the greatest difference of two windows' scores; `found` may hold those of padding, too."""
    found = found[tuple(slice(n) for n in expected.shape)]
    return float("inf") if found.shape != expected.shape else float((expected.cpu() - found).abs().max())


def _check_article(expected: Article, found: Article, parity: Parity) -> None:
    for side, one, other in (("torch alone", expected, found), ("it alone", found, expected)):
        if missing := {(span.start, span.end, span.label) for span in one.spans} - {(s.start, s.end, s.label) for s in other.spans}:
            start, end, label = min(missing)
            raise RefusedError(f"article {found.id!r}: {side} finds {label} {found.text[start:end]!r} [{start}, {end})")
    if expected.labels != found.labels:
        raise RefusedError(f"article {found.id!r}: torch gives {expected.labels}, it {found.labels}")
    scored = {span: span.score for span in expected.spans}
    pairs = [(scored[span], span.score) for span in found.spans]
    pairs += [(expected.scores[field][label], score) for field, given in found.scores.items() for label, score in given.items()]
    difference = max((abs((a or 0) - (b or 0)) for a, b in pairs), default=0.0)
    if difference > TOLERANCE:
        raise RefusedError(f"article {found.id!r}: scores differ by up to {difference:.2g}; {TOLERANCE:g} is allowed")
    parity.greatest_difference = max(parity.greatest_difference, difference)


def check_loss(before: float, after: float) -> None:
    """Hold micro F1 on dev by torch against that by a backend that may differ a little.

    Raises:
        RefusedError: if more than MAX_LOSS is lost.
    """
    if before - after > MAX_LOSS:
        raise RefusedError(
            f"micro F1 on dev falls from {100 * before:.1f} to {100 * after:.1f}, by {100 * (before - after):.1f} points; "
            f"{100 * MAX_LOSS:g} are allowed"
        )
