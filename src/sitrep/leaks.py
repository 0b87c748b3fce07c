"""Texts that must not be learnt from, and whether another shares a sentence with one of them.

Only letters and digits are compared, case folded: the same sentence stands in one source as `"Gao," he said.`, in another as CoNLL
tokens, `" Gao , " he said .`. A sentence ends at `.`, `!`, `?` or `...` before white space, and at the end of a line; the whole
article counts as one too, so that an abbreviation cannot split a sentence out of sight. Two articles share a sentence if one of
either stands in the other. Scripts that put no space between words are compared as whole articles and lines.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from itertools import accumulate, product

from sitrep.articles import Article
from sitrep.sentences import split_sentences

MIN_WORDS = 5  # fewer (`Photo: Reuters`, `He did not comment.`) say nothing of where they stand
ANCHOR = 12  # letters and digits by which a sentence is looked up; the few shorter ones by all of theirs

WORD = re.compile(r"[^\W_]+")


class Withheld:
    """Sentences and texts that must not be learnt from, each with the reason."""

    def __init__(self) -> None:
        self.sentences: dict[str, dict[str, str]] = defaultdict(dict)  # how it begins -> the folded sentence -> reason
        self.lengths: set[int] = set()  # of these beginnings
        self.texts: list[tuple[str, str]] = []  # folded, reason
        self.anchors: dict[str, set[int]] = defaultdict(set)  # what a word of a text begins -> which texts

    def add(self, article: Article, reason: str) -> None:
        """Withhold the text of `article`; the first reason of a sentence is kept."""
        for sentence in _sentences(article):
            if folded := _comparable(sentence):
                self.sentences[folded[:ANCHOR]].setdefault(folded, reason)
                self.lengths.add(len(folded[:ANCHOR]))
        folded, starts = fold(article.text)
        for start in starts:
            self.anchors[folded[start : start + ANCHOR]].add(len(self.texts))
        self.texts.append((folded, reason))

    def find(self, article: Article) -> tuple[str, str] | None:
        """Return the reason not to learn from `article` and the sentence that it shares (as compared), or None."""
        folded, starts = fold(article.text)
        for start, length in product(starts, sorted(self.lengths)):
            for sentence, reason in self.sentences.get(folded[start : start + length], {}).items():
                if folded.startswith(sentence, start):
                    return reason, sentence
        for sentence in filter(None, map(_comparable, _sentences(article))):
            indices = sorted(self.anchors.get(sentence[:ANCHOR], ())) if len(sentence) >= ANCHOR else range(len(self.texts))
            for index in indices:
                if sentence in self.texts[index][0]:
                    return self.texts[index][1], sentence
        return None


def _sentences(article: Article) -> list[str]:
    """Return the sentences of an article, and the whole text as the last."""
    return [*split_sentences(article.text), article.text]


def fold(text: str) -> tuple[str, list[int]]:
    """Return the letters and digits of a text, case folded, and where words begin among them."""
    words = words_of(text)
    return "".join(words), [0, *accumulate(map(len, words))][:-1]


def words_of(text: str) -> list[str]:
    """Return the words of a text, case folded: runs of letters and digits."""
    return WORD.findall(unicodedata.normalize("NFKC", text).casefold())


def _comparable(sentence: str) -> str:
    """Return a sentence folded, or nothing if it is too short to be compared."""
    folded, starts = fold(sentence)
    return folded if len(starts) >= MIN_WORDS else ""
