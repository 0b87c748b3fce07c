"""What the characters of a text are, as arrays: what is asked of every token is then arithmetic, not a loop.

Positions and offsets count code points. Of n characters, arrays over ends of tokens have n + 1 places.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

import numpy as np

CASES = ("lower", "title", "upper", "mixed")  # of words
JOINERS = "\u200c\u200d"  # zero-width (non-)joiner: part of the letters around them
KNOWN, SPACE, MARK, WORD, LOWER, UPPER = (1 << bit for bit in range(6))
_KINDS = np.zeros(0x110000, dtype=np.uint8)  # of all code points, filled in as they are met: a text has few


class Characters:
    """The characters of one text by kind."""

    def __init__(self, text: str) -> None:
        codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
        kinds = _KINDS[codes]
        if not kinds.all():
            for code in np.unique(codes[kinds == 0]).tolist():
                _KINDS[code] = kind_of(chr(code))
            kinds = _KINDS[codes]
        self.kinds = kinds

    def trim(self, starts: np.ndarray, ends: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Take white space off tokens' ends: some tokenizers count the space before a word as the word's."""
        solid = (self.kinds & SPACE) == 0
        trimmed = np.minimum(_next(solid)[starts], ends)
        return trimmed, np.maximum(_after_previous(solid)[ends], trimmed)

    def absorb_marks(self, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Return token ends moved over combining marks and joiners that no token covers, since normalisers drop them."""
        limits = np.append(starts[1:], len(self.kinds))[: len(ends)]
        moved = np.maximum(ends, np.minimum(_next((self.kinds & MARK) == 0)[ends], limits))
        return np.where(starts < ends, moved, ends)

    def continues(self, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Say of each token whether it lies in the same word as the token before: no edge, or two tokens for parts of one character."""
        inside = np.zeros(len(self.kinds) + 1, dtype=bool)  # of each offset: between two characters of a word
        is_word = (self.kinds & WORD) != 0
        inside[1:-1] = is_word[:-1] & is_word[1:]
        continues = np.zeros(len(starts), dtype=bool)
        continues[1:] = (starts[1:] < ends[:-1]) | ((starts[1:] == ends[:-1]) & inside[starts[1:]])
        return continues

    def cases(self, starts: np.ndarray, ends: np.ndarray) -> np.ndarray:
        """Return the index in CASES of words: digits and letters of scripts without case are lower, one capital alone is title."""
        raised, lowered = (np.append(0, np.cumsum((self.kinds & kind) == 0)) for kind in (LOWER, UPPER))
        second = np.minimum(starts + 1, len(self.kinds))
        is_lower, rest_is_lower = raised[ends] <= raised[starts], raised[ends] <= raised[second]
        is_upper = (lowered[ends] == lowered[starts]) & (ends - starts > 1)
        chosen = [CASES.index(name) for name in ("lower", "upper", "title")]
        return np.select([is_lower, is_upper, rest_is_lower], chosen, CASES.index("mixed"))


@lru_cache(maxsize=1 << 14)
def kind_of(char: str) -> int:
    """Return the kinds of a character, as bits. Joiners and marks belong to the word around them."""
    is_mark = unicodedata.category(char)[0] == "M" or char in JOINERS
    answers = {
        SPACE: char.isspace(),
        MARK: is_mark,
        WORD: is_mark or char.isalnum(),
        LOWER: char == char.lower(),
        UPPER: char == char.upper(),
    }
    return KNOWN + sum(kind for kind, answer in answers.items() if answer)


def _next(flags: np.ndarray) -> np.ndarray:
    """Return, for each position and the end, the first flagged one from there on, or the end."""
    n = len(flags)
    return np.minimum.accumulate(np.append(np.where(flags, np.arange(n), n), n)[::-1])[::-1]


def _after_previous(flags: np.ndarray) -> np.ndarray:
    """Return, for each offset, that behind the last flagged position before it, or 0."""
    return np.maximum.accumulate(np.append(0, np.where(flags, np.arange(1, len(flags) + 1), 0)))
