"""Which articles share a sentence: across formats, tokenisation, case and white space."""

import pytest
from factories import texts, write_files
from hypothesis import given
from hypothesis import strategies as st

from sitrep.articles import Article
from sitrep.formats import read_articles
from sitrep.leaks import MIN_WORDS, Withheld, fold

DOCUMENT = """Envoys met in Geneva. Gen. Ali, who left Ar-Raqqah, did n't comment on Mr. Khan's "plan." The truce holds.

MOSUL (Reuters) - Fifty-one Iraqi soldiers (from the 9th Division) were killed on 3 May, officials said."""


def withhold(*articles: Article | str) -> Withheld:
    withheld = Withheld()
    for article in articles:
        withheld.add(article if isinstance(article, Article) else Article("x", article), "test")
    return withheld


def shares(one: str, other: str) -> bool:
    return withhold(one).find(Article("y", other)) is not None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("The army said on Monday.", "It rained. THE  ARMY\nsaid on Monday!", True),
        ("“The army,” it said, “left Gao.”", '" The army , " it said , " left Gao . "', True),
        ("Mr. X met Gen. Y in St. Z at noon.", "Rain. Mr. X met Gen. Y in St. Z at noon. Sun.", True),
        ("He didn't leave the old town.", "He did n't leave the old town .", True),
        ("He did not comment.", "He did not comment. More followed on the next day.", False),  # four words
        ("The army said on Monday.", "The army said on Tuesday.", False),
        ("The army said on Monday.", "The army said, on Sunday: Monday.", False),
        ("I am in it now.", "He said: I am in it now. So he was.", True),  # five words of few letters
        ("I am in it.", "He said: I am in it. So he was.", False),
        ("", "The army said on Monday.", False),
        ("غادرت القوات المدينة يوم الاثنين الماضي؟", "قال. غادرت القوات المدينة يوم الاثنين الماضي", True),
    ],
)
def test_a_sentence_is_shared(one, other, expected):
    assert shares(one, other) is shares(other, one) is expected


def test_conll_sentences_and_whole_documents_find_each_other(tmp_path):
    """As the sentences of re3d_conflibert stand in the documents of re3d."""
    rows = {
        "whole": "Gen. Ali , who left Ar - Raqqah , did n't comment on Mr. Khan 's \" plan . \"",
        "behind a dateline": "Fifty - one Iraqi soldiers ( from the 9th Division ) were killed on 3 May , officials said .",
        "another": "Fifty - two Iraqi soldiers ( from the 9th Division ) were killed on 4 May , officials said .",
    }
    body = "\n\n".join("\n".join(f"{token}\tO" for token in row.split()) for row in rows.values())
    write_files(tmp_path, {"test.conll": body})
    sentences = list(read_articles(tmp_path))
    assert len(sentences) == 3
    document = Article("d", DOCUMENT)
    found = [withhold(sentence).find(document) for sentence in sentences]
    assert [leak is not None for leak in found] == [True, True, False]
    assert [withhold(document).find(sentence) is not None for sentence in sentences] == [True, True, False]
    reason, sentence = found[1]
    assert reason == "test" and sentence == fold(sentences[1].text)[0]


def test_the_first_reason_is_given():
    withheld = Withheld()
    for reason in ("dev", "test"):
        withheld.add(Article("x", "The army said on Monday."), reason)
    assert withheld.find(Article("y", "The army said on Monday."))[0] == "dev"


@given(before=texts(max_size=30), after=texts(max_size=30), words=st.lists(st.sampled_from(["Gao", "army", "left", "Ségou"]), min_size=5))
def test_a_sentence_is_found_whatever_stands_around_it(before, after, words):
    sentence = " ".join(words)
    text = f"{before}\n{sentence}.\n{after}"
    assert shares(sentence, text) and shares(text, sentence)
    assert len(fold(sentence)[1]) >= MIN_WORDS
