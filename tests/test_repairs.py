"""Repairs: what is safe is mended, labels never change, every change is listed, and what was shifted comes back as it was."""

from collections import Counter

import pytest
from factories import make_article, texts
from hypothesis import given, settings
from hypothesis import strategies as st
from test_offsets import COUNTINGS, articles, utf16

from sitrep.articles import Article, Source, Span
from sitrep.checks import check_subject
from sitrep.formats import faults as kinds
from sitrep.formats.faults import Fault, Mark
from sitrep.formats.marks import find_fault
from sitrep.repairs import LEFT_OFF, repair
from sitrep.subjects import Subject

SOURCE = Source("x.jsonl", 4)


def mend(article, faults=(), fix="safe"):
    return repair(article, faults, check_subject(Subject(article, faults)), fix)


def as_read(article, marks):
    """Return the article of these marks and their faults, as a reader hands them over."""
    faults = [fault for mark in marks if (fault := find_fault(mark, article.id, article.text))]
    left_off = [fault.mark for fault in faults if fault.kind != kinds.SURFACE]
    spans = tuple(Span(mark.start, mark.end, mark.label, mark.score) for mark in marks if mark not in left_off)
    return Article(article.id, article.text, spans, source=SOURCE), faults


def counted_otherwise(article, count, *, surface=True):
    text = article.text
    return [
        Mark(count(text, s.start), count(text, s.end), s.label, article.surface(s) if surface else None, SOURCE, s.score)
        for s in article.spans
    ]


def test_a_sound_article_stays_the_same():
    article = make_article("a", "[Ali](PERSON) in [Gao](LOCATION).")
    assert mend(article) == (article, [])


def test_white_space_is_trimmed_and_scores_stay():
    article = Article("a", "in Gao now", (Span(2, 7, "LOCATION", 0.5),), source=SOURCE)
    mended, changes = mend(article)
    assert mended.spans == (Span(3, 6, "LOCATION"),) and mended.spans[0].score == 0.5
    assert list(map(str, changes)) == ["x.jsonl:4: a: LOCATION [2, 7) ' Gao ' -> LOCATION [3, 6) 'Gao' (space)"]


def test_the_second_of_two_equal_marks_goes():
    span = Span(3, 6, "LOCATION")
    mended, changes = mend(Article("a", "in Gao", (span, span), source=SOURCE))
    assert mended.spans == (span,)
    assert list(map(str, changes)) == ["x.jsonl:4: a: LOCATION [3, 6) 'Gao' -> removed (it stands twice)"]


def test_a_mark_that_equals_another_once_trimmed_goes_too():
    mended, changes = mend(Article("a", "in Gao", (Span(3, 6, "LOCATION"), Span(2, 6, "LOCATION"))))
    assert mended.spans == (Span(3, 6, "LOCATION"),)
    assert [change.after is None for change in changes] == [False, True]


@pytest.mark.parametrize(
    "article",
    [
        Article("a", "in Gao,", (Span(3, 7, "LOCATION"),)),  # punctuation
        Article("a", "the campaign", (Span(0, 8, "X"),)),  # half a word
        Article("a", "in Gao", (Span(3, 6, "A"), Span(3, 6, "B"))),  # two labels
        Article("a", "in  Gao", (Span(2, 4, "LOCATION"),)),  # nothing but white space
    ],
)
def test_what_needs_a_guess_stays(article):
    assert mend(article, fix="offsets") == (article, [])


def test_marks_without_a_place_are_listed_as_left_off():
    faults = [Fault(kinds.EMPTY, "a", Mark(2, 2, "LOCATION", None, SOURCE), "why")]
    mended, changes = mend(Article("a", "in Gao", source=SOURCE), faults)
    assert mended.spans == ()
    assert [(change.after, change.why) for change in changes] == [(None, LEFT_OFF)]


def test_a_duplicate_that_the_reader_left_off_is_listed():
    faults = [Fault(kinds.DUPLICATE, "a", Mark(3, 6, "LOCATION", "Gao", SOURCE), "why")]
    article = Article("a", "in Gao", (Span(3, 6, "LOCATION"),))
    mended, changes = mend(article, faults)
    assert mended == article
    assert list(map(str, changes)) == ["x.jsonl:4: a: LOCATION [3, 6) 'Gao' -> removed (it stands twice)"]


def test_a_value_that_will_be_stated_anew_is_listed():
    article = Article("a", "“Tex”", (Span(0, 5, "PERSON"),))
    mended, changes = mend(article, [Fault(kinds.SURFACE, "a", Mark(0, 5, "PERSON", "'Tex'", SOURCE), "why")])
    assert mended == article
    assert list(map(str, changes)) == ["""x.jsonl:4: a: PERSON [0, 5) "'Tex'" -> PERSON [0, 5) '“Tex”' (as the text reads)"""]


