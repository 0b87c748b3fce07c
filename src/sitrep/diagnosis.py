"""What lies behind a score: mentions that training had seen or not, kinds of mistakes, confusions, the worst articles.

`mistake_rows` gives the rows of `errors/<name>.jsonl`, each mistake with what stands around it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest
from typing import Any

from sitrep.articles import Article, Span
from sitrep.config import NER, TaskConfig
from sitrep.matching import classes, strict
from sitrep.mistakes import KINDS, Mistake, find_mistakes
from sitrep.scoring import Counts, count, ratios, summary

CLASS_KINDS = ("wrong label", "missed", "spurious")
NONE = "none"  # of a confusion matrix: nothing annotated, or nothing found
CONTEXT = 60  # characters before and after a mistake
N_WORST, N_FREQUENT = 10, 20

Row = dict[str, Any]


def fold_surface(surface: str) -> str:
    """Return what must be equal for two mentions to read the same: case and white space are ignored."""
    return " ".join(surface.casefold().split())


def train_surfaces(train: Iterable[Article]) -> list[str]:
    """Return the folded surfaces of all mentions of the training articles, sorted."""
    return sorted({fold_surface(article.surface(span)) for article in train for span in article.spans})


def mistake_rows(gold: Sequence[Article], pred: Sequence[Article], task: TaskConfig) -> list[Row]:
    """Return the mistakes in the order of the gold articles and their texts.

    NER: `id`, `kind` (see mistakes.py), `gold` and `pred` (spans with their text), `before` and `after`. Class fields: `id`, `kind`,
    `field`, `gold` and `pred` (labels), `scores` of these where there are any.
    """
    pred_by_id = {article.id: article for article in pred}
    find = _mention_rows if task.kind == NER else _class_rows
    return [row for article in gold for row in find(article, pred_by_id[article.id], task)]


def diagnose(
    gold: Sequence[Article], pred: Sequence[Article], task: TaskConfig, rows: Sequence[Row], surfaces: Collection[str] | None
) -> dict[str, Any]:
    """Return what a metrics file holds beside the scores.

    Args:
        rows: as `mistake_rows` gives them.
        surfaces: as `train_surfaces` gives them; None where they are not known, and `seen_unseen` is None too.
    """
    kinds = Counter(row["kind"] for row in rows)
    return {
        "seen_unseen": None if surfaces is None or task.kind != NER else seen_unseen(gold, pred, task, surfaces),
        "mistakes": {kind: kinds[kind] for kind in (KINDS if task.kind == NER else CLASS_KINDS)},
        "confusion": confusion(gold, pred, task, rows),
        "worst_articles": worst_articles(gold, pred, task),
        "frequent_mistakes": frequent_mistakes(rows),
    }


def seen_unseen(gold: Sequence[Article], pred: Sequence[Article], task: TaskConfig, surfaces: Collection[str]) -> dict[str, Any]:
    """Return the strict micro scores of mentions whose surface stands in training under any label, `seen`, and of all others."""
    return {name: summary(counts)["micro"] for name, counts in count_seen_unseen(gold, pred, task, surfaces).items()}


def count_seen_unseen(gold: Sequence[Article], pred: Sequence[Article], task: TaskConfig, surfaces: Collection[str]) -> dict[str, Counts]:
    """Return the counts behind `seen_unseen`."""
    known = set(surfaces)

    def part(articles: Sequence[Article], *, seen: bool) -> list[Article]:
        chosen = [tuple(s for s in article.spans if (fold_surface(article.surface(s)) in known) == seen) for article in articles]
        return [replace(article, spans=spans) for article, spans in zip(articles, chosen, strict=True)]

    sides = {"seen": True, "unseen": False}
    return {name: count(part(gold, seen=seen), part(pred, seen=seen), task.labels, strict) for name, seen in sides.items()}


def confusion(gold: Sequence[Article], pred: Sequence[Article], task: TaskConfig, rows: Sequence[Row]) -> dict[str, Any]:
    """Return `labels`, NONE last, and `counts`: a row for what was annotated, a column for what was found there.

    A mention of the right label whose ends are wrong counts as its label, for that is what the matrix is about. Each mention counts once:
    the row of a label adds up to what was annotated, its column to what was found.
    """
    names = [*task.labels, NONE]
    position = {name: index for index, name in enumerate(names)}
    counts = [[0] * len(names) for _ in names]
    hits = count(gold, pred, task.labels, _rule(task)).total[:, 0]
    for index, n in enumerate(hits):
        counts[index][index] = int(n)
    for row in rows:
        for marked, found in _pair_labels(_labels(row["gold"]), _labels(row["pred"])):
            counts[position[marked]][position[found]] += 1
    return {"labels": names, "counts": counts}


def _pair_labels(golds: Sequence[str], preds: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the two sides of one mistake in pairs: like labels first, then in order, what is left against NONE."""
    alike = list((Counter(golds) & Counter(preds)).elements())
    marked, found = (list((Counter(side) - Counter(alike)).elements()) for side in (golds, preds))
    yield from ((label, label) for label in alike)
    yield from zip_longest(marked, found, fillvalue=NONE)


