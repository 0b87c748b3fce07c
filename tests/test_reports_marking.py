"""Marked text: joined segments are the text, and each span covers exactly its own."""

from factories import texts
from hypothesis import given
from hypothesis import strategies as st

from sitrep.reports.marking import Segment, paragraph_ends, segment


def test_nested_and_crossing_spans_are_cut_at_every_boundary():
    assert list(segment("abcdefgh", [(1, 6), (2, 4), (5, 7)])) == [
        Segment("a", (), ()),
        Segment("b", (0,), ()),
        Segment("cd", (0, 1), (1,)),
        Segment("e", (0,), ()),
        Segment("f", (0, 2), (0,)),
        Segment("g", (2,), (2,)),
        Segment("h", (), ()),
    ]


@st.composite
def marked_texts(draw):
    text = draw(texts(max_size=40))
    end = st.integers(0, len(text))
    pairs = st.tuples(end, end).filter(lambda pair: pair[0] < pair[1])
    return text, draw(st.lists(pairs, max_size=8)) if text else []


@given(marked_texts())
def test_segments_are_the_text_and_each_span_is_covered_exactly(marked):
    text, spans = marked
    segments = list(segment(text, spans, paragraph_ends(text)))
    assert "".join(part.text for part in segments) == text
    for index, (start, end) in enumerate(spans):
        assert "".join(part.text for part in segments if index in part.spans) == text[start:end]
        assert [index in part.ends for part in segments].count(True) == 1
        assert [part for part in segments if index in part.spans][-1].ends.count(index) == 1


@given(texts(max_size=40))
def test_paragraphs_end_behind_their_line_ends(text):
    ends = paragraph_ends(text)
    pieces = [text[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    assert "".join(pieces) == text
    assert all("\n" not in piece.rstrip("\n") for piece in pieces)
