"""Arrays of the characters of a text against the plain definitions, token by token."""

import itertools
import unicodedata

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from test_windows import GAPS, LETTERS, WORDS, articles_of_anything, every_tokenizer, windower

from sitrep.articles import Article
from sitrep.characters import CASES, JOINERS, Characters
from sitrep.windows import BLANK_LINE


def trim(text: str, start: int, end: int) -> tuple[int, int]:
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def is_mark(char: str) -> bool:
    return unicodedata.category(char)[0] == "M" or char in JOINERS


def absorb_marks(text: str, extents: list[tuple[int, int]]) -> list[int]:
    ends = [end for _, end in extents]
    following = [start for start, _ in extents[1:]] + [len(text)]
    for i, ((start, end), limit) in enumerate(zip(extents, following, strict=False)):
        while start < end and ends[i] < limit and is_mark(text[ends[i]]):
            ends[i] += 1
    return ends


def continues(text: str, start: int, previous_end: int) -> bool:
    if start < previous_end:
        return True  # two tokens for parts of one character
    sides = text[start - 1 : start + 1] if 0 < start < len(text) else "-"
    return start == previous_end and all(char.isalnum() or is_mark(char) for char in sides)


def case_of(word: str) -> int:
    if word == word.lower():
        return 0
    if len(word) > 1 and word == word.upper():
        return 2
    return 1 if word[1:] == word[1:].lower() else 3


@st.composite
def tokens(draw):
    """A text and tokens of it: in order, touching or apart, some empty, some for parts of the same character."""
    text = draw(st.lists(LETTERS | WORDS | GAPS | st.text(max_size=3), max_size=12).map("".join))
    extents, position = [], 0
    while position < len(text) and draw(st.integers(0, 20)):
        start = min(len(text), position + draw(st.sampled_from([0, 0, 0, 0, 1, 2])))
        position = min(len(text), start + draw(st.integers(0, 5)))
        extents += [(start, position)] * draw(st.sampled_from([1, 1, 1, 2]))
    return text, extents


@given(tokens())
def test_tokens_are_trimmed_and_joined_as_defined(case):
    text, extents = case
    starts, ends = np.array(extents, dtype=np.int64).reshape(-1, 2).T
    characters = Characters(text)
    trimmed = [trim(text, *extent) for extent in extents]
    starts, ends = characters.trim(starts, ends)
    assert list(zip(starts.tolist(), ends.tolist(), strict=True)) == trimmed
    absorbed = absorb_marks(text, trimmed)
    ends = characters.absorb_marks(starts, ends)
    assert ends.tolist() == absorbed
    expected = [i > 0 and continues(text, trimmed[i][0], absorbed[i - 1]) for i in range(len(extents))]
    assert characters.continues(starts, ends).tolist() == expected


@example("ΟΔΟΣ οδός ŉ İI ǅ ß ﬁ ẞ")
@given(st.lists(LETTERS | WORDS | st.text(max_size=4), max_size=12).map(" ".join))
def test_cases_are_those_of_the_words(text):
    edges = [(start, end) for start in range(len(text) + 1) for end in range(start, min(start + 5, len(text) + 1))]
    starts, ends = np.array(edges).T
    assert Characters(text).cases(starts, ends).tolist() == [case_of(text[start:end]) for start, end in edges]


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("lower", "gao 350 62nd ß ﬁ يوم 東京 ง"),
        ("title", "Gao A Élan Ωμέγα Mi8 Ǆ"),
        ("upper", "US G7 M4 ЦАР"),
        ("mixed", "McCain iPhone eU MiG"),
    ],
)
def test_each_word_has_a_case(case, words):
    for word in words.split():
        assert [CASES[index] for index in Characters(word).cases(np.array([0]), np.array([len(word)]))] == [case]


@every_tokenizer
@given(article=articles_of_anything())
def test_articles_are_encoded_as_defined(kind, article):
    cutter, text = windower(kind), article.text
    (encoded,) = cutter.encode([Article("a", text)])
    raw = cutter.tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
    trimmed = [trim(text, *offsets) for offsets in raw["offset_mapping"]]
    absorbed = absorb_marks(text, trimmed)
    assert encoded.token_ids.tolist() == raw["input_ids"]
    assert encoded.starts.tolist() == [start for start, _ in trimmed] and encoded.ends.tolist() == absorbed
    scored = [token for token, (start, _) in enumerate(trimmed) if start < absorbed[token]]
    words: list[list[int]] = []
    for token in scored:
        if words and continues(text, trimmed[token][0], absorbed[token - 1]):
            words[-1][1] = token + 1
        else:
            words.append([token, token + 1])
    assert encoded.scored.tolist() == scored and encoded.words.tolist() == words
    pairs = itertools.pairwise(scored)
    parted = [token for before, token in pairs if BLANK_LINE.search(text, absorbed[before], trimmed[token][0])]
    assert encoded.paragraph_starts == [*scored[:1], *parted]
