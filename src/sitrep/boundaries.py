"""Where a mark may begin and end: between words, and without white space or stray punctuation."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

from sitrep.characters import JOINERS, MARK, SPACE, WORD, kind_of

UNSPACED = (
    (0x0E00, 0x0EFF), (0x1000, 0x109F), (0x1780, 0x17FF), (0x2E80, 0x312F), (0x3130, 0x318F), (0x31A0, 0x4DBF), (0x4E00, 0x9FFF),
    (0xA980, 0xA9FF), (0xAC00, 0xD7FF), (0xF900, 0xFAFF), (0xFF66, 0xFFDC), (0x1B000, 0x1B16F), (0x20000, 0x323AF),
)  # fmt: skip
"""Scripts that put no space between words, or none before a particle: Thai and Lao, Burmese, Khmer, Han, Kana, Hangul, Javanese."""

CLOSING = {")": "(", "]": "[", "}": "{", "»": "«", "”": "“", "’": "‘", "」": "「", "』": "『", "）": "（", "】": "【"}
OPENING = {opening: closing for closing, opening in CLOSING.items()}
QUOTES = "\"'"  # which open and close alike
APOSTROPHES = "'’"
KEPT_BEFORE = "#@$£€¥§&+-−~.…'‘’ʿʾ`\"“„«(["  # may begin a mention: #tag, .50 calibre, 'Akkar
MAX_ABBREVIATION = 6  # letters: `Sept.`, `Messrs.`
KEPT_AFTER = "%‰٪#&…′″׳״་॰"  # may end one: 40 %, a Hebrew or Tibetan sign of abbreviation or syllable
TRAILING = ",;:!?،؛؟。、，；："  # ends no name, wherever it stands


def splits_word(text: str, offset: int) -> bool:
    """Say whether `offset` lies inside a word: between letters or digits, or before a combining mark or joiner.

    `_`, hyphens and apostrophes are no part of a word. Between characters of scripts without spaces anything may end.
    """
    if not 0 < offset < len(text):
        return False
    before, after = text[offset - 1], text[offset]
    if not kind_of(before) & WORD or not kind_of(after) & WORD:
        return False
    if kind_of(after) & MARK or before in JOINERS:
        return True  # a character is cut in two, whatever the script
    return not (is_unspaced(before) or is_unspaced(after))


@lru_cache(maxsize=1 << 14)
def is_unspaced(char: str) -> bool:
    """Say whether a character belongs to a script that puts no space between words."""
    code = ord(char)
    return code >= UNSPACED[0][0] and any(first <= code <= last for first, last in UNSPACED)


def is_sound(text: str, start: int, end: int) -> bool:
    """Say whether a mention may stand there: it lies in the text, cuts no word, and has no white space at its ends."""
    if not 0 <= start < end <= len(text):
        return False
    is_padded = kind_of(text[start]) & SPACE or kind_of(text[end - 1]) & SPACE
    return not is_padded and not splits_word(text, start) and not splits_word(text, end)


def stray_punctuation(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the offsets of a mark without the punctuation at its ends that belongs to no name; equal if there is none.

    Kept are a bracket or quote whose partner the mark holds (`Popular Front (PFLP)`) unless they stand around the whole, the full stop of
    a short word or of one with others in it (`Feb.`, `U.S.`), and a final apostrophe (`fighters'`). A possessive `'s` goes.
    """
    while start < end:
        inner = text[start:end]
        if _is_wrapped(inner):
            start, end = start + 1, end - 1
        elif _is_stray_end(inner):
            end -= 1
        elif _is_stray_start(inner):
            start += 1
        elif len(inner) > 2 and inner[-2] in APOSTROPHES and inner[-1] in "sS" and inner[-3].isalnum():
            end -= 2
        else:
            break
    return start, end


def _is_wrapped(inner: str) -> bool:
    """Say whether quotes or brackets stand around the whole: those of the sentence, not of the name."""
    closing = inner[0] if inner[0] in QUOTES else OPENING.get(inner[0])
    return len(inner) > 1 and inner[-1] == closing and inner[1:].count(closing) == 1


def _is_stray_end(inner: str) -> bool:
    last = inner[-1]
    if last in TRAILING or last in OPENING:
        return True
    if last in APOSTROPHES and len(inner) > 1 and inner[-2].isalnum():
        return False  # `fighters'`, and a quote that was opened inside
    if last in CLOSING:
        return inner.count(CLOSING[last]) < inner.count(last)
    if last in QUOTES:
        return inner.count(last) % 2 == 1 and not inner[-2:-1].isdigit()  # 5" guns
    if last == ".":
        return _ends_sentence(inner)
    return last not in KEPT_AFTER and unicodedata.category(last)[0] == "P"


def _ends_sentence(inner: str) -> bool:
    """Say whether a final full stop is none of an abbreviation: the word before it is long, or a number."""
    word = inner[:-1].rsplit(maxsplit=1)[-1] if inner[:-1].strip() else ""
    return "." not in word and (len(word) > MAX_ABBREVIATION or word.isdigit()) and word[-1:].isalnum()


def _is_stray_start(inner: str) -> bool:
    first = inner[0]
    if first in TRAILING or (first in CLOSING and first not in APOSTROPHES):
        return True
    if first in OPENING and first != "‘":
        return inner.count(OPENING[first]) < inner.count(first)
    if first in QUOTES[:1]:
        return inner.count(first) % 2 == 1
    return first not in KEPT_BEFORE and unicodedata.category(first)[0] == "P" and first not in QUOTES
