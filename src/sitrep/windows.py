"""Article -> overlapping token windows, and token scores -> article: two inverse halves, plus the ledger of what was lost.

An article is tokenised whole and cut into windows of equal length. Each token is scored in the window where it has most
context. Decisions are made per word: a word is a run of tokens with no edge between two letters or digits inside it, whatever
the tokenizer's own idea of a word, so that `Iran` in `Iran-backed` can be a mention under every tokenizer. No mention crosses a
blank line, which tokenizers of the BERT family do not see.
"""

from __future__ import annotations

import itertools
import math
import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from sitrep.articles import Article, Span
from sitrep.casing import case_of
from sitrep.labels import TagSet

IGNORED = -100  # the label id that torch's cross entropy leaves out
BLANK_LINE = re.compile(r"\n\s*\n")
JOINERS = "\u200c\u200d"  # zero-width (non-)joiner: part of the letters around them


@dataclass(frozen=True)
class Lost:
    """A gold mention that the encoding cannot represent; it stands in the ledger and costs recall."""

    article_id: str
    start: int
    end: int
    label: str
    text: str
    reason: str


@dataclass(frozen=True)
class EncodedArticle:
    """The tokens of a whole article, without special tokens.

    starts, ends: code-point offsets per token; equal for a token that covers only white space
    continues:    per token, whether it continues the word of the token before it
    types:        per token, the token type that tells its word's case; None where the encoder is not told
    windows:      half-open token ranges that the encoder reads, in order, overlapping
    cores:        half-open token ranges, one a window, that share all tokens out among the windows
    """

    article: Article
    token_ids: list[int]
    starts: list[int]
    ends: list[int]
    continues: list[bool]
    types: list[int] | None
    windows: list[tuple[int, int]]
    cores: list[tuple[int, int]]


class Windower:
    """Cuts articles into windows for one tokenizer, and puts token scores back together.

    case_types: the token type for each of CASES, if the encoder is told the case of words
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, max_tokens: int, overlap: int, case_types: Sequence[int] | None = None) -> None:
        self.tokenizer = tokenizer
        self.pad_id = tokenizer.pad_token_id
        self.overlap = overlap
        self.case_types = case_types
        bare = tokenizer("a", add_special_tokens=False)["input_ids"]
        whole = tokenizer("a")["input_ids"]
        n_before = next(i for i in range(len(whole)) if whole[i : i + len(bare)] == bare)
        self.prefix, self.suffix = whole[:n_before], whole[n_before + len(bare) :]
        self.size = max_tokens - len(self.prefix) - len(self.suffix)

    def encode(self, articles: Sequence[Article]) -> list[EncodedArticle]:
        """Tokenise and cut `articles`; an article without tokens has one window without tokens."""
        if not articles:  # a tokenizer fails on none
            return []
        batch = self.tokenizer(
            [article.text for article in articles],
            add_special_tokens=False,
            truncation=False,
            padding=False,
            return_offsets_mapping=True,
            return_attention_mask=False,
            verbose=False,
        )
        return [self._cut(*row) for row in zip(articles, batch["input_ids"], batch["offset_mapping"], strict=True)]

    def _cut(self, article: Article, token_ids: list[int], offsets: list[tuple[int, int]]) -> EncodedArticle:
        extents = [_trim(article.text, start, end) for start, end in offsets]
        starts = [start for start, _ in extents]
        ends = _absorb_marks(article.text, extents)
        continues = [i > 0 and _continues(article.text, starts[i], ends[i - 1]) for i in range(len(starts))]
        types = self._types(article.text, starts, ends, continues) if self.case_types else None
        windows = cut_windows(len(token_ids), self.size, self.overlap)
        return EncodedArticle(article, token_ids, starts, ends, continues, types, windows, share_out(windows))

    def _types(self, text: str, starts: list[int], ends: list[int], continues: list[bool]) -> list[int]:
        """Return the token type of each token: all tokens of a word have that of the word's case."""
        assert self.case_types
        types: list[int] = []
        firsts = [token for token, continued in enumerate(continues) if not continued]
        for first, after in itertools.pairwise([*firsts, len(continues)]):
            types += [self.case_types[case_of(text[starts[first] : ends[after - 1]])]] * (after - first)
        return types

    def inputs(self, encoded: EncodedArticle, window: tuple[int, int]) -> dict[str, list[int]]:
        """Return what the encoder reads of one window, special tokens included: `input_ids`; `token_type_ids` if it is told the case."""
        inputs = {"input_ids": [*self.prefix, *encoded.token_ids[slice(*window)], *self.suffix]}
        if encoded.types is not None:
            inputs["token_type_ids"] = [*[0] * len(self.prefix), *encoded.types[slice(*window)], *[0] * len(self.suffix)]
        return inputs

    def tag_windows(
        self, encoded: EncodedArticle, tags: TagSet, *, first_tokens_only: bool = False
    ) -> tuple[list[dict[str, Any]], list[Lost]]:
        """Return the training rows of an article (its inputs and `labels` of equal length per window) and its ledger.

        first_tokens_only: the tokens behind the first of a word bear no label.
        """
        spans, lost = align(encoded)
        scored = scored_tokens(encoded)
        tag_ids = np.full(len(encoded.token_ids), IGNORED)
        tag_ids[scored] = tags.encode(spans, len(scored))
        if first_tokens_only:
            tag_ids[encoded.continues] = IGNORED
        before, after = [IGNORED] * len(self.prefix), [IGNORED] * len(self.suffix)
        rows = [
            {**self.inputs(encoded, window), "labels": [*before, *tag_ids[slice(*window)].tolist(), *after]} for window in encoded.windows
        ]
        return rows, lost

    def merge(self, encoded: EncodedArticle, outputs: Sequence[np.ndarray]) -> np.ndarray:
        """Return one row of scores per token, (n_tokens, n_scores), from those of each window, special tokens included."""
        parts = []
        for (start, _), (core_start, core_end), output in zip(encoded.windows, encoded.cores, outputs, strict=True):
            first = len(self.prefix) + core_start - start
            parts.append(output[first : first + core_end - core_start])
        return np.concatenate(parts)


