"""Label sets are declared, never discovered: what an article may hold, and BIO tags for the labels of mentions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from sitrep.articles import Article
from sitrep.errors import InputError, did_you_mean

OUTSIDE = "O"
ENTITIES = "entities"  # the name of the mentions' label set in a data config, beside those of the class fields
TOP_LEVEL = ("topics", "region")  # class fields that the tasks that ship learn: they may stand at top level, beside `labels`


@dataclass(frozen=True)
class TagSet:
    """BIO tags (Ramshaw and Marcus 1995, the IOB2 variant) of declared labels: `O`, then `B-X`, `I-X` per label."""

    labels: tuple[str, ...]

    @property
    def tags(self) -> tuple[str, ...]:
        """The tags; a tag's position is its id."""
        return (OUTSIDE, *(f"{part}-{label}" for label in self.labels for part in "BI"))

    @property
    def inside_ids(self) -> list[int]:
        """The ids of the `I-X`."""
        return list(range(2, len(self.tags), 2))

    def allowed(self) -> list[list[bool]]:
        """Return, for each tag, which tags may follow it: an `I-X` only where an X has begun."""
        return [[not tag.startswith("I-") or (before[1:] == tag[1:]) for tag in self.tags] for before in self.tags]

    def encode(self, spans: Iterable[tuple[int, int, str]], n_tokens: int) -> list[int]:
        """Return one tag id per token for non-overlapping (token_start, token_end, label) spans, half-open."""
        tag_ids = [0] * n_tokens
        ids = {label: 1 + 2 * index for index, label in enumerate(self.labels)}
        for start, end, label in spans:
            tag_ids[start] = ids[label]
            tag_ids[start + 1 : end] = [ids[label] + 1] * (end - start - 1)
        return tag_ids

    def decode(self, tag_ids: Sequence[int]) -> list[tuple[int, int, str]]:
        """Return the (token_start, token_end, label) spans of tag ids, the inverse of `encode`.

        An `I-X` that does not continue an X opens a mention, as in seqeval's default mode and `transformers.pipeline`.
        """
        spans: list[tuple[int, int, str]] = []
        start, open_label = 0, -1
        for position, tag_id in enumerate([*tag_ids, 0]):
            label = (tag_id - 1) // 2 if tag_id else -1
            if label == open_label and label >= 0 and tag_id % 2 == 0:
                continue
            if open_label >= 0:
                spans.append((start, position, self.labels[open_label]))
            start, open_label = position, label
        return spans


def check_entities(article: Article, labels: Sequence[str], drop: Sequence[str] = ()) -> Article:
    """Return `article` without the spans whose label is in `drop`.

    Raises:
        InputError: if another label is not declared, or the same mention is marked twice.
    """
    spans = tuple(span for span in article.spans if span.label not in drop)
    seen = set()
    for span in spans:
        if span.label not in labels:
            raise _undeclared(article.where(span), span.label, ENTITIES, labels, f" on {article.surface(span)!r}")
        if span in seen:
            raise InputError(
                f"{article.where(span)}: {span.label} {article.surface(span)!r} [{span.start}, {span.end}) is marked twice; remove one"
            )
        seen.add(span)
    return replace(article, spans=spans)


def check_classes(article: Article, field: str, kind: str, labels: Sequence[str], drop: Sequence[str] = ()) -> Article:
    """Return `article` with its class labels of `field` under `labels`, those in `drop` left out.

    kind: `multi-label` (any number of labels), `multi-class` (exactly one), or `binary` (the one declared label or none;
        `true`/`yes`/`1` and `false`/`no`/`0` count as with and without).

    Raises:
        InputError: if the article has no such field, an undeclared label, a label twice, or a number of labels that the kind forbids.
    """
    values = article.classes(field)
    if values is None:
        empty = "" if kind == "multi-class" else f"; where no label applies, say so with '{field}: []'"
        raise InputError(f"{article.where()}: has no field {field!r}{empty}")
    if kind == "binary" and len(values) == 1:
        answer = values[0].casefold()
        values = (labels[0],) if answer in ("true", "yes", "1") else () if answer in ("false", "no", "0") else values
    values = tuple(value for value in values if value not in drop)
    check_declared(article, field, values, labels)
    if kind == "multi-class" and len(values) != 1:
        raise InputError(f"{article.where()}: {field} must hold exactly one label, found {list(values)}")
    return article.with_classes(field, values)


def check_declared(article: Article, field: str, values: Sequence[str], labels: Sequence[str]) -> None:
    """Demand that the class labels `values` of an article are declared, and stand once each."""
    for value in values:
        if value not in labels:
            raise _undeclared(article.where(), value, field, labels)
    if len(set(values)) < len(values):
        raise InputError(f"{article.where()}: a label stands twice in {field}: {', '.join(values)}")


def _undeclared(where: str, label: str, field: str, labels: Sequence[str], on: str = "") -> InputError:
    return InputError(
        f"{where}: label {label!r}{on} is not declared{did_you_mean(label, labels)}. "
        f"Mend it, declare it in data.labels.{field}, or leave it out on purpose with data.drop_labels=[{label}] "
        "(evaluate.py: drop_labels=)"
    )
