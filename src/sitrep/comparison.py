"""Is B better than A? Several runs, scored on the same articles; runs that differ only by seed stand together.

Gold, predictions and texts come from the run folders, so that nothing is read by a model again.
"""

from __future__ import annotations

import json
import logging
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from string import ascii_uppercase
from typing import Any

import numpy as np

from sitrep.articles import Article, fingerprint
from sitrep.changes import changed_items, changed_keys
from sitrep.config import NER, TaskConfig
from sitrep.errors import InputError
from sitrep.matching import classes, strict
from sitrep.runs import Run, describe_task
from sitrep.scoring import AVERAGES, Counts, count, example_f1s
from sitrep.significance import Difference, differences, holm, mean_difference, mean_f1_intervals

EXAMPLE_F1 = "example F1"

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Member:
    """A run, its scores, and what it found in each article."""

    run: Run
    metrics: dict[str, Any]
    pred: list[Article]
    counts: Counts

    @property
    def seed(self) -> int:
        """The seed that the run was trained with."""
        return self.run.info()["config"]["seed"]


def compare_runs(runs: Sequence[Run], name: str) -> dict[str, Any]:
    """Return the scores named `name` of groups of runs beside each other, and how each later group differs from the first.

    A group holds the runs of one config, code and data that differ only by seed; a second run of the same seed opens a group of
    its own, which says whom it `repeats`, for counted twice it would make the deviation too small. F1 are means, with the sample
    standard deviation over seeds (None for one run); a mean is undefined where one of its runs' F1 is.

    Raises:
        InputError: if there are fewer than two runs, one was not scored, or they differ in task, labels, ids, texts or gold.
    """
    if len(runs) < 2:
        raise InputError(f"runs: {len(runs)} given, a comparison needs two or more: runs=[A,B] or a glob in quotes")
    metrics = [run.metrics(name) for run in runs]
    tasks = [run.config().task for run in runs]
    for run, task, scores in zip(runs, tasks, metrics, strict=True):
        _check_same(runs[0], run, "task", describe_task(tasks[0]), describe_task(task))
        _check_same(runs[0], run, "labels", ", ".join(tasks[0].labels), ", ".join(task.labels))
        _check_same(runs[0], run, f"data of {name!r}", metrics[0]["data_sha256"], scores["data_sha256"])
    gold, task = _gold(runs[0], name, metrics[0]["data_sha256"]), tasks[0]
    groups = _group([_member(run, scores, gold, task) for run, scores in zip(runs, metrics, strict=True)])
    summaries = [
        {"letter": _letter(index), "repeats": None if first is None else _letter(first), **_summarise(members, gold, task)}
        for index, (first, members) in enumerate(groups)
    ]
    return {
        "name": name,
        "task": task.name,
        "kind": task.kind,
        "labels": list(task.labels),
        "n_articles": len(gold),
        "data_sha256": metrics[0]["data_sha256"],
        "support": {label: counts["support"] for label, counts in metrics[0]["strict"]["per_label"].items()},
        "groups": summaries,
        "differences": [
            {"a": _letter(0), "b": _letter(index), **_differ(groups[0][1], members, gold, task)}
            for index, (_, members) in enumerate(groups[1:], start=1)
        ],
    }


def _gold(run: Run, name: str, data_sha256: str) -> list[Article]:
    gold = run.articles("gold", name)
    if fingerprint(gold) != data_sha256:
        raise InputError(f"{run.path}/gold/{name}.jsonl: is not what the scores were made with; score again with evaluate.py")
    return gold


def _member(run: Run, metrics: dict[str, Any], gold: Sequence[Article], task: TaskConfig) -> Member:
    pred = run.articles("predictions", metrics["name"])
    try:
        counts = count(gold, pred, task.labels, strict if task.kind == NER else classes(str(task.field)))
    except InputError as error:
        raise InputError(f"{run.path}/predictions/{metrics['name']}.jsonl: {error}") from error
    return Member(run, metrics, pred, counts)


