"""`Span` and `Article`: what every other room passes around.

Offsets are half-open and count Unicode code points of `Article.text` exactly as it came: `text[span.start:span.end]`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from sitrep.errors import InputError

SEPARATOR = ";"  # between class labels in one string, as columns of tables hold them
SCORE_DECIMALS = 4  # places of the scores in files


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A labelled mention: code points `start` (inclusive) to `end` (exclusive); `score` in [0, 1] where a model gave one."""

    start: int
    end: int
    label: str
    score: float | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class Source:
    """Where an article was read: `line` is the 1-based line of the file at which its text (or its row) begins.

    is_text: the lines of the text are lines of the file from `line` on
    """

    path: str
    line: int = 1
    is_text: bool = field(default=False, compare=False)

    def __str__(self) -> str:
        return f"{self.path}:{self.line}"


@dataclass(frozen=True)
class Article:
    """One article: its text, its mentions and its class labels, annotated or predicted.

    labels: field -> class labels, such as {"topics": ("bombing",), "region": ("east-africa",)}
    scores: field -> label -> probability, on predicted articles
    extra:  every other field of the input, kept as it is

    Raises:
        InputError: if a span is empty or reaches outside the text.
    """

    id: str
    text: str
    spans: tuple[Span, ...] = ()
    labels: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    scores: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    source: Source | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        for span in self.spans:
            if not 0 <= span.start < span.end <= len(self.text):
                raise InputError(
                    f"{self.where()}: span {span.label} [{span.start}, {span.end}) is empty or outside the text of "
                    f"{len(self.text)} characters; offsets are half-open code points (not bytes, not UTF-16 units)"
                )

    def surface(self, span: Span) -> str:
        """Return the text that `span` covers."""
        return self.text[span.start : span.end]

    def where(self, span: Span | None = None) -> str:
        """Return `file:line: article 'id'`, to open an error message with; the line is the span's where that is known."""
        source = self.source_of(span)
        return f"{source}: article {self.id!r}" if source else f"article {self.id!r}"

    def source_of(self, span: Span | None = None) -> Source | None:
        """Return where the article, or a span of it, stands in its file, if that is known."""
        if self.source is None or span is None or not self.source.is_text:
            return self.source
        return Source(self.source.path, self.source.line + self.text.count("\n", 0, span.start))

    def classes(self, field_name: str) -> tuple[str, ...] | None:
        """Return the class labels of `field_name`, found in `labels` or at top level, or None if the article has no such field.

        A string counts as the labels between its semicolons, as spreadsheets hold them: of an empty one there are none.
        """
        if field_name in self.labels:
            return tuple(str(item) for item in self.labels[field_name])
        value = self.extra.get(field_name)
        if value is None:
            return None
        if isinstance(value, (list, tuple)):
            return tuple(str(item) for item in value)
        return tuple(label for part in str(value).split(SEPARATOR) if (label := part.strip()))

    def with_classes(self, field_name: str, values: Iterable[str], scores: Mapping[str, float] | None = None) -> Article:
        """Return a copy whose `field_name` holds `values` (and their scores), wherever the field stood before."""
        return replace(
            self,
            labels={**self.labels, field_name: tuple(values)},
            scores={**self.scores, field_name: dict(scores)} if scores is not None else self.scores,
            extra={key: value for key, value in self.extra.items() if key != field_name},
        )

    def bare(self) -> Article:
        """Return a copy without mentions, class labels and scores: what a model may see."""
        return replace(self, spans=(), labels={}, scores={})


def in_chunks(articles: Iterable[Article], most: int, most_characters: int) -> Iterator[list[Article]]:
    """Yield the articles in chunks of `most`, or fewer where they hold `most_characters`; the last of a chunk may hold more."""
    chunk: list[Article] = []
    n_characters = 0
    for article in articles:
        chunk.append(article)
        n_characters += len(article.text)
        if len(chunk) == most or n_characters >= most_characters:
            yield chunk
            chunk, n_characters = [], 0
    if chunk:
        yield chunk


def fingerprint(articles: Iterable[Article]) -> str:
    """Return the SHA-256 (hex) of ids, texts, spans and class labels of `articles`, whatever their order."""
    rows = sorted(
        json.dumps([a.id, a.text, sorted([s.start, s.end, s.label] for s in a.spans), sorted(a.labels.items())], ensure_ascii=False)
        for a in articles
    )
    return hashlib.sha256("\n".join(rows).encode("utf-8", "surrogatepass")).hexdigest()