def decode_mentions(encoded: EncodedArticle, probabilities: np.ndarray, tags: TagSet) -> Article:
    """Return the article with the mentions that `probabilities` (n_tokens, n_tags) say.

    A word takes the tag of its first token. A mention's score is the mean probability of its words' tags.
    """
    words = words_of(encoded)
    probabilities = probabilities.copy()
    probabilities[np.ix_(paragraph_starts(encoded), tags.inside_ids)] = 0
    tag_ids = [int(probabilities[first].argmax()) for first, _ in words]
    spans = []
    for first, last, label in tags.decode(tag_ids):
        score = float(np.mean([probabilities[words[word][0], tag_ids[word]] for word in range(first, last)]))
        spans.append(Span(encoded.starts[words[first][0]], encoded.ends[words[last - 1][1] - 1], label, score))
    return replace(encoded.article.bare(), spans=tuple(spans))


def words_of(encoded: EncodedArticle) -> list[tuple[int, int]]:
    """Return half-open token ranges, one a word; tokens that cover only white space belong to none."""
    words: list[tuple[int, int]] = []
    for token in scored_tokens(encoded):
        if encoded.continues[token] and words:
            words[-1] = (words[-1][0], token + 1)
        else:
            words.append((token, token + 1))
    return words


def paragraph_starts(encoded: EncodedArticle) -> list[int]:
    """Return the first token of the article and those that a blank line parts from the token before; white space is passed over."""
    scored, text = scored_tokens(encoded), encoded.article.text
    pairs = itertools.pairwise(scored)
    return [*scored[:1], *(token for before, token in pairs if BLANK_LINE.search(text, encoded.ends[before], encoded.starts[token]))]


