"""Windows: what goes in comes out, whatever the text and the tokenizer; what cannot is in the ledger."""

import itertools
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny import KINDS, project_sentences, train_tokenizer

from sitrep.articles import Article, Span
from sitrep.labels import TagSet
from sitrep.sampling import batches_by_length
from sitrep.windows import IGNORED, EncodedArticle, Windower, align, cut_windows, decode_mentions, recut, share_out

TAGS = TagSet(("PERSON", "LOCATION"))

every_tokenizer = pytest.mark.parametrize("kind", KINDS)


@cache
def windower(kind: str, max_tokens: int = 12, overlap: int = 4) -> Windower:
    return Windower(train_tokenizer(kind, project_sentences()), max_tokens, overlap)


def through_tags(windower: Windower, article: Article) -> tuple[Article, list]:
    """Return the article that its own tags decode to, by way of the windows, and what was lost."""
    (encoded,) = windower.encode([article])
    rows, lost = windower.tag_windows(encoded, TAGS)
    one_hot = np.eye(len(TAGS.tags))
    outputs = [one_hot[np.maximum(row["labels"], 0)] for row in rows]
    return decode_mentions(encoded, windower.merge(encoded, outputs), TAGS), lost


def as_set(items) -> set:
    return {(item.start, item.end, item.label) for item in items}


LETTERS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=6)
WORDS = st.sampled_from(
    [
        "Gao",
        "Iran",
        "Ség\u0301ou",
        "e\u0301te\u0301",
        "مُقَاتِلِين",
        "می\u200cروند",
        "नमस्ते",
        "北京",
        "👩\u200d👩\u200d👧",
        "🚁",
        "İstanbul",
        "ﬁre",
    ]
)
GAPS = st.sampled_from([" ", "  ", "\n", "\r\n", "\t", "\n\n", "\u00a0", "\u3000", ", ", "-", "/", "‘", "…", " – "])


@st.composite
def articles_of_words(draw) -> Article:
    """Any words with spaces or punctuation between them; some runs of whole words are mentions, none across a blank line."""
    text, spans, opened = draw(st.sampled_from(["", " ", "\n", "«"])), [], None
    for word in draw(st.lists(LETTERS | WORDS, min_size=1, max_size=30)):
        opened = len(text) if opened is None and draw(st.booleans()) else opened
        text += word
        if opened is not None and draw(st.booleans()):
            spans.append(Span(opened, len(text), draw(st.sampled_from(TAGS.labels))))
            opened = None
        text += (gap := draw(GAPS))
        opened = None if gap == "\n\n" else opened
    return Article("a", text, tuple(spans))


@st.composite
def articles_of_anything(draw) -> Article:
    """Any text with any spans, nested, touching and overlapping ones too."""
    text = draw(st.text(max_size=80) | st.lists(LETTERS | WORDS | GAPS | st.text(max_size=3), max_size=20).map("".join))
    edges = st.lists(st.integers(0, len(text)), min_size=2, max_size=2, unique=True).map(sorted)
    pairs = draw(st.lists(st.tuples(edges, st.sampled_from(TAGS.labels)), max_size=8)) if text else []
    return Article("a", text, tuple(sorted({Span(start, end, label) for (start, end), label in pairs})))


@every_tokenizer
@given(article=articles_of_words())
def test_whole_words_of_any_script_come_back_as_they_were(kind, article):
    decoded, lost = through_tags(windower(kind), article)
    if kind == "unigram":  # fuses neighbouring characters that it does not know, punctuation too, into one token
        assert {entry.reason for entry in lost} <= {"inside a token"}
        gone = {(entry.start, entry.end) for entry in lost}
        article = replace(article, spans=tuple(span for span in article.spans if (span.start, span.end) not in gone))
    else:
        assert not lost
    assert decoded == article


@every_tokenizer
@given(article=articles_of_anything())
def test_what_is_kept_comes_back_and_the_rest_is_in_the_ledger(kind, article):
    decoded, lost = through_tags(windower(kind), article)
    assert decoded.text == article.text
    assert as_set(decoded.spans) | as_set(lost) == as_set(article.spans)
    assert len(decoded.spans) + len(lost) == len(article.spans)
    assert all(entry.text == article.text[entry.start : entry.end] and entry.reason for entry in lost)


@every_tokenizer
@pytest.mark.parametrize(
    ("text", "surface"),
    [("An Iran-backed militia", "Iran"), ("Iran's army", "Iran"), ("the (Iran) talks", "Iran"), ("anti-Iran", "Iran"), ("to Iran.", "Iran"),
     ("U.S.-led", "U.S."), ("He is 35.", "35")],
)  # fmt: skip
def test_a_word_next_to_punctuation_can_be_a_mention(kind, text, surface):
    start = text.index(surface)
    article = Article("a", text, (Span(start, start + len(surface), "LOCATION"),))
    assert through_tags(windower(kind), article) == (article, [])


@every_tokenizer
@pytest.mark.parametrize(
    ("text", "spans", "reason"),
    [("Iranians met", [(0, 4)], "inside a word|inside a token"), ("in Gao city", [(3, 6), (3, 11)], "overlapping"),
     ("in Gao city", [(3, 11), (7, 11)], "overlapping"), ("Gao   now", [(3, 5)], "no token"), ("in Gao", [(2, 6)], "inside a token"),
     ("Gao\n\nDiffa", [(0, 10)], "across a blank line"), ("Gao\r\n \r\nDiffa", [(0, 13)], "across a blank line")],
)  # fmt: skip
def test_the_ledger_says_why(kind, text, spans, reason):
    article = Article("a", text, tuple(Span(*span, "LOCATION") for span in spans))
    (encoded,) = windower(kind).encode([article])
    kept, lost = align(encoded)
    assert len(kept) == len(spans) - 1
    assert [entry.reason for entry in lost] in [[one] for one in reason.split("|")]


