"""Which run a reference names: a folder, `latest`, or `latest:TASK`; and may it be loaded, or gone on with."""

from __future__ import annotations

from pathlib import Path

from sitrep.errors import InputError, did_you_mean
from sitrep.formats.files import read_json
from sitrep.runs import NO_MODEL, Run

MODELS = Path("models")


def open_run(reference: str, *, with_model: bool = True) -> Run:
    """Return the finished run that `reference` names: a folder, `latest`, or `latest:TASK`.

    Raises:
        InputError: if there is none, it has not finished, or it holds no model; `with_model=False` takes it for its scores.
    """
    word, _, task = reference.partition(":")
    if word == "latest" and not Path(reference).exists():
        return _latest(task)
    path = Path(reference)
    if not (path / "run.json").exists():
        known = [str(run.path) for run in finished_runs()]
        raise InputError(f"run={reference}: no run there (a run is a folder that holds run.json){did_you_mean(reference, known)}")
    run = Run(path)
    if with_model:
        _check_model(f"run={reference}", run)
    status = run.info()["status"]
    if status != "finished":
        raise InputError(
            f"run={reference}: the run has not finished (status {status!r}); wait for it, or go on with: python train.py resume={reference}"
        )
    return run


def _check_model(what: str, run: Run) -> None:
    info = run.info()
    for key in info.keys() & NO_MODEL.keys():
        why = NO_MODEL[key].format(info[key])
        raise InputError(f"{what}: {why} and holds scores, but no model; compare.py takes it, other commands need a run of train.py")


def open_unfinished(reference: str) -> Run:
    """Return the run at `reference` that has begun and not finished.

    Raises:
        InputError: if there is none, or nothing is left to do.
    """
    run = Run(Path(reference))
    file = run.path / "run.json"
    if not file.exists() or not file.stat().st_size:
        raise InputError(f"resume={reference}: no run began there (a run is a folder that holds run.json); train anew")
    _check_model(f"resume={reference}", run)
    if run.info()["status"] == "finished":
        raise InputError(f"resume={reference}: the run has finished; next: python evaluate.py run={reference}")
    return run


def finished_runs() -> list[Run]:
    """Return the finished runs below models/ that hold a model, oldest first."""
    infos = [(read_json(path), path.parent) for path in MODELS.glob("*/*/run.json") if path.stat().st_size]
    loadable = [(info["started"], folder) for info, folder in infos if info["status"] == "finished" and not info.keys() & NO_MODEL.keys()]
    return [Run(folder) for _, folder in sorted(loadable)]


def _latest(task: str) -> Run:
    runs = [run for run in finished_runs() if not task or run.info()["config"]["task"]["name"] == task]
    if not runs:
        raise InputError(
            f"run=latest{':' if task else ''}{task}: no finished run{f' of task {task}' if task else ''} below {MODELS}/; train one first"
        )
    return runs[-1]
