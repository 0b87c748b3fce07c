"""Where marks may begin and end: words of any script, and the punctuation that belongs to a name."""

import pytest
from factories import texts
from hypothesis import given
from hypothesis import strategies as st

from sitrep.boundaries import is_sound, splits_word, stray_punctuation


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ("camp", "aign", True),
        ("12", "km", True),
        ("camp", " aign", False),
        ("Iran", "-backed", False),
        ("Gao", "'s", False),
        ("a", "_b", False),
        ("Gao", "", False),
        ("", "Gao", False),
        ("غز", "ة", True),
        ("e", "\u0301", True),  # a combining accent
        ("क", "ि", True),
        ("می", "\u200cرود", True),  # a joiner holds the word together
        ("می\u200c", "رود", True),
        ("北", "京", False),
        ("東京", "は", False),
        ("서울", "에서", False),
        ("กรุง", "เทพ", False),
        ("ก", "ุ", True),  # a vowel sign, even where words have no spaces
    ],
)
def test_a_word_is_split_between_its_letters_only(before, after, expected):
    assert splits_word(before + after, len(before)) is expected


@pytest.mark.parametrize(
    ("text", "mark", "expected"),
    [("in Gao now", "Gao", True), ("in Gao now", "Gao ", False), ("in Gao now", " Gao", False), ("in Gao now", "Ga", False)],
)
def test_a_sound_mark_covers_whole_words(text, mark, expected):
    start = text.index(mark)
    assert is_sound(text, start, start + len(mark)) is expected


@pytest.mark.parametrize(("start", "end"), [(-1, 3), (2, 2), (3, 2), (0, 4), (4, 5)])
def test_what_lies_outside_or_is_empty_is_not_sound(start, end):
    assert not is_sound("Gao", start, end)


KEPT = (
    "U.S.", "Feb.", "Jr.", "Hay'at", "fighters'", "the fighters’", "Popular Front (PFLP)", "Gao [north]", 'a "Tex" Coe', "‘Akkar",
    "'Akkar", ".50 calibre", "#Gao", "No. 5", '5" guns', "Sept.", "$5", "40%", "C#",
)  # fmt: skip
STRIPPED = (
    ("Gao,", "Gao"), ("Gao.", "Gao."), ("Timbuktu.", "Timbuktu"), ("in 2015.", "in 2015"), ('"Gao"', "Gao"), ("'Gao'", "Gao"),
    ("“Gao”", "Gao"), ("Gao)", "Gao"), ("(Gao", "Gao"), ("(Gao)", "Gao"), ("Gao's", "Gao"), ("Gao’s", "Gao"), ("Gao;,", "Gao"),
    ("—Gao", "Gao"), ("غزة،", "غزة"), ('"Gao', "Gao"), ("Gao”", "Gao"), ("Gao (north", "Gao (north"),
    ("Gao—", "Gao"), ("Gao-", "Gao"), ("*Gao*", "Gao"), ("/Gao/", "Gao"), ("•Gao", "Gao"), ("Gao।", "Gao"),
)  # fmt: skip


@pytest.mark.parametrize("mark", KEPT)
def test_punctuation_of_a_name_stays(mark):
    assert stray_punctuation(f"x {mark} x", 2, 2 + len(mark)) == (2, 2 + len(mark))


@pytest.mark.parametrize(("mark", "expected"), STRIPPED)
def test_punctuation_around_a_name_is_seen(mark, expected):
    text = f"x {mark} x"
    start, end = stray_punctuation(text, 2, 2 + len(mark))
    assert text[start:end] == expected


@given(st.data())
def test_only_the_ends_of_a_mark_are_taken_off(data):
    text = data.draw(texts(max_size=12))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    new = stray_punctuation(text, start, end)
    assert start <= new[0] <= new[1] <= end
    assert stray_punctuation(text, *new) == new
    assert not any(char.isalnum() for char in text[start : new[0]])