def worst_articles(gold: Sequence[Article], pred: Sequence[Article], task: TaskConfig) -> list[Row]:
    """Return the articles with the most items missed or found in vain, most first; those without any are left out."""
    counts = count(gold, pred, task.labels, _rule(task))
    per_article = counts.values.sum(axis=1)
    f1s = ratios(per_article)[:, 2]
    order = sorted(range(len(counts.ids)), key=lambda index: (-per_article[index, 1:].sum(), counts.ids[index]))
    worst = [index for index in order if per_article[index, 1:].sum()][:N_WORST]
    return [
        {"id": counts.ids[index], **dict(zip(("tp", "fp", "fn"), map(int, per_article[index]), strict=True)), "f1": float(f1s[index])}
        for index in worst
    ]


def frequent_mistakes(rows: Iterable[Row]) -> list[Row]:
    """Return the mistakes that were made more than once (same kind, labels and surface), most often first."""
    seen: Counter[tuple[str, str | None, str | None, str]] = Counter()
    for row in rows:
        shown = row["pred"] or row["gold"]
        surface = shown[0]["text"] if isinstance(shown[0], dict) else ""
        seen[row["kind"], _first(_labels(row["gold"])), _first(_labels(row["pred"])), surface] += 1
    often = sorted((item for item in seen.items() if item[1] > 1), key=lambda item: (-item[1], tuple(map(str, item[0]))))
    return [
        {"kind": kind, "gold": marked, "pred": found, "surface": surface, "n": n}
        for (kind, marked, found, surface), n in often[:N_FREQUENT]
    ]


def _rule(task: TaskConfig) -> Any:
    return strict if task.kind == NER else classes(str(task.field))


def _mention_rows(gold: Article, pred: Article, task: TaskConfig) -> Iterator[Row]:
    for mistake in find_mistakes(gold, pred):
        yield {"id": gold.id, "kind": mistake.kind, **_spans_of(mistake, gold), **context_of(gold, [*mistake.gold, *mistake.pred])}


def _spans_of(mistake: Mistake, article: Article) -> Row:
    def row(span: Span) -> Row:
        fields = {"start": span.start, "end": span.end, "label": span.label, "text": article.surface(span)}
        return fields if span.score is None else {**fields, "score": span.score}

    return {"gold": [row(span) for span in mistake.gold], "pred": [row(span) for span in mistake.pred]}


def context_of(article: Article, spans: Sequence[Span]) -> dict[str, str]:
    """Return the CONTEXT `before` and `after` what the spans cover together."""
    start, end = min(span.start for span in spans), max(span.end for span in spans)
    return {"before": article.text[max(0, start - CONTEXT) : start], "after": article.text[end : end + CONTEXT]}


def _class_rows(gold: Article, pred: Article, task: TaskConfig) -> Iterator[Row]:
    """Yield a row a label that is missed or found in vain; where exactly one is asked for, one row for both."""
    field = str(task.field)
    missed = [label for label in gold.labels[field] if label not in pred.labels[field]]
    extra = [label for label in pred.labels[field] if label not in gold.labels[field]]
    pairs = (
        [(missed, extra)] if missed and extra and task.kind == "multi-class" else [([x], []) for x in missed] + [([], [x]) for x in extra]
    )
    scores = pred.scores.get(field, {})
    for marked, found in pairs:
        kind = "wrong label" if marked and found else "missed" if marked else "spurious"
        shown = {label: scores[label] for label in (*marked, *found) if label in scores}
        yield {"id": gold.id, "kind": kind, "field": field, "gold": marked, "pred": found, "scores": shown}


def _labels(side: Sequence[Any]) -> list[str]:
    return [item["label"] if isinstance(item, dict) else item for item in side]


def _first(labels: Sequence[str]) -> str | None:
    return labels[0] if labels else None
