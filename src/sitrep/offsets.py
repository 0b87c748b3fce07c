r"""Which units offsets were counted in, if not in code points of the text as it stands.

Programs count in UTF-16 units (JavaScript, Java), in bytes of UTF-8 (Go, Rust, C), in a text whose line ends were `\r\n` where ours
are `\n` or the reverse, or from a text that had more or less at its beginning. Which of these it was is decided per article: by the
text that the file states for its marks, or, where it states none, by where marks begin and end: a mark that is right cuts no word and
has no white space at its ends, a shifted one nearly always does.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sitrep.boundaries import is_sound
from sitrep.formats.faults import Mark

MIN_SHARE = 0.6  # of the marks that another way of counting would move: so many must be unsound as they stand
MIN_MARKS = 3  # to believe in a constant shift of which the file says nothing
SMALL_SHIFTS = (1, -1, 2, -2)
MAX_PLACES = 50  # of a stated text that are looked at

Place = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Moved:
    """Where a mark belongs: its offsets in code points, how they were counted, and whether the file's own words bear that out."""

    span: Place
    units: str
    is_stated: bool


class Counting:
    """A way to count offsets: `ends[i]` is what it says of the offset i in code points."""

    def __init__(self, units: str, widths: np.ndarray) -> None:
        self.units = units
        self.ends = np.append(0, np.cumsum(widths))

    def place(self, start: int, end: int) -> Place | None:
        """Return offsets in code points, or None where there is no such offset."""
        found = np.searchsorted(self.ends, (start, end))
        if found[1] >= len(self.ends) or self.ends[found[0]] != start or self.ends[found[1]] != end:
            return None
        return int(found[0]), int(found[1])


def countings(text: str) -> Iterator[Counting]:
    """Yield the ways to count that differ from code points in this text."""
    if text.isascii() and "\n" not in text:
        return
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    if (codes > 0xFFFF).any():
        yield Counting("UTF-16 units", 1 + (codes > 0xFFFF))
    if (codes > 0x7F).any():
        yield Counting("bytes of UTF-8", 1 + (codes > 0x7F) + (codes > 0x7FF) + (codes > 0xFFFF))
    feeds = codes == 0x0A
    if not feeds.any():
        return
    is_crlf = np.append(feeds[1:], False) & (codes == 0x0D)
    if is_crlf.any():
        yield Counting(r"line ends as \n, which are \r\n here", 1 - is_crlf)
    else:
        yield Counting(r"line ends as \r\n, which are \n here", 1 + feeds)


def find_moved(text: str, marks: Sequence[Mark], faulty: Sequence[Mark]) -> dict[Mark, Moved]:
    """Return where marks belong that were counted otherwise; those that are left out stand where they should, or nobody can tell.

    Args:
        text: the text of the article.
        marks: those that fit the text as far as the reader could tell.
        faulty: those that do not: outside the text, or on other characters than the file states.
    """
    stated = [mark for mark in faulty if mark.surface]
    if stated:
        return _by_stated_text(text, stated)
    return _by_boundaries(text, [*marks, *faulty])


def _by_stated_text(text: str, marks: Sequence[Mark]) -> dict[Mark, Moved]:
    moved: dict[Mark, Moved] = {}
    ways = [
        (way.units, {mark: place for mark in marks if (place := _fits(way.place(mark.start, mark.end), mark, text))})
        for way in countings(text)
    ]
    for units, fitting in sorted(ways, key=lambda way: -len(way[1])):
        moved = {mark: Moved(place, units, True) for mark, place in fitting.items()} | moved
    return _by_constant(text, [mark for mark in marks if mark not in moved]) | moved


def _fits(place: Place | None, mark: Mark, text: str) -> Place | None:
    return place if place and text[slice(*place)] == mark.surface else None


def _by_constant(text: str, marks: Sequence[Mark]) -> dict[Mark, Moved]:
    """Return the marks whose stated text stands a fixed number of characters away, or once in the text only."""
    places = {mark: _occurrences(text, mark) for mark in marks}
    shifts = Counter(start - mark.start for mark, starts in places.items() for start in starts)
    moved: dict[Mark, Moved] = {}
    for mark, starts in places.items():
        if not starts or mark.surface is None:
            continue
        best = min(starts, key=lambda start: (-shifts[start - mark.start], abs(start - mark.start)))
        is_sure = len(starts) == 1 or shifts[best - mark.start] > 1
        moved[mark] = Moved((best, best + len(mark.surface)), f"shifted by {mark.start - best:+}", is_sure)
    return moved


def _occurrences(text: str, mark: Mark) -> list[int]:
    """Return where the text that the file states for a mark stands, those nearest to it."""
    assert mark.surface
    starts = [match.start() for match in re.finditer(re.escape(mark.surface), text)]
    starts = [start for start in starts if is_sound(text, start, start + len(mark.surface))] or starts
    return sorted(starts, key=lambda start: abs(start - mark.start))[:MAX_PLACES]


def _by_boundaries(text: str, marks: Sequence[Mark]) -> dict[Mark, Moved]:
    unsound = {mark for mark in marks if not is_sound(text, mark.start, mark.end)}
    if not unsound:
        return {}
    best: dict[Mark, Moved] = {}
    for way in countings(text):
        places = {mark: way.place(mark.start, mark.end) for mark in marks}
        best = max(best, _all_moved(text, unsound, places, way.units, least=1), key=len)
    if best:
        return best
    for shift in SMALL_SHIFTS if len(unsound) >= MIN_MARKS else ():
        shifted: dict[Mark, Place | None] = {mark: (mark.start - shift, mark.end - shift) for mark in marks}
        best = max(best, _all_moved(text, unsound, shifted, f"shifted by {shift:+}", least=MIN_MARKS), key=len)
    return best


def _all_moved(text: str, unsound: set[Mark], places: dict[Mark, Place | None], units: str, *, least: int) -> dict[Mark, Moved]:
    """Return where all marks that are moved belong if most were unsound before and none is after; else nothing."""
    changed = {mark: place for mark, place in places.items() if place != (mark.start, mark.end)}
    n_unsound = sum(mark in unsound for mark in changed)
    if n_unsound < max(least, MIN_SHARE * len(changed)):
        return {}
    if not all(place and is_sound(text, *place) for place in changed.values()):
        return {}
    return {mark: Moved(place, units, False) for mark, place in changed.items() if place}
