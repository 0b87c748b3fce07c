"""Several runs, scored on the same articles, in one table."""

from __future__ import annotations

from collections.abc import Sequence
from string import ascii_uppercase
from typing import Any

from sitrep.errors import InputError
from sitrep.runs import Run, describe_task


def compare_runs(runs: Sequence[Run], name: str) -> dict[str, Any]:
    """Return the scores named `name` of each run beside each other.

    Raises:
        InputError: if there are fewer than two runs, one was not scored, or they differ in task, labels or gold.
    """
    if len(runs) < 2:
        raise InputError(f"runs: {len(runs)} given, a comparison needs two or more: runs=[A,B] or a glob in quotes")
    metrics = [run.metrics(name) for run in runs]
    tasks = [run.config().task for run in runs]
    for run, task, scores in zip(runs, tasks, metrics, strict=True):
        _check_same(runs[0], run, "task", describe_task(tasks[0]), describe_task(task))
        _check_same(runs[0], run, "labels", ", ".join(tasks[0].labels), ", ".join(task.labels))
        _check_same(runs[0], run, f"data of {name!r}", metrics[0]["data_sha256"], scores["data_sha256"])
    return {
        "name": name,
        "task": tasks[0].name,
        "labels": list(tasks[0].labels),
        "n_articles": metrics[0]["n_articles"],
        "runs": [
            {"letter": _letter(index), "path": str(run.path), "seconds": run.info().get("seconds"), "strict": scores["strict"]}
            for index, (run, scores) in enumerate(zip(runs, metrics, strict=True))
        ],
    }


def _check_same(first: Run, other: Run, what: str, expected: str, found: str) -> None:
    if expected != found:
        raise InputError(
            f"{other.path} and {first.path} cannot be compared, their {what} differ:\n  {found}\n  {expected}\n"
            "Compare runs of one task, evaluated on the same articles and labels"
        )


def _letter(index: int) -> str:
    return ascii_uppercase[index] if index < len(ascii_uppercase) else f"#{index + 1}"
