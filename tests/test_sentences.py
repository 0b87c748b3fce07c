"""Sentences around mentions."""

from factories import texts
from hypothesis import given
from hypothesis import strategies as st

from sitrep.articles import Span
from sitrep.sentences import MAX_CHARS, Sentences, split_sentences

TEXT = 'He left. "They struck Gao!" she said.\nA convoy\n\nNo 3. Brigade fled to Ménaka'


def test_the_sentence_around_each_mention():
    def around(surface):
        start = TEXT.index(surface)
        return Sentences(TEXT).around(Span(start, start + len(surface), "X"))

    assert around("He") == "He left."
    assert around("Gao") == '"They struck Gao!'  # the quotation mark behind the end belongs to what parts the sentences
    assert around("convoy") == "A convoy"
    assert around("Ménaka") == "Brigade fled to Ménaka"
    assert around("3. Brigade") == "No 3. Brigade fled to Ménaka"  # from the mention's first sentence to its last


def test_a_text_without_punctuation_is_not_one_sentence():
    text = "word " * 1000
    found = Sentences(text).around(Span(2000, 2004, "X"))
    assert len(found) == MAX_CHARS + 4 and text[1500:2504] == found


@given(texts(min_size=1, max_size=60), st.data())
def test_a_sentence_holds_its_mention(text, data):
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start + 1, len(text)))
    found = Sentences(text).around(Span(start, end, "X"))
    assert text[start:end] in found and found in text
    if found != text[start:end]:  # what lies before and behind has no end of a sentence
        assert len(split_sentences(found)) <= len(split_sentences(text[start:end])) + 2