def test_no_articles_are_no_windows():
    assert windower("wordpiece").encode([]) == []


@every_tokenizer
def test_an_article_longer_than_a_window_is_read_whole(kind):
    text = "\r\n\r\n".join(f"Gunmen number {i} left Gao for Diffa ." for i in range(40))
    spans = tuple(Span(i, i + 3, "LOCATION") for i in range(len(text)) if text.startswith("Gao", i))
    article = Article("a", text, spans)
    (encoded,) = windower(kind).encode([article])
    assert len(encoded.windows) > 10
    assert through_tags(windower(kind), article) == (article, [])


@every_tokenizer
@pytest.mark.parametrize("text", ["", " ", "\n\n"])
def test_an_article_without_words_has_one_window_and_no_mention(kind, text):
    (encoded,) = windower(kind).encode([Article("a", text)])
    assert len(encoded.windows) == 1
    assert through_tags(windower(kind), Article("a", text)) == (Article("a", text), [])


@every_tokenizer
def test_windows_carry_special_tokens_that_bear_no_label(kind):
    cutter = windower(kind)
    article = Article("a", "Gunmen left Gao . " * 9, (Span(12, 15, "LOCATION"),))
    rows, _ = cutter.tag_windows(*cutter.encode([article]), TAGS)
    special = {cutter.tokenizer.cls_token_id, cutter.tokenizer.sep_token_id}
    assert all(len(row["input_ids"]) == len(row["labels"]) <= 12 for row in rows)
    for row in rows:
        assert row["input_ids"][-1] == cutter.tokenizer.sep_token_id
        assert all(label == IGNORED for token, label in zip(row["input_ids"], row["labels"], strict=True) if token in special)


def test_a_word_takes_the_tag_of_its_first_token_and_a_mention_the_mean_score_of_its_words():
    (encoded,) = windower("wordpiece").encode([Article("a", "Ouagadougoo Gao")])
    second = len(encoded.token_ids) - next(i for i, more in enumerate(reversed(encoded.continues)) if not more) - 1
    assert second > 1  # the first word has several tokens
    probabilities = np.zeros((len(encoded.token_ids), len(TAGS.tags)))
    probabilities[:, 0] = 1  # O, also for the rest of the first word
    probabilities[0] = [0.1, 0.8, 0.1, 0, 0]
    probabilities[second] = [0.4, 0, 0.6, 0, 0]
    (span,) = decode_mentions(encoded, probabilities, TAGS).spans
    assert (span.start, span.end, span.label) == (0, 15, "PERSON")
    assert span.score == pytest.approx(0.7)


@given(n_tokens=st.integers(0, 2000), size=st.integers(2, 300), data=st.data())
def test_windows_cover_all_tokens_with_the_overlap_asked_for(n_tokens, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    windows = cut_windows(n_tokens, size, overlap)
    lengths = [end - start for start, end in windows]
    assert (windows[0][0], windows[-1][1]) == (0, n_tokens)
    assert max(lengths) <= size and max(lengths) - min(lengths) <= 1
    assert all(left[1] - right[0] == overlap for left, right in itertools.pairwise(windows))
    if len(windows) > 1:
        assert len(windows) - 1 < (n_tokens - overlap) / (size - overlap)  # one window less would not do


@given(n_tokens=st.integers(1, 600), size=st.integers(4, 60), data=st.data())
def test_cores_share_tokens_out_to_the_window_with_most_context(n_tokens, size, data):
    windows = cut_windows(n_tokens, size, data.draw(st.integers(0, size // 2)))
    cores = share_out(windows)
    assert [token for core in cores for token in range(*core)] == list(range(n_tokens))

    def context(token: int, window: tuple[int, int]) -> float:
        left = token - window[0] if window[0] else np.inf
        right = window[1] - 1 - token if window[1] < n_tokens else np.inf
        return min(left, right) if window[0] <= token < window[1] else -1

    for window, core in zip(windows, cores, strict=True):
        assert all(context(token, window) == max(context(token, other) for other in windows) for token in range(*core))


@given(lengths=st.lists(st.integers(1, 60), max_size=40), max_tokens=st.integers(1, 200))
def test_batches_hold_every_row_once_and_stay_within_the_budget(lengths, max_tokens):
    batches = list(batches_by_length(lengths, max_tokens))
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(len(batch) == 1 or len(batch) * max(lengths[i] for i in batch) <= max_tokens for batch in batches)


@given(n_tokens=st.integers(1, 200), size=st.integers(2, 40), data=st.data())
def test_articles_cut_elsewhere_lose_and_share_no_token(n_tokens, size, data):
    shift = data.draw(st.integers(0, size - 1))
    encoded = EncodedArticle(Article("a", "x"), [0] * n_tokens, [], [], [], None, [(0, n_tokens)], [(0, n_tokens)])
    windows = recut(encoded, shift, size).windows
    assert [token for start, end in windows for token in range(start, end)] == list(range(n_tokens))
    assert all(0 < end - start <= size for start, end in windows)
    assert n_tokens <= size or shift in {0, windows[0][1]}
