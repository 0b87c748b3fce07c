"""Text and the spans on it as segments, cut at every boundary: nested and crossing spans need no markup that nests."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

PARAGRAPH = re.compile(r"[^\n]*\n+|[^\n]+\Z")


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of the text; `spans`: indices of all that cover it, in the order given; `ends`: of those, the ones that end with it."""

    text: str
    spans: tuple[int, ...]
    ends: tuple[int, ...]


def segment(text: str, spans: Sequence[tuple[int, int]], cuts: Iterable[int] = ()) -> Iterator[Segment]:
    """Yield the segments of `text` in order; joined, they are the text.

    spans: half-open (start, end) in code points, none empty; cuts: offsets at which a segment ends in any case
    """
    starting, ending = defaultdict(list), defaultdict(list)
    for index, (start, end) in enumerate(spans):
        starting[start].append(index)
        ending[end].append(index)
    active: set[int] = set()
    here = 0
    for there in sorted({*starting, *ending, *cuts, len(text)} - {0}):
        active.update(starting[here])
        yield Segment(text[here:there], tuple(sorted(active)), tuple(ending[there]))
        active.difference_update(ending[there])
        here = there


def paragraph_ends(text: str) -> list[int]:
    """Return where the paragraphs of `text` end, the line ends behind each counted to it."""
    return [match.end() for match in PARAGRAPH.finditer(text)]
