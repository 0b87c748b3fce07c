"""Offsets counted in other units: found with and without the text that a file states, and given back as they were."""

import pytest
from factories import make_article
from hypothesis import given, settings
from hypothesis import strategies as st

from sitrep.articles import Article, Source, Span
from sitrep.formats.faults import Mark
from sitrep.formats.marks import find_fault
from sitrep.offsets import find_moved

SOURCE = Source("x.jsonl", 3)
WORDS = (
    "Envoys",
    "met",
    "to",
    "Ségou",
    "🚁",
    "Mopti",
    "غزة",
    "after",
    "rain",
    "👩🏽\u200d🚒",
    "Gao",
    "and",
    "left",
)  # none is part of another


def utf16(text, offset):
    return len(text[:offset].encode("utf-16-le")) // 2


def utf8(text, offset):
    return len(text[:offset].encode())


def crlf(text, offset):
    return offset + text.count("\n", 0, offset)


def lf(text, offset):
    return offset - text.count("\r\n", 0, offset)


def one_more(text, offset):
    return offset + 1


COUNTINGS = {
    "in UTF-16 units": utf16,
    "in bytes of UTF-8": utf8,
    r"with line ends as \r\n, which are \n here": crlf,
    "shifted by +1": one_more,
}


def stated(article, count, *, surface):
    """Return the marks of an article with their offsets counted otherwise, and those of them that do not fit the text."""
    text = article.text
    marks = [
        Mark(count(text, span.start), count(text, span.end), span.label, article.surface(span) if surface else None, SOURCE)
        for span in article.spans
    ]
    faults = {mark for mark in marks if find_fault(mark, "a", text)}
    return marks, faults


def placed(marks, moved):
    return [moved[mark].span if mark in moved else (mark.start, mark.end) for mark in marks]


@st.composite
def articles(draw):
    """Articles of words that stand once, some of them marked, behind something that other programs count as more."""
    words = draw(st.lists(st.sampled_from(WORDS), min_size=4, max_size=13, unique=True))
    ends = draw(st.lists(st.sampled_from([" ", " ", "\n", ", "]), min_size=len(words), max_size=len(words)))
    text, spans = "🚒é\n", []
    for number, (word, end) in enumerate(zip(words, ends, strict=True)):
        if word.isalpha() and draw(st.booleans()):
            spans.append(Span(len(text), len(text) + len(word), f"L{number}"))
        text += word + end
    return Article("a", text, tuple(spans))


@settings(max_examples=200, deadline=None)
@given(articles(), st.sampled_from([utf16, utf8, crlf, one_more]))
def test_what_the_file_states_gives_every_mark_its_place_back(article, count):
    marks, faults = stated(article, count, surface=True)
    moved = find_moved(article.text, [mark for mark in marks if mark not in faults], [mark for mark in marks if mark in faults])
    assert placed(marks, moved) == [(span.start, span.end) for span in article.spans]
    assert all(to.is_stated for to in moved.values())


MARKED = "🚁 A [bomb](WEAPON) in [Ségou](LOCATION) 🚁\nkilled [Amina Sow](PERSON) near [Mopti](LOCATION)\non [Monday](DATE)."


@pytest.mark.parametrize("surface", [True, False])
@pytest.mark.parametrize("units", COUNTINGS)
def test_each_way_of_counting_is_named(units, surface):
    article = make_article("a", MARKED)
    marks, faults = stated(article, COUNTINGS[units], surface=surface)
    moved = find_moved(article.text, [mark for mark in marks if mark not in faults], [mark for mark in marks if mark in faults])
    assert placed(marks, moved) == [(span.start, span.end) for span in article.spans]
    assert {(to.units, to.is_stated) for to in moved.values()} == {(units, surface)}


@pytest.mark.parametrize("surface", [True, False])
def test_line_ends_may_have_been_shorter(surface):
    text = MARKED.replace("\n", "\r\n")
    article = make_article("a", text)
    marks, faults = stated(article, lf, surface=surface)
    moved = find_moved(article.text, [mark for mark in marks if mark not in faults], [mark for mark in marks if mark in faults])
    assert placed(marks, moved) == [(span.start, span.end) for span in article.spans]
    assert {to.units for to in moved.values()} == {r"with line ends as \n, which are \r\n here"}


def test_marks_that_are_sound_stay_where_they_are():
    article = make_article("a", MARKED)
    marks = [Mark(span.start, span.end, span.label, None, SOURCE) for span in article.spans]
    assert find_moved(article.text, marks, []) == {}


def test_one_slip_among_many_sound_marks_is_no_shift():
    article = make_article("a", MARKED)
    marks = [Mark(span.start, span.end, span.label, None, SOURCE) for span in article.spans]
    marks[2] = Mark(marks[2].start, marks[2].end + 1, "PERSON", None, SOURCE)
    assert find_moved(article.text, marks, []) == {}


def test_a_stated_text_that_stands_nowhere_has_no_place():
    mark = Mark(0, 4, "LOCATION", "Bamako", SOURCE)
    assert find_moved("Rain in Gao.", [], [mark]) == {}


def test_a_stated_text_that_stands_in_several_places_is_a_guess():
    text = "Gao and Gao and Gao."
    mark = Mark(9, 12, "LOCATION", "Gao", SOURCE)
    moved = find_moved(text, [], [mark])[mark]
    assert moved.span == (8, 11) and not moved.is_stated
    alone = Mark(5, 8, "LOCATION", "Gao", SOURCE)
    assert find_moved("Rain Gao", [], [Mark(4, 7, "LOCATION", "Gao", SOURCE)]).popitem()[1].is_stated
    assert find_moved("Rain in Gao", [], [alone])[alone].units == "shifted by -3"


def test_a_stated_text_is_found_in_whole_words_first():
    mark = Mark(0, 4, "LOCATION", "camp", SOURCE)
    assert find_moved("campaign near the camp", [], [mark])[mark].span == (18, 22)


def test_a_shift_of_two_marks_is_not_believed_without_their_text():
    article = make_article("a", "In [Gao](LOCATION) and [Mopti](LOCATION).")
    marks, _ = stated(article, one_more, surface=False)
    assert find_moved(article.text, marks, []) == {}