def test_offsets_without_a_stated_text_are_moved_only_when_asked():
    article = make_article("a", "🚁 In [Gao](LOCATION) and [Mopti](LOCATION), then rain.")
    shifted, faults = as_read(article, counted_otherwise(article, utf16, surface=False))
    assert mend(shifted, faults) == (shifted, [])
    mended, changes = mend(shifted, faults, fix="offsets")
    assert mended.spans == article.spans
    assert str(changes[0]) == "x.jsonl:4: a: LOCATION [6, 9) 'ao ' -> LOCATION [5, 8) 'Gao' (in UTF-16 units)"


@pytest.mark.parametrize("units", COUNTINGS)
def test_a_mark_beyond_the_end_comes_back_in_the_order_of_the_text(units):
    article = make_article("a", "🚁é\nIn [Gao](LOCATION) and [Mopti](LOCATION)")
    shifted, faults = as_read(article, counted_otherwise(article, COUNTINGS[units]))
    assert kinds.OUTSIDE in {fault.kind for fault in faults}
    mended, changes = mend(shifted, faults)
    assert mended.spans == article.spans and len(changes) == 2


@settings(max_examples=150, deadline=None)
@given(articles())
def test_marks_of_other_units_are_repaired_to_the_original(article):
    for count in COUNTINGS.values():
        marks = counted_otherwise(article, count)
        shifted, faults = as_read(article, marks)
        mended, changes = mend(shifted, faults)
        assert sorted(mended.spans) == sorted(article.spans)
        assert len(changes) == sum(mark.start != span.start for mark, span in zip(marks, article.spans, strict=True))
        assert mend(mended) == (mended, [])


@pytest.mark.parametrize(("first", "second"), [("Gao", "Ali"), ("Ali", "Zoe")])
def test_equal_marks_that_state_different_texts_stay(first, second):
    article, faults = as_read(Article("a", "Gao Ali Zoe"), [Mark(0, 3, "X", first, SOURCE), Mark(0, 3, "X", second, SOURCE)])
    mended, changes = mend(article, faults)
    assert mended.spans == (Span(0, 3, "X"),)
    assert {change.why for change in changes} == {"it stands twice", "as the text reads"}


@pytest.mark.parametrize(
    ("text", "marks", "moved"),
    [
        ("The bus from BUSHEHR left the United States.", [(30, 43, "US")], []),  # inside a word
        ("Malian forces left Mali.", [(0, 6, "Mali"), (19, 23, "Mali")], []),  # where a mark of this label stands
        ("The river Gao, the town Mopti.", [(10, 13, "Mopti")], []),  # both are whole words: who knows
        ("Rain in Gao.", [(7, 10, "Gao"), (9, 12, "Gao")], []),  # one place for two marks
        ("Rain in Gao.", [(9, 12, "Gao")], [(8, 11)]),
        ("Rain in Gao.", [(90, 93, "Gao")], [(8, 11)]),
    ],
)
def test_a_stated_text_that_stands_once_is_followed_only_where_nothing_is_guessed(text, marks, moved):
    article, faults = as_read(Article("a", text), [Mark(start, end, "LOCATION", surface, SOURCE) for start, end, surface in marks])
    mended, _ = mend(article, faults)
    assert [(span.start, span.end) for span in mended.spans] == (moved or [(span.start, span.end) for span in article.spans])


@pytest.mark.parametrize("surface", ["Gao", None])
def test_absurd_offsets_lie_outside(surface):
    article, faults = as_read(Article("a", "Rain in Gao."), [Mark(10**30, 10**30 + 3, "LOCATION", surface, SOURCE)])
    assert [finding.rule for finding in check_subject(Subject(article, faults))] == ["outside"]
    assert [change.why for change in mend(article, faults, "offsets")[1]] == [LEFT_OFF]


@st.composite
def anything(draw):
    """Any text with any marks, of which some fit and some do not, as a reader hands them over."""
    text = draw(texts(max_size=30))
    offset = st.integers(-2, len(text) + 3)
    stated = st.one_of(st.none(), texts(max_size=3), st.just(text[1:4]))
    rows = draw(st.lists(st.tuples(offset, offset, st.sampled_from("AB"), stated), max_size=8))
    article, faults = as_read(Article("a", text), [Mark(start, end, label, surface, SOURCE) for start, end, label, surface in rows])
    return article, faults, len(rows)


@settings(max_examples=300, deadline=None)
@given(anything(), st.sampled_from(["safe", "offsets"]))
def test_whatever_is_marked_is_judged_and_mended_once(given_article, fix):
    article, faults, n_marks = given_article
    mended, changes = mend(article, faults, fix)
    gone = sum(change.after is None for change in changes)
    assert len(mended.spans) + gone == n_marks  # none is lost without a line
    assert all("\n" not in str(change) for change in changes)
    before = Counter(span.label for span in article.spans) + Counter(fault.mark.label for fault in faults if fault.kind != kinds.SURFACE)
    assert Counter(span.label for span in mended.spans) <= before
    trimmed, _ = mend(mended)  # what was moved may hold white space
    assert mend(trimmed) == (trimmed, [])