def align(
    encoded: EncodedArticle, *, flat: bool = True, reach: Sequence[int] | None = None
) -> tuple[list[tuple[int, int, str]], list[Lost]]:
    """Return the gold mentions as (start, end, label) in positions among the scored tokens, and those that a head cannot hold.

    flat:  of overlapping mentions the one that starts first is kept, of two that start together the longer
    reach: per token, the token before which a mention that starts there must end
    """
    scored = scored_tokens(encoded)
    starts, ends = [encoded.starts[token] for token in scored], [encoded.ends[token] for token in scored]
    kept: list[tuple[int, int, str]] = []
    lost = []
    for span in sorted(encoded.article.spans, key=lambda span: (span.start, -span.end, span.label)):
        first, last = bisect_right(ends, span.start), bisect_left(starts, span.end)
        reason = None
        if first >= last:
            reason = "no token"
        elif starts[first] != span.start or ends[last - 1] != span.end:
            reason = "inside a token"
        elif encoded.continues[scored[first]] or (last < len(scored) and encoded.continues[scored[last]]):
            reason = "inside a word"
        elif BLANK_LINE.search(encoded.article.text, span.start, span.end):
            reason = "across a blank line"
        elif flat and kept and first < kept[-1][1]:
            reason = "overlapping"
        elif reach and scored[last - 1] >= reach[scored[first]]:
            reason = "past its window's end"
        if reason:
            lost.append(Lost(encoded.article.id, span.start, span.end, span.label, encoded.article.surface(span), reason))
        else:
            kept.append((first, last, span.label))
    return kept, lost


def cut_windows(n_tokens: int, size: int, overlap: int) -> list[tuple[int, int]]:
    """Return half-open ranges of at most `size` that cover `n_tokens`, as few and as equal as can be, `overlap` shared by neighbours."""
    if n_tokens <= size:
        return [(0, n_tokens)]
    n_windows = math.ceil((n_tokens - overlap) / (size - overlap))
    edges = [i * (n_tokens - overlap) // n_windows for i in range(n_windows + 1)]
    return [(start, end + overlap) for start, end in itertools.pairwise(edges)]


def recut(encoded: EncodedArticle, shift: int, size: int) -> EncodedArticle:
    """Return an article cut elsewhere, to learn from: the first window ends at `shift` (0: a whole one), and none share tokens."""
    n_tokens = len(encoded.token_ids)
    if n_tokens <= size:
        return encoded
    first = [(0, shift)] if shift else []
    windows = [*first, *((start + shift, end + shift) for start, end in cut_windows(n_tokens - shift, size, 0))]
    return replace(encoded, windows=windows, cores=windows)


def share_out(windows: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return one half-open range a window: its tokens that no other window sees from further inside. Overlaps are halved."""
    middles = [(left[1] + right[0]) // 2 for left, right in itertools.pairwise(windows)]
    return list(zip([0, *middles], [*middles, windows[-1][1]], strict=True))


def scored_tokens(encoded: EncodedArticle) -> list[int]:
    """Return the tokens that cover more than white space."""
    return [token for token, (start, end) in enumerate(zip(encoded.starts, encoded.ends, strict=True)) if start < end]


def _trim(text: str, start: int, end: int) -> tuple[int, int]:
    """Take white space off a token's ends: some tokenizers count the space before a word as the word's."""
    while start < end and text[start].isspace():
        start += 1
    while start < end and text[end - 1].isspace():
        end -= 1
    return start, end


def _absorb_marks(text: str, extents: Sequence[tuple[int, int]]) -> list[int]:
    """Return token ends moved over combining marks and joiners that no token covers, since normalisers drop them."""
    ends = [end for _, end in extents]
    following = [start for start, _ in extents[1:]] + [len(text)]
    for i, ((start, end), limit) in enumerate(zip(extents, following, strict=False)):
        if start == end:
            continue
        while ends[i] < limit and (unicodedata.category(text[ends[i]])[0] == "M" or text[ends[i]] in JOINERS):
            ends[i] += 1
    return ends


def _continues(text: str, start: int, previous_end: int) -> bool:
    """Say whether a token that starts at `start` lies in the same word as a token that ends at `previous_end`."""
    if start < previous_end:
        return True  # two tokens for parts of one character
    return start == previous_end and 0 < start < len(text) and _is_word(text[start - 1]) and _is_word(text[start])


def _is_word(char: str) -> bool:
    return char.isalnum() or char in JOINERS or unicodedata.category(char)[0] == "M"
