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
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from transformers import PreTrainedTokenizerBase

from sitrep.articles import Article, Span
from sitrep.characters import Characters
from sitrep.labels import TagSet

IGNORED = -100  # the label id that torch's cross entropy leaves out
BLANK_LINE = re.compile(r"\n\s*\n")


@dataclass(frozen=True)
class Lost:
    """A gold mention that the encoding cannot represent; it stands in the ledger and costs recall."""

    article_id: str
    start: int
    end: int
    label: str
    text: str
    reason: str


@dataclass(frozen=True, eq=False)
class EncodedArticle:
    """The tokens of a whole article, without special tokens; whole numbers but for `continues`, (n_tokens,) each.

    starts, ends: code-point offsets per token; equal for a token that covers only white space
    continues:    per token, whether it continues the word of the token before it
    types:        per token, the token type that tells its word's case; None where the encoder is not told
    windows:      half-open token ranges that the encoder reads, in order, overlapping
    cores:        half-open token ranges, one a window, that share all tokens out among the windows
    """

    article: Article
    token_ids: np.ndarray
    starts: np.ndarray
    ends: np.ndarray
    continues: np.ndarray
    types: np.ndarray | None
    windows: list[tuple[int, int]]
    cores: list[tuple[int, int]]

    @cached_property
    def scored(self) -> np.ndarray:
        """The tokens that cover more than white space."""
        return np.flatnonzero(self.starts < self.ends)

    @cached_property
    def words(self) -> np.ndarray:
        """Half-open token ranges, (n_words, 2); tokens that cover only white space belong to none."""
        scored = self.scored
        opens = np.flatnonzero(~self.continues[scored] | (np.arange(len(scored)) == 0))
        last = np.append(opens[1:], len(scored))[: len(opens)] - 1
        return np.stack([scored[opens], scored[last] + 1], axis=1)

    @cached_property
    def paragraph_starts(self) -> list[int]:
        """The first token and those that a blank line parts from the token before; white space is passed over."""
        scored, text = self.scored, self.article.text
        gaps = zip(self.ends[scored[:-1]].tolist(), self.starts[scored[1:]].tolist(), scored[1:].tolist(), strict=True)
        return [*scored[:1].tolist(), *(token for end, start, token in gaps if start - end > 1 and BLANK_LINE.search(text, end, start))]


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

    @cached_property
    def key(self) -> tuple[Any, ...]:
        """What is equal for two that cut all articles alike."""
        special = (tuple(self.prefix), tuple(self.suffix), self.pad_id)
        return self.size, self.overlap, special, tuple(self.case_types or ()), self.tokenizer.backend_tokenizer.to_str()

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
        flat = np.fromiter(itertools.chain.from_iterable(offsets), dtype=np.int64, count=2 * len(offsets))
        characters = Characters(article.text)
        starts, ends = characters.trim(flat[::2], flat[1::2])
        ends = characters.absorb_marks(starts, ends)
        continues = characters.continues(starts, ends)
        types = self._types(characters, starts, ends, continues) if self.case_types else None
        windows = cut_windows(len(token_ids), self.size, self.overlap)
        return EncodedArticle(article, np.array(token_ids, dtype=np.int64), starts, ends, continues, types, windows, share_out(windows))

    def _types(self, characters: Characters, starts: np.ndarray, ends: np.ndarray, continues: np.ndarray) -> np.ndarray:
        """Return the token type of each token: all tokens of a word have that of the word's case."""
        firsts = np.flatnonzero(~continues)
        afters = np.append(firsts, len(continues))[1:]
        return np.repeat(np.array(self.case_types)[characters.cases(starts[firsts], ends[afters - 1])], afters - firsts)

    def inputs(self, encoded: EncodedArticle, window: tuple[int, int]) -> dict[str, list[int]]:
        """Return what the encoder reads of one window, special tokens included: `input_ids`; `token_type_ids` if it is told the case."""
        inputs = {"input_ids": [*self.prefix, *encoded.token_ids[slice(*window)].tolist(), *self.suffix]}
        if encoded.types is not None:
            inputs["token_type_ids"] = [*[0] * len(self.prefix), *encoded.types[slice(*window)].tolist(), *[0] * len(self.suffix)]
        return inputs

    def tag_windows(
        self, encoded: EncodedArticle, tags: TagSet, *, first_tokens_only: bool = False
    ) -> tuple[list[dict[str, Any]], list[Lost]]:
        """Return the training rows of an article (its inputs and `labels` of equal length per window) and its ledger.

        first_tokens_only: the tokens behind the first of a word bear no label.
        """
        spans, lost = align(encoded)
        tag_ids = np.full(len(encoded.token_ids), IGNORED)
        tag_ids[encoded.scored] = tags.encode(spans, len(encoded.scored))
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
    probabilities = probabilities.copy()
    probabilities[np.ix_(encoded.paragraph_starts, tags.inside_ids)] = 0
    of_words = probabilities[encoded.words[:, 0]]
    tag_ids = of_words.argmax(axis=1)
    chosen = of_words[np.arange(len(tag_ids)), tag_ids]
    found = tags.decode(tag_ids.tolist())
    return place_mentions(encoded, found, [float(chosen[first:last].mean()) for first, last, _ in found])


def place_mentions(encoded: EncodedArticle, found: Sequence[tuple[int, int, str]], scores: Sequence[float]) -> Article:
    """Return the article with the mentions `found`, half-open ranges of words with a label, and their scores."""
    ranges = np.array([(first, last) for first, last, _ in found], dtype=np.int64).reshape(-1, 2)
    starts = encoded.starts[encoded.words[ranges[:, 0], 0]].tolist()
    ends = encoded.ends[encoded.words[ranges[:, 1] - 1, 1] - 1].tolist()
    spans = (Span(start, end, label, score) for start, end, (_, _, label), score in zip(starts, ends, found, scores, strict=True))
    return replace(encoded.article.bare(), spans=tuple(spans))


def align(
    encoded: EncodedArticle, *, flat: bool = True, reach: Sequence[int] | None = None
) -> tuple[list[tuple[int, int, str]], list[Lost]]:
    """Return the gold mentions as (start, end, label) in positions among the scored tokens, and those that a head cannot hold.

    flat:  of overlapping mentions the one that starts first is kept, of two that start together the longer
    reach: per token, the token before which a mention that starts there must end
    """
    scored = encoded.scored
    starts, ends = encoded.starts[scored].tolist(), encoded.ends[scored].tolist()
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
