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
MAX_UNSOUND = 0.05  # of them that may be when moved: some marks are wrong in themselves
MIN_MARKS = 3  # to believe in a constant shift of which the file says nothing
SMALL_SHIFTS = (1, -1, 2, -2)
MAX_PLACES = 50  # of a stated text that are looked at
MAX_SHIFTS = 5  # that are tried

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
        yield Counting("in UTF-16 units", 1 + (codes > 0xFFFF))
    if (codes > 0x7F).any():
        yield Counting("in bytes of UTF-8", 1 + (codes > 0x7F) + (codes > 0x7FF) + (codes > 0xFFFF))
    feeds = codes == 0x0A
    if not feeds.any():
        return
    is_crlf = np.append(feeds[1:], False) & (codes == 0x0D)
    if is_crlf.any():
        yield Counting(r"with line ends as \n, which are \r\n here", 1 - is_crlf)
    else:
        yield Counting(r"with line ends as \r\n, which are \n here", 1 + feeds)


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
    """Return where the text that the file states for a mark stands: by the way of counting that explains most, then by the next."""
    ways = [(way.units, {mark: way.place(mark.start, mark.end) for mark in marks}) for way in countings(text)]
    occurrences = {mark: _occurrences(text, mark) for mark in marks}
    shifts = Counter(mark.start - start for mark, starts in occurrences.items() for start in starts)
    common = [shift for shift, n in shifts.most_common(MAX_SHIFTS) if n > 1]
    ways += [(_shifted(shift), {mark: (mark.start - shift, mark.end - shift) for mark in marks}) for shift in common]
    fitting = [(units, {mark: place for mark, place in places.items() if _fits(place, mark, text)}) for units, places in ways]
    moved: dict[Mark, Moved] = {}
    for units, fits in sorted(fitting, key=lambda way: -len(way[1])):
        moved = {mark: Moved(place, units, True) for mark, place in fits.items() if place} | moved
    for mark in marks:
        if (starts := occurrences[mark]) and mark not in moved and mark.surface:
            moved[mark] = Moved((starts[0], starts[0] + len(mark.surface)), _shifted(mark.start - starts[0]), len(starts) == 1)
    return moved


def _shifted(by: int) -> str:
    return f"shifted by {by:+}"


def _fits(place: Place | None, mark: Mark, text: str) -> bool:
    return place is not None and place[0] >= 0 and text[slice(*place)] == mark.surface


def _occurrences(text: str, mark: Mark) -> list[int]:
    """Return where the text that the file states for a mark stands, those nearest to it; whole words, if there are such."""
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
    for shift in SMALL_SHIFTS if len(unsound) >= MIN_MARKS else ():
        shifted: dict[Mark, Place | None] = {mark: (mark.start - shift, mark.end - shift) for mark in marks}
        best = max(best, _all_moved(text, unsound, shifted, _shifted(shift), least=MIN_MARKS), key=len)
    return best


def _all_moved(text: str, unsound: set[Mark], places: dict[Mark, Place | None], units: str, *, least: int) -> dict[Mark, Moved]:
    """Return where all marks that are moved belong if most were unsound before and hardly any is after; else nothing."""
    changed = {mark: place for mark, place in places.items() if place != (mark.start, mark.end)}
    if sum(mark in unsound for mark in changed) < max(least, MIN_SHARE * len(changed)):
        return {}
    if sum(not (place and is_sound(text, *place)) for place in changed.values()) > MAX_UNSOUND * len(changed):
        return {}
    return {mark: Moved(place, units, False) for mark, place in changed.items() if place and 0 <= place[0] < place[1] <= len(text)}
