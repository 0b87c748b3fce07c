"""Several runs, scored on the same articles, in one table; runs that differ only by seed stand together."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterator, Sequence
from string import ascii_uppercase
from typing import Any

from sitrep.errors import InputError
from sitrep.runs import Run, describe_task


def compare_runs(runs: Sequence[Run], name: str) -> dict[str, Any]:
    """Return the scores named `name` of groups of runs beside each other.

    A group holds the runs of one config, commit and data that differ only by seed; a second run of the same seed opens a group of
    its own, which says whom it `repeats`, for counted twice it would make the deviation too small. F1 are means, with the sample
    standard deviation over seeds (None for one run); a mean is undefined where one of its runs' F1 is.

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
    groups = _group(list(zip(runs, metrics, strict=True)))
    return {
        "name": name,
        "task": tasks[0].name,
        "labels": list(tasks[0].labels),
        "n_articles": metrics[0]["n_articles"],
        "support": {label: counts["support"] for label, counts in metrics[0]["strict"]["per_label"].items()},
        "groups": [
            {"letter": _letter(index), "repeats": None if first is None else _letter(first), **_summarise(members)}
            for index, (first, members) in enumerate(groups)
        ],
    }


Member = tuple[Run, dict[str, Any]]  # a run and its scores


def _group(members: Sequence[Member]) -> list[tuple[int | None, list[Member]]]:
    """Return the members in groups, in the order given, each with the index of the first group of the same config, if it is another."""
    groups: list[tuple[int | None, list[Member]]] = []
    alike: dict[str, list[int]] = {}  # the groups of one config, in order
    for run, scores in members:
        info = run.info()
        commits = list(dict.fromkeys(start["commit"] for start in run.starts()))
        known = alike.setdefault(json.dumps([commits, info["data_sha256"], {**info["config"], "seed": None}], sort_keys=True), [])
        fitting = next((index for index in known if _seed(run) not in {_seed(other) for other, _ in groups[index][1]}), None)
        if fitting is None:
            groups.append((known[0] if known else None, []))
            known.append(fitting := len(groups) - 1)
        groups[fitting][1].append((run, scores))
    return groups


def _seed(run: Run) -> int:
    return run.info()["config"]["seed"]


def _summarise(members: Sequence[Member]) -> dict[str, Any]:
    rows = [dict(_f1s(scores)) for _, scores in members]
    runs = [{"path": str(run.path), "seed": _seed(run), "seconds": run.info().get("seconds")} for run, _ in members]
    return {"runs": runs, "f1": {name: mean_over_seeds([row[name] for row in rows]) for name in rows[0]}}


def _f1s(scores: dict[str, Any]) -> Iterator[tuple[str, float | None]]:
    for label, counts in scores["strict"]["per_label"].items():
        yield label, counts["f1"]
    yield "micro", scores["strict"]["micro"]["f1"]
    yield "macro", scores["strict"]["macro"]["f1"]
    if "example_f1" in scores:
        yield "example F1", scores["example_f1"]


def mean_over_seeds(values: Sequence[float | None]) -> dict[str, float | None]:
    """Return `mean` and `sd`, the sample standard deviation (None for one value); both None where a value is undefined."""
    defined = [value for value in values if value is not None]
    if len(defined) < len(values):
        return {"mean": None, "sd": None}
    return {"mean": statistics.fmean(defined), "sd": statistics.stdev(defined) if len(defined) > 1 else None}


def _check_same(first: Run, other: Run, what: str, expected: str, found: str) -> None:
    if expected != found:
        raise InputError(
            f"{other.path} and {first.path} cannot be compared, their {what} differ:\n  {found}\n  {expected}\n"
            "Compare runs of one task, evaluated on the same articles and labels"
        )


def _letter(index: int) -> str:
    return ascii_uppercase[index] if index < len(ascii_uppercase) else f"#{index + 1}"
