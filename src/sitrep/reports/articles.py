"""The scored articles as a page shows them: what was annotated and found in each, every mistake with its kind."""

from __future__ import annotations

import html
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sitrep.articles import Article, Span
from sitrep.config import NER, TaskConfig
from sitrep.diagnosis import CLASS_KINDS
from sitrep.errors import InputError
from sitrep.mistakes import KINDS, find_mistakes
from sitrep.reports.marking import paragraph_ends, segment

MAX_BYTES = 4_000_000  # that these may take, estimated: a page stays below 5 MB
BYTES_PER_MARK = 70
MULTI_CLASS = "multi-class"
RIGHT = 0  # the number of no mistake; a kind's is its place among KINDS, from 1
FAMILIES = {"missed": "missed", "spurious": "spurious", "wrong label": "label"}  # the rest of the kinds: `bounds`


@dataclass(frozen=True)
class Mark:
    """A mention or class label on one side; kind: of its mistake, or None where it is right.

    keys: `label.kind` as numbers, for each label that takes part in the mistake: what the filters look for
    """

    label: str
    score: float | None
    kind: str | None
    keys: str

    @property
    def family(self) -> str:
        """The CSS class of the mistake's colour."""
        return "right" if self.kind is None else FAMILIES.get(self.kind, "bounds")


@dataclass(frozen=True)
class Piece:
    """A piece of text, the marks that cover it, and those that end with it."""

    text: str
    marks: tuple[Mark, ...]
    ends: tuple[Mark, ...]

    @property
    def family(self) -> str:
        """The colour to show: that of a mistake before that of a right mention."""
        return next((mark.family for mark in self.marks if mark.kind), "right")

    @property
    def keys(self) -> str:
        """What the filters look for, of all marks."""
        return " ".join(dict.fromkeys(key for mark in self.marks for key in mark.keys.split()))


@dataclass(frozen=True)
class ShownArticle:
    """An article of a page; number: its place among all, in the order of the evaluation.

    rows: NER: the pieces of each paragraph, annotated and found; marks: class fields: the labels annotated and found
    """

    number: int
    id: str
    text: str
    n_mistakes: int
    rows: list[tuple[list[Piece], list[Piece]]]
    marks: tuple[list[Mark], list[Mark]]


@dataclass(frozen=True)
class ShownArticles:
    """The articles of one evaluation, most mistakes first; n_all: how many were scored."""

    shown: list[ShownArticle]
    n_all: int


def kinds_of(task: TaskConfig) -> tuple[str, ...]:
    """Return the kinds of mistakes that a task can make."""
    if task.kind == NER:
        return KINDS
    return CLASS_KINDS if task.kind == MULTI_CLASS else tuple(kind for kind in CLASS_KINDS if kind != "wrong label")


def pair_up(gold: Sequence[Article], pred: Sequence[Article]) -> list[tuple[Article, Article]]:
    """Return the two sides of each article, in the order of `gold`.

    Raises:
        InputError: if their ids or texts differ.
    """
    by_id = {article.id: article for article in pred}
    other = [article.id for article in gold if article.id not in by_id or by_id[article.id].text != article.text]
    if other or len(gold) != len(pred):
        named = f"; the first is {other[0]!r}" if other else ""
        raise InputError(
            f"gold and predictions differ: {len(gold)} and {len(pred)} articles, "
            f"{len(other)} of the first not among the second{named}; evaluate the run again"
        )
    return [(article, by_id[article.id]) for article in gold]


def show_articles(pairs: Sequence[tuple[Article, Article]], task: TaskConfig, n_most: int, max_bytes: float) -> ShownArticles:
    """Return the `n_most` articles with most mistakes, fewer where they would take more than `max_bytes` (never none)."""
    marked = [(number, pair, _marks(*pair, task)) for number, pair in enumerate(pairs)]
    worst = sorted(marked, key=lambda item: -_count(item[2]))[:n_most]
    shown: list[ShownArticle] = []
    for number, (gold, pred), marks in worst:
        max_bytes -= _size(gold, marks, task)
        if shown and max_bytes < 0:
            break
        rows = _rows(gold, pred, marks) if task.kind == NER else []
        shown.append(ShownArticle(number, gold.id, gold.text, _count(marks), rows, marks))
    return ShownArticles(shown, len(pairs))


