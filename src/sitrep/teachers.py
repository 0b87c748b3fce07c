"""The run that a student learns from: whether it may teach, and what run.json keeps of it."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sitrep.config import SPLITS, TaskConfig, TrainConfig
from sitrep.corpus import Corpus
from sitrep.errors import InputError
from sitrep.finding import open_run
from sitrep.loading import flatten
from sitrep.provenance import model_sha256
from sitrep.runs import Run


def check_teacher(config: TrainConfig, corpus: Corpus, data_sha256: str) -> dict[str, Any]:
    """Return what run.json keeps of the teacher: its folder, commits and the SHA-256 of its model.

    corpus, data_sha256: what the student learns from, and its fingerprint

    Raises:
        InputError: if it is no finished run of an encoder, does another task, or may have learnt from what is dev or test here.
    """
    what = f"distil_from={config.distil_from}"
    run = open_run(str(config.distil_from))
    theirs = run.config()
    if theirs.model.kind != "encoder":
        raise InputError(f"{what}: {run.path} is a {theirs.model.kind} model, whose scores cannot be learnt; give a run of an encoder")
    if differences := _differences(theirs.task, config.task):
        raise InputError(f"{what}: teacher and student must do the same task, but {'; '.join(differences)}")
    if theirs.cv.folds is not None:
        raise InputError(
            f"{what}: {run.path} is fold {theirs.cv.fold} of a cross-validation and has learnt from dev articles; give a run without folds"
        )
    _check_data(what, run, corpus, data_sha256)
    return {"path": str(run.path), "commits": run.commits(), "model_sha256": model_sha256(run.checkpoint_path)}


def _differences(theirs: TaskConfig, ours: TaskConfig) -> list[str]:
    """Return `key is X there and Y here` for each value in which two tasks differ."""
    there, here = flatten(asdict(theirs)), flatten(asdict(ours))
    return [
        f"task.{key} is {there.get(key)} there and {here.get(key)} here"
        for key in sorted(there.keys() | here.keys())
        if there.get(key) != here.get(key)
    ]


def _check_data(what: str, run: Run, corpus: Corpus, data_sha256: str) -> None:
    """Demand that the teacher learnt from the same articles in the same splits: from others it may know what is dev or test here."""
    info = run.info()
    sizes = {name: len(corpus.split(name)) for name in SPLITS}
    dev = {article.id for article in run.articles("gold", "dev")}
    problem = None
    if info["data_sha256"] != data_sha256:
        problem = f"its articles have the fingerprint {info['data_sha256'][:12]}, the student's {data_sha256[:12]}"
    elif info["n_articles"] != sizes:
        problem = f"its splits hold {info['n_articles']} articles, the student's {sizes}"
    elif other := sorted(dev ^ {article.id for article in corpus.dev}):
        problem = f"its dev articles are others: {', '.join(other[:3])}{', ...' if len(other) > 3 else ''}"
    if problem:
        raise InputError(f"{what}: {problem}. A teacher that has learnt from what is dev or test here would pass it on; train it anew")
