"""`report.html` of a run: all its evaluations, how it learnt, and what it was made with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sitrep.articles import Article
from sitrep.config import MLM, TaskConfig
from sitrep.errors import InputError
from sitrep.mistakes import KINDS
from sitrep.reports.articles import MAX_BYTES, kinds_of, pair_up, show_articles
from sitrep.reports.card import write_model_card
from sitrep.reports.charts import curves, heat
from sitrep.reports.pages import check_scores, rows_of, share_out, show, write_page
from sitrep.runs import Run, describe_task

FILE_NAME = "report.html"
CURVE_BOX = (560, 150)
MAX_ARTICLES = 200  # of all evaluations on one page
MAX_ROWS = 500  # of the ledger, and of near-duplicates
FACTS = ("status", "started", "commit", "dirty", "data_sha256", "seconds", "device", "n_parameters")

Pairs = list[tuple[Article, Article]]


def write_run_report(run: Run) -> Path:
    """Write `report.html` into the run folder, with every evaluation that has been made; return its path.

    An evaluation that cannot be shown (an older version wrote it, its gold or predictions are gone) is named at the top, with the reason.
    """
    task = run.config().task
    loaded, problems = _load(run, [] if task.kind == MLM else run.evaluations())
    shares = share_out([len(pairs) for _, pairs in loaded], MAX_ARTICLES)
    evaluations = [
        {
            "key": f"e{index}",  # begins its anchors
            "articles": show_articles(pairs, task, n_most, MAX_BYTES / len(loaded)),
            **_evaluation(metrics, [gold.id for gold, _ in pairs]),
        }
        for index, ((metrics, pairs), n_most) in enumerate(zip(loaded, shares, strict=True))
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
        problems=problems,
        max_rows=MAX_ROWS,
        kinds=kinds_of(task),
        kind_numbers={kind: number for number, kind in enumerate(KINDS, 1)},
        history=history,
        measures=list(history[0]) if history else [],
        curves=curves(history, *CURVE_BOX),
        curve_box=CURVE_BOX,
        config=rows_of(info["config"]),
        provenance=_provenance(info),
    )


def write_pages(run: Run, task: TaskConfig) -> Path:
    """Bring the run's report and model card up to date, and return the report."""
    if task.kind != MLM:
        write_model_card(run)
    return write_run_report(run)


def _load(run: Run, names: Sequence[str]) -> tuple[list[tuple[dict[str, Any], Pairs]], list[str]]:
    """Return metrics and articles of each evaluation, and the reasons why others are left out."""
    loaded, problems = [], []
    for name in names:
        try:
            loaded.append((check_scores(run, name), pair_up(run.articles("gold", name), run.articles("predictions", name))))
        except InputError as error:
            problems.append(f"{name!r} is not shown. {error}")
    return loaded, problems


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
    rows += [("seed", show(info["config"]["seed"])), *rows_of(info.get("teacher", {}), "teacher."), *rows_of(info["versions"], "versions.")]
    for number, start in enumerate(info.get("resumed", []), 1):
        rows += rows_of(start, f"resumed.{number}.")
    return rows