def _group(members: Sequence[Member]) -> list[tuple[int | None, list[Member]]]:
    """Return the members in groups, in the order given, each with the index of the first group of the same config, if it is another."""
    groups: list[tuple[int | None, list[Member]]] = []
    alike: dict[str, list[int]] = {}  # the groups of one config, in order
    for member in members:
        info = member.run.info()
        likeness = [code_of(member.run), info["data_sha256"], {**info["config"], "seed": None}]
        known = alike.setdefault(json.dumps(likeness, sort_keys=True), [])
        fitting = next((index for index in known if member.seed not in {other.seed for other in groups[index][1]}), None)
        if fitting is None:
            groups.append((known[0] if known else None, []))
            known.append(fitting := len(groups) - 1)
        groups[fitting][1].append(member)
    for _, alike_members in groups:
        warn_of_changes([member.run for member in alike_members])
    return groups


def code_of(run: Run) -> list[list[Any]]:
    """Return what made a run: each commit that worked at it, whether it was changed, and the library versions."""
    made_by = [[start.get(key) for key in ("commit", "dirty", "versions")] for start in run.starts()]
    return [entry for index, entry in enumerate(made_by) if entry not in made_by[:index]]


def warn_of_changes(runs: Sequence[Run]) -> None:
    """Say so where several runs that count as alike were made with changes that belong to no commit, which may have been others each."""
    changed = [str(run.path) for run in runs if any(start.get("dirty") for start in run.starts())]
    if len(runs) > 1 and changed:
        log.warning("made with changes that belong to no commit, perhaps not the same ones: %s; commit and train anew", ", ".join(changed))


def _summarise(members: Sequence[Member], gold: Sequence[Article], task: TaskConfig) -> dict[str, Any]:
    rows = [dict(_f1s(member.metrics)) for member in members]
    intervals = dict(zip([*task.labels, *AVERAGES], mean_f1_intervals(_stack(members)), strict=True))
    if task.kind != NER:
        nothing = np.zeros((1, len(gold)))
        intervals[EXAMPLE_F1] = mean_difference(nothing, _example_f1s(members, gold, task)).interval
    f1 = {name: {**mean_and_sd([row[name] for row in rows]), "interval": intervals[name]} for name in rows[0]}
    runs = [{"path": str(member.run.path), "seed": member.seed, "seconds": member.run.info().get("seconds")} for member in members]
    return {"runs": runs, "f1": f1, "cost": _cost(members)}


def _cost(members: Sequence[Member]) -> dict[str, float | None]:
    """Return the mean seconds of training, the parameters, and the articles read in a second while these scores were made."""
    infos = [member.run.info() for member in members]
    rates = [m.metrics["n_articles"] / m.metrics["seconds"] if m.metrics.get("seconds") else None for m in members]
    measures = {"seconds": [info.get("seconds") for info in infos], "n_parameters": [info.get("n_parameters") for info in infos]}
    return {name: mean_and_sd(values)["mean"] for name, values in {**measures, "articles_per_second": rates}.items()}


def _f1s(scores: dict[str, Any]) -> Iterator[tuple[str, float | None]]:
    for label, counts in scores["strict"]["per_label"].items():
        yield label, counts["f1"]
    for average in AVERAGES:
        yield average, scores["strict"][average]["f1"]
    if "example_f1" in scores:
        yield EXAMPLE_F1, scores["example_f1"]


def _differ(first: Sequence[Member], other: Sequence[Member], gold: Sequence[Article], task: TaskConfig) -> dict[str, Any]:
    found: dict[str, Difference] = dict(zip([*task.labels, *AVERAGES], differences(_stack(first), _stack(other)), strict=True))
    if task.kind != NER:
        found[EXAMPLE_F1] = mean_difference(_example_f1s(first, gold, task), _example_f1s(other, gold, task))
    corrected: Mapping[str, float | None] = dict(zip(task.labels, holm([found[label].p for label in task.labels]), strict=True))
    rows = {name: {**asdict(difference), "p_holm": corrected.get(name)} for name, difference in found.items()}
    a, b = ([member.pred for member in members] for members in (first, other))
    infos = [members[0].run.info() for members in (first, other)]
    return {"rows": rows, "config": changed_keys(*infos), **changed_items(gold, a, b, task)}


def _stack(members: Sequence[Member]) -> np.ndarray:
    """Return (n_seeds, n_articles, n_labels, 3) counts; the articles stand in the order of the gold."""
    return np.stack([member.counts.values for member in members])


def _example_f1s(members: Sequence[Member], gold: Sequence[Article], task: TaskConfig) -> np.ndarray:
    return np.stack([example_f1s(gold, member.pred, str(task.field)) for member in members])


def mean_and_sd(values: Sequence[float | None]) -> dict[str, float | None]:
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
