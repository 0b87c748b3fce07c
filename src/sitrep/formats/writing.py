"""What every format that is written needs: where losses go, whose labels these are, and mentions that do not overlap."""

from __future__ import annotations

import json
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from sitrep.articles import Article, Span
from sitrep.formats.faults import Lose, Loss, Losses

MODEL = "sitrep"  # who predicted, where nobody says


@dataclass(frozen=True, slots=True)
class Target:
    """What a writer is told beside the articles and the path.

    lose:         called with what the format cannot hold of an article
    predicted_by: the model's name, for formats that keep predictions apart from what people marked; see `is_predicted`
    """

    lose: Lose = field(default_factory=Losses)
    predicted_by: str | None = None


def is_predicted(article: Article) -> bool:
    """Say whether a model labelled the article: a mention bears a score, or a class field its scores."""
    return bool(article.scores) or any(span.score is not None for span in article.spans)


def flat_spans(article: Article, target: Target) -> list[Span]:
    """Return the mentions that do not overlap, sorted; of those that do the longest stays, and the others are lost."""
    kept: list[Span] = []
    for span in sorted(article.spans, key=lambda span: (span.start - span.end, span)):
        if any(span.start < other.end and other.start < span.end for other in kept):
            target.lose(Loss(article.id, "overlapping mentions", f"{span.label} {article.surface(span)!r} [{span.start}, {span.end})"))
        else:
            kept.append(span)
    return sorted(kept)


def lose_all_but(article: Article, target: Target, *kept: str) -> None:
    """Report what stands in an article beside id, text and mentions, but for what is in `kept`: `labels`, `scores`, `extra`."""
    if "labels" not in kept:
        for name, values in article.labels.items():
            target.lose(Loss(article.id, f"class labels of {name}", ", ".join(values)))
    if "scores" not in kept and is_predicted(article):
        target.lose(Loss(article.id, "scores", "of mentions or classes"))
    if "extra" not in kept:
        for name in article.extra:
            target.lose(Loss(article.id, "other fields", name))


def json_fields(article: Article, target: Target, taken: Container[str]) -> dict[str, Any]:
    """Return the other fields of an article that JSON can hold, but for those whose names are `taken`; what is left out is lost."""
    fields = {}
    for name, value in article.extra.items():
        if name in taken or not _is_json(value):
            target.lose(Loss(article.id, "other fields", name))
        else:
            fields[name] = value
    return fields


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError):
        return False
    return True
