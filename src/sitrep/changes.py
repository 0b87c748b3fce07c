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
    """Return key -> [value of A, value of B] where two run.json differ in code, versions, data or config (the seed aside)."""
    facts = ("commit", "dirty", "data_sha256")
    sides = [{**{key: info.get(key) for key in facts}, **_versions(info), **flatten(info["config"])} for info in (a, b)]
    keys = sorted(sides[0].keys() | sides[1].keys(), key=lambda key: ("." in key, key))
    return {key: [side.get(key) for side in sides] for key in keys if key != "seed" and sides[0].get(key) != sides[1].get(key)}


def _versions(info: Mapping[str, Any]) -> dict[str, Any]:
    return {f"versions.{name}": version for name, version in (info.get("versions") or {}).items()}


def changed_items(
    gold: Sequence[Article], a: Sequence[Sequence[Article]], b: Sequence[Sequence[Article]], task: TaskConfig
) -> dict[str, Any]:
    """Return the mistakes that A makes more often than B, `fixed`, and the reverse, `broken`, each with its context.

    The `a` and `b` of a mistake are the shares of the seeds that make it. `n_fixed` and `n_broken` are how many a seed of B
    fixes and breaks of a seed of A, on average over all pairs: a group of one seed and one of several are held to the same measure.

    a, b: the predictions of each seed
    """
    of_a, of_b = (_shares(gold, side, task) for side in (a, b))
    articles = {article.id: article for article in gold}
    order = {article_id: number for number, article_id in enumerate(articles)}
    items = sorted(of_a.keys() | of_b.keys(), key=lambda item: (order[item[0]], item[3] or 0, item[4] or 0, item[1:3]))
    shares = {item: (of_a.get(item, 0.0), of_b.get(item, 0.0)) for item in items}
    rows = {item: _row(item, articles[item[0]]) | {"a": share_a, "b": share_b} for item, (share_a, share_b) in shares.items()}
    return {
        "n_fixed": sum(share_a * (1 - share_b) for share_a, share_b in shares.values()),
        "n_broken": sum(share_b * (1 - share_a) for share_a, share_b in shares.values()),
        "fixed": [rows[item] for item, (share_a, share_b) in shares.items() if share_a > share_b],
        "broken": [rows[item] for item, (share_a, share_b) in shares.items() if share_b > share_a],
    }


def _shares(gold: Sequence[Article], seeds: Sequence[Sequence[Article]], task: TaskConfig) -> dict[Item, float]:
    made = Counter(item for pred in seeds for item in set(_mistakes(gold, pred, task)))
    return {item: n / len(seeds) for item, n in made.items()}


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
