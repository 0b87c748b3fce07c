"""What changed between two groups of runs: keys of the config, and which mistakes were mended or made."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sitrep.articles import Article, Span
from sitrep.config import NER, TaskConfig
from sitrep.diagnosis import context_of
from sitrep.loading import flatten

Item = tuple[str, str, str, int | None, int | None]  # id, "missed" or "spurious", label, start, end (None: a class label)


def changed_keys(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return key -> [value of A, value of B] where two run.json differ in commit, training data or config (the seed aside)."""
    sides = [{"commit": info.get("commit"), "data_sha256": info.get("data_sha256"), **flatten(info["config"])} for info in (a, b)]
    keys = sorted(sides[0].keys() | sides[1].keys(), key=lambda key: ("." in key, key))
    return {key: [side.get(key) for side in sides] for key in keys if key != "seed" and sides[0].get(key) != sides[1].get(key)}


def changed_items(
    gold: Sequence[Article], a: Sequence[Sequence[Article]], b: Sequence[Sequence[Article]], task: TaskConfig
) -> dict[str, list[dict[str, Any]]]:
    """Return the mistakes that A makes and B does not, `fixed`, and those that only B makes, `broken`, each with its context.

    a, b: the predictions of each seed; a group makes a mistake if more than half of its seeds do
    """
    made_by_a, made_by_b = (_mistakes_of_most(gold, side, task) for side in (a, b))
    texts = {article.id: article for article in gold}
    order = {article_id: number for number, article_id in enumerate(texts)}

    def place(item: Item) -> tuple[Any, ...]:
        return order[item[0]], item[3] or 0, item[4] or 0, item[1:3]

    def rows(items: set[Item]) -> list[dict[str, Any]]:
        return [_row(item, texts[item[0]]) for item in sorted(items, key=place)]

    return {"fixed": rows(made_by_a - made_by_b), "broken": rows(made_by_b - made_by_a)}


def _mistakes_of_most(gold: Sequence[Article], seeds: Sequence[Sequence[Article]], task: TaskConfig) -> set[Item]:
    made = Counter(item for pred in seeds for item in set(_mistakes(gold, pred, task)))
    return {item for item, n in made.items() if n > len(seeds) / 2}


def _mistakes(gold: Sequence[Article], pred: Sequence[Article], task: TaskConfig) -> Iterator[Item]:
    pred_by_id = {article.id: article for article in pred}
    for article in gold:
        marked, found = (_labelled(side, task) for side in (article, pred_by_id[article.id]))
        for kind, items in (("missed", marked - found), ("spurious", found - marked)):
            yield from ((article.id, kind, *item) for item in items)


def _labelled(article: Article, task: TaskConfig) -> set[tuple[str, int | None, int | None]]:
    if task.kind == NER:
        return {(span.label, span.start, span.end) for span in article.spans}
    return {(label, None, None) for label in article.labels[str(task.field)]}


def _row(item: Item, article: Article) -> dict[str, Any]:
    article_id, kind, label, start, end = item
    row = {"id": article_id, "kind": kind, "label": label, "start": start, "end": end, "text": "", "before": "", "after": ""}
    if start is None or end is None:
        return row
    return row | {"text": article.text[start:end], **context_of(article, [Span(start, end, label)])}
