r"""Which units offsets were counted in, if not in code points of the text as it stands.

Programs count in UTF-16 units (JavaScript, Java), in bytes of UTF-8 (Go, Rust, C), in a text whose line ends were `\r\n` where ours
are `\n` or the reverse, or from a text that had more or less at its beginning. Which of these it was is decided per article: by the
text that the file states for its marks, or, where it states none, by where marks begin and end: a mark that is right cuts no word and
has no white space at its ends, a shifted one nearly always does.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sitrep.boundaries import is_sound
from sitrep.formats.faults import Mark

MIN_SHARE = 0.6  # of the marks that another way of counting moves: at least so many are unsound as they stand,
MAX_UNSOUND = 0.05  # and at most so many when moved: some marks are wrong in themselves
MIN_MARKS = 3  # to believe in a constant shift of which the file says nothing
SMALL_SHIFTS = (1, -1, 2, -2)
MAX_PLACES = 25  # of a stated text that are looked at before a mark, and behind it
MAX_SHIFTS = 5  # that are tried,
MAX_SAMPLE = 100  # and marks by which they are found
MAX_OFFSET = 1 << 40  # a larger one counts nothing, and fits no array

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

    def places(self, stated: np.ndarray) -> np.ndarray:
        """Return (n, 2) stated offsets in code points, (-1, -1) where there are no such offsets."""
        found = np.searchsorted(self.ends, stated)
        exists = (self.ends[np.minimum(found, len(self.ends) - 1)] == stated).all(axis=1, keepdims=True)
        return np.where(exists, found, -1)


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
    faulty = [mark for mark in faulty if max(abs(mark.start), abs(mark.end)) <= MAX_OFFSET]
    stated = [mark for mark in faulty if mark.surface]
    if stated:
        return _by_stated_text(text, stated, marks)
    return _by_boundaries(text, [*marks, *faulty])


def _by_stated_text(text: str, marks: Sequence[Mark], others: Sequence[Mark]) -> dict[Mark, Moved]:
    """Return where the text that the file states for a mark stands: by the way of counting that explains most, then by the next.

    What is left over is looked for in the text, see `_by_occurrence`; `others` stand where they should.
    """
    stated = _stated(marks)
    ways = [(way.units, _fitting(text, marks, way.places(stated)), True) for way in countings(text)]
    for shift in _common_shifts(text, marks):
        fits = _fitting(text, marks, stated - shift)
        ways.append((_shifted(shift), fits, len({mark.surface for mark in fits}) > 1))  # the same words may be as far apart by chance
    moved: dict[Mark, Moved] = {}
    for units, fits, is_sure in sorted(ways, key=lambda way: -len(way[1])):
        moved = {mark: Moved(place, units, is_sure) for mark, place in fits.items()} | moved
    return moved | _by_occurrence(text, [mark for mark in marks if mark not in moved or not moved[mark].is_stated], moved, others)


def _by_occurrence(text: str, marks: Sequence[Mark], moved: Mapping[Mark, Moved], others: Sequence[Mark]) -> dict[Mark, Moved]:
    """Return where the stated text of marks stands that no sure way of counting explains: as `moved` has it, or the nearest place.

    The file bears it out only where the text stands once, as whole words, where no other mark of that label does or belongs, and the
    offsets as they are cannot be right. Offsets of whole words that would go inside a word or onto another mark stay: the stated text may
    be another form of the name (`US` for `United States`).
    """
    starts = {surface: _occurrences(text, surface) for surface in {mark.surface or "" for mark in marks}}
    places: dict[Mark, Place] = {}
    for mark in marks:
        if near := _nearest(starts[mark.surface or ""], mark.start):
            start = moved[mark].span[0] if mark in moved else near[0]
            places[mark] = start, start + len(mark.surface or "")
    taken = Counter((mark.start, mark.end, mark.label) for mark in others)
    taken += Counter((*to.span, mark.label) for mark, to in moved.items() if mark not in places)
    taken += Counter((*place, mark.label) for mark, place in places.items())
    found: dict[Mark, Moved] = {}
    for mark, place in places.items():
        is_free = taken[*place, mark.label] == 1 and is_sound(text, *place)
        may_be_right = is_sound(text, mark.start, mark.end)
        is_stated = is_free and not may_be_right and len(starts[mark.surface or ""]) == 1
        if is_free or not may_be_right:
            found[mark] = Moved(place, _shifted(mark.start - place[0]), is_stated)
    return found


def _common_shifts(text: str, marks: Sequence[Mark]) -> list[int]:
    """Return by how many characters several marks are shifted, the most frequent first; looked for in some of them."""
    some = marks[:: 1 + len(marks) // MAX_SAMPLE]
    starts = {surface: _occurrences(text, surface) for surface in {mark.surface for mark in some} if surface}
    shifts = Counter(mark.start - start for mark in some if mark.surface for start in _nearest(starts[mark.surface], mark.start))
    return [shift for shift, n in shifts.most_common(MAX_SHIFTS) if n > 1]


def _stated(marks: Sequence[Mark]) -> np.ndarray:
    return np.array([(mark.start, mark.end) for mark in marks], dtype=np.int64).reshape(-1, 2)


def _fitting(text: str, marks: Sequence[Mark], places: np.ndarray) -> dict[Mark, Place]:
    """Return the marks on whose new places the text stands that the file states for them."""
    pairs = zip(marks, places.tolist(), strict=True)
    return {mark: (start, end) for mark, (start, end) in pairs if 0 <= start < end <= len(text) and text[start:end] == mark.surface}


def _shifted(by: int) -> str:
    return f"shifted by {by:+}"


def _occurrences(text: str, surface: str) -> list[int]:
    """Return where some words stand, in order: as whole words, if they do anywhere."""
    starts = [match.start() for match in re.finditer(re.escape(surface), text)]
    return [start for start in starts if is_sound(text, start, start + len(surface))] or starts


def _nearest(starts: Sequence[int], start: int) -> list[int]:
    """Return those of sorted offsets that are nearest to one, the nearest first."""
    middle = bisect_left(starts, start)
    return sorted(starts[max(0, middle - MAX_PLACES) : middle + MAX_PLACES], key=lambda place: abs(place - start))


def _by_boundaries(text: str, marks: Sequence[Mark]) -> dict[Mark, Moved]:
    unsound = np.array([not is_sound(text, mark.start, mark.end) for mark in marks], dtype=bool)
    if not unsound.any():
        return {}
    stated = _stated(marks)
    ways = [(way.units, way.places(stated), 1) for way in countings(text)]
    ways += [(_shifted(shift), stated - shift, MIN_MARKS) for shift in SMALL_SHIFTS]
    best: tuple[int, str, np.ndarray] = (0, "", stated)
    for units, places, least in ways:
        changed = (places != stated).any(axis=1)
        n_changed, n_unsound = int(changed.sum()), int((changed & unsound).sum())
        if n_changed > best[0] and n_unsound >= max(least, MIN_SHARE * n_changed) and _are_sound(text, places[changed]):
            best = (n_changed, units, places)
    moved = (best[2] != stated).any(axis=1).tolist()
    return {
        mark: Moved((start, end), best[1], False)
        for mark, (start, end), is_moved in zip(marks, best[2].tolist(), moved, strict=True)
        if is_moved and 0 <= start < end <= len(text)
    }


def _are_sound(text: str, places: np.ndarray) -> bool:
    """Say whether hardly any of the (n, 2) places is unsound."""
    return sum(not is_sound(text, start, end) for start, end in places.tolist()) <= MAX_UNSOUND * len(places)
