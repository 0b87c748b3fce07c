"""Texts cut into tokens for formats that hold tokens, not offsets: no token lies across the edge of a mention."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache

from sitrep.articles import Span
from sitrep.characters import SPACE, WORD, kind_of


def cut(text: str, spans: Iterable[Span]) -> Iterator[tuple[int, int]]:
    """Yield the half-open offsets of tokens that together are the whole text: words, white space, and any other character by itself."""
    cuts = {edge for span in spans for edge in (span.start, span.end)}
    start, kind = 0, 0
    for position, char in enumerate(text):
        here = _kind(char)
        if position and (here != kind or not here or position in cuts):
            yield start, position
            start = position
        kind = here
    if text:
        yield start, len(text)


@cache
def _kind(char: str) -> int:
    kinds = kind_of(char)
    return SPACE if kinds & SPACE else kinds & WORD
