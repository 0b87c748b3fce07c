"""One evaluation: what was found held against what was annotated, scored, diagnosed, and saved in the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sitrep.articles import Article, fingerprint
from sitrep.config import TaskConfig
from sitrep.diagnosis import diagnose, mistake_rows
from sitrep.runs import Run
from sitrep.scoring import score


def save_evaluation(
    run: Run, name: str, gold: Sequence[Article], pred: Sequence[Article], task: TaskConfig, *, seconds: float, **more: Any
) -> dict[str, Any]:
    """Score `pred`, save metrics, gold, predictions and mistakes under `name`, and return the metrics.

    Args:
        seconds: how long the reading took.
        more: further parts of the metrics file.
    """
    mistakes = mistake_rows(gold, pred, task)
    metrics = {
        "task": task.name,
        "name": name,
        "n_articles": len(gold),
        "n_characters": sum(len(article.text) for article in gold),
        "seconds": round(seconds, 2),
        "data_sha256": fingerprint(gold),
        **score(gold, pred, task),
        **diagnose(gold, pred, task, mistakes, run.surfaces()),
        **more,
    }
    run.save_evaluation(metrics, gold, pred, mistakes)
    return metrics
