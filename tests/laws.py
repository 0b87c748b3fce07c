"""The law of formats that are read and written: what a writer reports as lost is exactly what is missing when its file is read again."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from factories import texts
from hypothesis import strategies as st

from sitrep.articles import Article, Span
from sitrep.formats import FORMATS, read_articles
from sitrep.formats.faults import Loss, Losses
from sitrep.formats.rows import KNOWN_KEYS
from sitrep.formats.writing import Target

LABELS = ("PERSON", "ARMED GROUP", "مكان", "a<b & \"c\" 'd'", "line\nline", "🚁", "bell\a")
RATIOS = st.floats(0, 1)
VALUES = st.none() | st.booleans() | st.integers(-9, 9) | texts(max_size=4) | st.lists(texts(max_size=3), max_size=2)
KEYS = texts(max_size=4)


@st.composite
def articles(draw: st.DrawFn, fields: Sequence[str] = ("topics", "région"), extra: st.SearchStrategy[str] = KEYS) -> Article:
    """Any article with a text: mentions that may overlap, of hand or with scores; class labels, with scores or without; other fields."""
    text = draw(texts(max_size=40))
    bounds = st.tuples(st.integers(0, len(text)), st.integers(0, len(text))).filter(lambda pair: pair[0] < pair[1])
    score = RATIOS if draw(st.booleans()) else st.none()
    spans = st.builds(lambda pair, label, score: Span(*pair, label, score), bounds, st.sampled_from(LABELS), score)
    classes = st.dictionaries(st.sampled_from(fields), st.lists(st.sampled_from(LABELS), max_size=3, unique=True).map(tuple), max_size=2)
    scores = st.dictionaries(st.sampled_from(fields), st.dictionaries(st.sampled_from(LABELS), RATIOS, max_size=3), max_size=2)
    keys = extra.filter(lambda key: key not in KNOWN_KEYS)
    return Article(
        draw(texts(max_size=5)), text, tuple(draw(st.lists(spans, max_size=5))) if text else (), draw(classes), draw(scores | st.just({})),
        draw(st.dictionaries(keys, VALUES, max_size=3)),
    )  # fmt: skip


def check_law(name: str, written: Sequence[Article], path: Path) -> list[Loss]:
    """Write articles, read them again, and demand that they are what was written, but for what was reported as lost, which is returned."""
    lost = Losses(keep=10_000)
    lost_in_reading = Losses()
    FORMATS[name].write(iter(written), path, Target(lost))
    back = list(read_articles(path, format=name, lose=lost_in_reading))
    assert not lost_in_reading.counts
    expected = [_without(article, [loss for loss in lost.kept if loss.article_id == article.id]) for article in written]
    assert back == expected
    assert [[span.score for span in article.spans] for article in back] == [[span.score for span in a.spans] for a in expected]
    return lost.kept


def _without(article: Article, losses: list[Loss]) -> Article:
    for what, detail in {(loss.what, loss.detail) for loss in losses}:
        if what == "other fields":
            article = replace(article, extra={key: value for key, value in article.extra.items() if key != detail})
        elif what.startswith("class labels of "):
            name = what.removeprefix("class labels of ")
            article = replace(article, labels={key: value for key, value in article.labels.items() if key != name})
        elif what == "mentions whose label holds control characters":
            article = replace(article, spans=tuple(span for span in article.spans if not detail.startswith(repr(span.label))))
        elif what == "class scores":
            article = replace(article, scores={key: value for key, value in article.scores.items() if key != detail})
        elif what == "scores":
            article = replace(article, scores={}, spans=tuple(replace(span, score=None) for span in article.spans))
        else:
            raise AssertionError(f"an unknown loss: {what}")
    return article


def as_lines(rows: Sequence[object]) -> str:
    """Return JSON Lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
