"""`report.html` of a run: all its evaluations, how it learnt, and what it was made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sitrep.articles import Article
from sitrep.config import MLM, NER, SPLITS
from sitrep.errors import InputError
from sitrep.mistakes import KINDS
from sitrep.reports.articles import MAX_BYTES, pair_up, share_out, show_articles
from sitrep.reports.charts import curves, heat
from sitrep.reports.pages import flatten, show, write_page
from sitrep.runs import Run, describe_task

FILE_NAME = "report.html"
CURVE_BOX = (560, 150)
MAX_ROWS = 500  # of the ledger, and of near-duplicates
FACTS = ("status", "started", "commit", "dirty", "data_sha256", "seconds", "device", "n_parameters")

Pairs = list[tuple[Article, Article]]


def write_run_report(run: Run) -> Path:
    """Write `report.html` into the run folder, with every evaluation that has been made; return its path.

    Raises:
        InputError: if the gold or predictions of an evaluation are missing, or do not belong together.
    """
    task = run.config().task
    names = [] if task.kind == MLM else run.evaluations()
    pairs = [_pairs(run, name) for name in names]
    shares = share_out([len(articles) for articles in pairs])
    evaluations = [
        {
            "key": f"e{index}",  # begins its anchors
            "articles": show_articles(articles, task, n_most, MAX_BYTES / len(names)),
            **_evaluation(run.metrics(name), [gold.id for gold, _ in articles]),
        }
        for index, (name, articles, n_most) in enumerate(zip(names, pairs, shares, strict=True))
    ]
    info = run.info()
    history = run.history()
    return write_page(
        run.path / FILE_NAME,
        "run.html",
        title=f"{run.path.parent.name}/{run.path.name}",
        task=task,
        described=describe_task(task),
        model=info["config"]["model"],
        evaluations=evaluations,
        max_rows=MAX_ROWS,
        kinds=KINDS if task.kind == NER else ("missed", "spurious"),
        kind_numbers={kind: number for number, kind in enumerate(KINDS, 1)},
        history=history,
        measures=list(history[0]) if history else [],
        curves=curves(history, *CURVE_BOX),
        curve_box=CURVE_BOX,
        config=flatten(info["config"]),
        provenance=_provenance(info),
    )


def _pairs(run: Run, name: str) -> Pairs:
    for kind in ("gold", "predictions"):
        if not (run.path / kind / f"{name}.jsonl").exists():
            how = f"python evaluate.py run={run.path} " + (f"split={name}" if name in SPLITS else f"name={name} articles=...")
            raise InputError(f"{run.path}: {kind}/{name}.jsonl is missing beside metrics/{name}.json; make it again: {how}")
    return pair_up(run.articles("gold", name), run.articles("predictions", name))


def _evaluation(metrics: dict[str, Any], ids: Sequence[str]) -> dict[str, Any]:
    """Return the scores of one evaluation, the shades of its confusion matrix, and the numbers of its articles by id."""
    confusion = metrics.get("confusion")
    return {
        "metrics": metrics,
        "shades": heat(confusion["counts"]) if confusion else None,
        "numbers": {article_id: number for number, article_id in enumerate(ids)},
    }


def _provenance(info: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what the run was made with, as rows; a run that was resumed has one start more for each time."""
    rows = [(name, show(info[name])) for name in FACTS if name in info]
    rows += [("seed", show(info["config"]["seed"])), *flatten(info["versions"], "versions.")]
    for number, start in enumerate(info.get("resumed", []), 1):
        rows += flatten(start, f"resumed.{number}.")
    return rows
