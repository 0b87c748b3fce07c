"""Offsets in UTF-16 units, as JavaScript counts, and in code points, as we do: a character beyond U+FFFF, as emoji are, has two units.

Tools that run in a browser hand out the one or the other. Where a file also says which characters are marked, that settles it.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace

from sitrep.formats.faults import Mark

ASTRAL = re.compile("[\U00010000-\U0010ffff]")  # what has two units
BLANK = re.compile(r"(?:\\n|\s)+")  # Label Studio writes a line end in what it says is marked as a backslash and an n


class Utf16:
    """The offsets of one text in both units; false where all characters have one unit, so that both are the same."""

    def __init__(self, text: str) -> None:
        self._points = [match.start() for match in ASTRAL.finditer(text)]
        self._units = [point + n for n, point in enumerate(self._points)]

    def __bool__(self) -> bool:
        return bool(self._points)

    def units(self, offset: int) -> int:
        """Return in units an offset in code points."""
        return offset + bisect_left(self._points, offset)

    def points(self, offset: int) -> int | None:
        """Return in code points an offset in units, or None inside a character; behind the text every character has one unit."""
        n_before = bisect_left(self._units, offset)
        if n_before and self._units[n_before - 1] == offset - 1:
            return None
        return offset - n_before

    def mark_in_points(self, mark: Mark) -> Mark | None:
        """Return in code points a mark in units, or None if it cuts a character in two."""
        start, end = self.points(mark.start), self.points(mark.end)
        return None if start is None or end is None else replace(mark, start=start, end=end)


def settle(marks: Sequence[Mark], text: str) -> tuple[list[Mark], bool]:
    """Return the marks that one file puts on one text in code points, and whether it had them in UTF-16 units.

    They are in units if what some of them say is marked stands there only when counted so; then those that say nothing are, too,
    unless yet others fit in code points only. A mark that fits neither way stays as it is, for `spans_of` to find.
    White space may differ: browsers join it.
    """
    utf16 = Utf16(text)
    pairs = [(mark, utf16.mark_in_points(mark) if utf16 else None) for mark in marks]
    said = [(_fits(mark, text), _fits(other, text)) for mark, other in pairs if mark.surface is not None]
    in_units, in_points = (False, True) in said, (True, False) in said
    settled = []
    for mark, other in pairs:
        takes_units = in_units and other is not None and _fits(other, text) and not (in_points and _fits(mark, text))
        settled.append(_with_surface(other if takes_units and other else mark, text))
    return settled, in_units


def _fits(mark: Mark | None, text: str) -> bool:
    """Say whether a mark lies in the text and is what it says, if it says anything."""
    if mark is None or not 0 <= mark.start < mark.end <= len(text):
        return False
    return mark.surface is None or _joined(mark.surface) == _joined(text[mark.start : mark.end])


def _with_surface(mark: Mark, text: str) -> Mark:
    """Return a mark that fits with the characters that it covers, white space and all."""
    return replace(mark, surface=text[mark.start : mark.end]) if mark.surface is not None and _fits(mark, text) else mark


def _joined(text: str) -> str:
    return BLANK.sub(" ", text)