Sides = tuple[list[Mark], list[Mark]]


def _marks(gold: Article, pred: Article, task: TaskConfig) -> Sides:
    return _mention_marks(gold, pred, task.labels) if task.kind == NER else _class_marks(gold, pred, task)


def _mention_marks(gold: Article, pred: Article, labels: Sequence[str]) -> Sides:
    """Return a mark for each span of either side, in the order of the spans."""
    found: tuple[dict[Span, list[tuple[str, str]]], ...] = (defaultdict(list), defaultdict(list))
    for mistake in find_mistakes(gold, pred):
        concerned = dict.fromkeys(span.label for side in (mistake.gold, mistake.pred) for span in side)
        entry = (mistake.kind, _keys(concerned, mistake.kind, labels))
        for side, spans in zip(found, (mistake.gold, mistake.pred), strict=True):
            for span in spans:
                side[span].append(entry)

    def side_marks(spans: Iterable[Span], mistakes: dict[Span, list[tuple[str, str]]]) -> Iterator[Mark]:
        for span in spans:
            kind, keys = mistakes[span].pop() if mistakes[span] else (None, _keys([span.label], None, labels))
            yield Mark(span.label, span.score, kind, keys)

    return list(side_marks(gold.spans, found[0])), list(side_marks(pred.spans, found[1]))


def _class_marks(gold: Article, pred: Article, task: TaskConfig) -> Sides:
    """Return a mark for each label of either side; the two of a multi-class field that differ are one mistake."""
    assert task.field is not None
    golds, preds = gold.labels.get(task.field, ()), pred.labels.get(task.field, ())
    scores = pred.scores.get(task.field, {})
    missed, extra = [label for label in golds if label not in preds], [label for label in preds if label not in golds]
    is_swapped = task.kind == MULTI_CLASS and bool(missed and extra)

    def mark(label: str, wrong: Sequence[str], kind: str) -> Mark:
        if label not in wrong:
            return Mark(label, scores.get(label), None, _keys([label], None, task.labels))
        kind, concerned = ("wrong label", [*missed, *extra]) if is_swapped else (kind, [label])
        return Mark(label, scores.get(label), kind, _keys(concerned, kind, task.labels))

    return [mark(label, missed, "missed") for label in golds], [mark(label, extra, "spurious") for label in preds]


def _keys(concerned: Iterable[str], kind: str | None, labels: Sequence[str]) -> str:
    number = RIGHT if kind is None else KINDS.index(kind) + 1
    return " ".join(f"{labels.index(label)}.{number}" for label in concerned)


def _count(marks: Sides) -> int:
    """Return how many mentions or labels of either side are wrong."""
    return sum(mark.kind is not None for side in marks for mark in side)


def _size(gold: Article, marks: Sides, task: TaskConfig) -> int:
    copies = 2 if task.kind == NER else 1
    text = html.escape(gold.text)  # as the page holds it
    return copies * len(text.encode("utf-8", "surrogatepass")) + BYTES_PER_MARK * (sum(map(len, marks)) + gold.text.count("\n"))


def _rows(gold: Article, pred: Article, marks: Sides) -> list[tuple[list[Piece], list[Piece]]]:
    ends = paragraph_ends(gold.text)
    golds, preds = (_paragraphs(article, side, ends) for article, side in zip((gold, pred), marks, strict=True))
    return list(zip(golds, preds, strict=True))


def _paragraphs(article: Article, marks: Sequence[Mark], ends: Sequence[int]) -> list[list[Piece]]:
    """Return the pieces of each paragraph."""
    paragraphs: list[list[Piece]] = [[]]
    position, stops = 0, set(ends[:-1])
    for part in segment(article.text, [(span.start, span.end) for span in article.spans], ends):
        paragraphs[-1].append(Piece(part.text, *(tuple(marks[index] for index in indices) for indices in (part.spans, part.ends))))
        position += len(part.text)
        if position in stops:
            paragraphs.append([])
    return paragraphs
