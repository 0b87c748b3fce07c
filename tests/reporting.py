"""Evaluated runs for the tests of pages, made in memory, and what a reader of HTML makes of a page."""

from __future__ import annotations

from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from factories import LABELS, make_run

from sitrep.articles import Article
from sitrep.evaluation import save_evaluation
from sitrep.runs import Run

HOSTILE = "<script>document.title='ran'</script></script></style>\"><img src=x onerror=\"document.title='ran'\">'&amp; {{ 7 * 7 }}"

TOPICS = {
    "task__name": "topics", "task__kind": "multi-label", "task__field": "topics", "task__labels": ["war", "peace"],
    "task__pooling": "mean", "task__thresholds": "fixed", "model__name": "tfidf", "model__kind": "tfidf",
    "model__tfidf": {"max_ngram": 1, "min_articles": 1, "sublinear": True, "balanced": True, "inverse_penalty": 1.0},
}  # fmt: skip

SIDE = {"precision": 0.5, "recall": 0.25, "f1": 1 / 3, "f1_interval": [0.1, 0.6], "support": 4, "tp": 1, "fp": 1, "fn": 3}
FULL_BIN = {"low": 0.5, "high": 1.0, "n": 9, "confidence": 0.75, "accuracy": 0.6}
EMPTY_BIN = {"low": 0.0, "high": 0.5, "n": 0, "confidence": None, "accuracy": None}
RELIABILITY = {"ece": 0.125, "ece_interval": [0.1, 0.2], "bins": [EMPTY_BIN, FULL_BIN]}
MORE: dict[str, Any] = {  # every further key that a metrics file may hold
    "seen_unseen": {"seen": SIDE, "unseen": SIDE},
    "mistakes": {"missed": 3, "spurious": 0},
    "confusion": {"labels": [*LABELS, "none"], "counts": [[5, 0, 0, 1], [0, 0, 2, 0], [0, 0, 0, 0], [1, 0, 0, 0]]},
    "worst_articles": [{"id": "a1", "tp": 2, "fp": 1, "fn": 2, "f1": 0.571}, {"id": "gone", "tp": 0, "fp": 0, "fn": 0, "f1": None}],
    "frequent_mistakes": [{"kind": "missed", "gold": "LOCATION", "pred": None, "surface": "Mopti", "n": 9}],
    "recall_ceiling": 0.75,
    "ledger": [{"article_id": "a1", "start": 1, "end": 2, "label": "PERSON", "text": "li", "reason": "nested"}],
    "near_duplicates": [{"id": "a1", "split": "test", "of": "a9", "of_split": "train", "similarity": 0.875}],
    "calibration": {"temperature": 1.5, "n_items": 9, "before": RELIABILITY, "after": RELIABILITY},
}


def make_comparison(n_mentions: int = 1, kind: str = "ner", text: str = "Gao") -> dict[str, Any]:
    """Return a comparison of two groups of one run each, where B fixed `n_mentions` times the same mention and broke another."""
    names = [*LABELS, "micro", "macro", "weighted"]
    fixed = {"id": f"a-{text}", "kind": "missed", "label": "LOCATION", "start": 3, "end": 6, "text": text, "before": "in ", "after": " on"}
    fixed |= {"a": 1.0, "b": 0.0}
    broken = {**fixed, "kind": "spurious", "label": "PERSON", "text": "Monday", "a": 0.0, "b": 1.0}
    rows = {name: {"value": 0.1, "interval": [-0.05, 0.2], "p": 0.01, "p_holm": 0.03 if name == "PERSON" else 0.9} for name in names}
    rows["macro"] = dict.fromkeys(("value", "interval", "p", "p_holm"))
    config = {"trainer.epochs": [5, 10]}
    f1 = {name: {"mean": 0.5, "sd": None} for name in names}
    group = {
        "repeats": None,
        "runs": [{"path": "models/r", "seed": 1, "seconds": 3.0}],
        "f1": f1,
        "cost": {"seconds": 3.0, "n_parameters": None, "articles_per_second": 2.5},
    }
    facts = {"name": "test", "task": "ner", "kind": kind, "labels": list(LABELS), "n_articles": 3, "support": dict.fromkeys(LABELS, 4)}
    changes = {"n_fixed": n_mentions, "n_broken": 1, "fixed": [fixed] * n_mentions, "broken": [broken]}
    difference = {"a": "A", "b": "B", "rows": rows, "config": config, **changes}
    return {**facts, "groups": [{"letter": letter, **group} for letter in "AB"], "differences": [difference]}


def evaluated_run(path: Path, pairs: Sequence[tuple[Article, Article]], *names: str, more: dict[str, Any] | None = None, **options) -> Run:
    """Return a finished run whose evaluations `names` (test) hold `pairs` of gold and prediction; more: further keys of the metrics."""
    run = make_run(path, **options)
    gold, pred = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    for name in names or ("test",):
        save_evaluation(run, name, gold, pred, run.config().task, seconds=1.5, **(more or {}))
    for epoch, f1 in enumerate((0.5, 0.7, 0.8), 1):
        row = {"epoch": float(epoch), "step": 10 * epoch, "loss": 1 / epoch, "micro_f1": f1, "macro_f1": f1 / 2, "seconds": epoch}
        run.append_history(row)
    run.finish(seconds=12.5, device="cpu", n_parameters=123)
    run.checkpoint_path.mkdir()
    return run


class Page(HTMLParser):
    """The elements of a page: (tag, attributes, text of it and what is in it), and its text without script and style."""

    VOID = frozenset({"meta", "link", "input", "br", "img", "hr"})

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None], list[str]]] = []
        self.open: list[int] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))
        if tag not in self.VOID:
            self.open.append(len(self.elements) - 1)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs), []))

    def handle_endtag(self, tag: str) -> None:
        assert self.elements[self.open[-1]][0] == tag, f"</{tag}> closes <{self.elements[self.open[-1]][0]}>"
        self.open.pop()

    def handle_data(self, data: str) -> None:
        for index in self.open:
            self.elements[index][2].append(data)

    def texts(self, tag: str, **attributes: str) -> list[str]:
        """Return the texts of the elements of that tag and attributes (`class_` for class)."""
        wanted = {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()}
        return ["".join(text) for name, found, text in self.elements if name == tag and wanted.items() <= found.items()]

    def count(self, tag: str) -> int:
        """Return how many elements of that tag there are."""
        return sum(name == tag for name, _, _ in self.elements)


def open_page(path: Path) -> Page:
    """Read a page; every element must be closed where it belongs."""
    page = Page(path.read_text(encoding="utf-8"))
    assert not page.open
    return page
