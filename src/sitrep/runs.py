"""The run folder: its paths, its provenance, metrics and predictions in and out, the finished mark, the lock.

Files appear under a temporary name and are renamed when whole. The folder's map stands in models/README.md.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from sitrep.articles import Article
from sitrep.config import FOLD, FOLDS, MLM, NER, TaskConfig, TrainConfig, load
from sitrep.errors import InputError
from sitrep.formats import jsonl, read_articles
from sitrep.formats.files import read_json, replacing, write_json
from sitrep.provenance import provenance

SCHEMA_VERSION = 1
METRICS_VERSION = 2
STATE_FILES = ("model.safetensors", "optimizer.pt", "scheduler.pt")  # beside trainer_state.json
NO_MODEL = {  # keys of run.json that say why a run has scores and no model to load
    "recipe": "was made by {}",
    "pooled": "pools the folds of a cross-validation",
}


@dataclass(frozen=True)
class Run:
    """One training run on disk."""

    path: Path

    @property
    def checkpoint_path(self) -> Path:
        """The folder of the trained model."""
        return self.path / "checkpoint"

    def metrics_path(self, name: str) -> Path:
        """The scores of one evaluation; `name` is a split or the name that was given."""
        return self.path / "metrics" / f"{name}.json"

    def info(self) -> dict[str, Any]:
        """Return the content of run.json."""
        return read_json(self.path / "run.json")

    def config(self) -> TrainConfig:
        """Return the config that the run was trained with.

        Raises:
            InputError: if another version of sitrep wrote it.
        """
        try:
            return load(TrainConfig, self.info()["config"])
        except InputError as error:
            raise InputError(f"{self.path}: its config does not fit this version of sitrep ({error}); train again") from error

    def begin(self, config: TrainConfig, data_sha256: str, **facts: Any) -> None:
        """Claim the folder and write run.json with status `running`.

        data_sha256: the fingerprint of the articles, so that a resumed run learns from the same ones; facts: what else is known by now

        Raises:
            InputError: if another run lives here already.
        """
        self.path.mkdir(parents=True, exist_ok=True)
        try:
            (self.path / "run.json").open("x").close()
        except FileExistsError as error:
            raise InputError(f"{self.path}: already holds a run; start again, a second later gives another folder") from error
        started = {**provenance(), "status": "running", "data_sha256": data_sha256, **facts}
        write_json(self.path / "run.json", {"schema_version": SCHEMA_VERSION, **started, "config": asdict(config)})

    def commits(self) -> list[str | None]:
        """Return the commits that made the run: one, or more if it was resumed by another."""
        return list(dict.fromkeys(start["commit"] for start in self.starts()))

    def starts(self) -> list[dict[str, Any]]:
        """Return commit, versions and time of the run's start and of each time it went on."""
        info = self.info()
        return [info, *info.get("resumed", [])]

    def go_on(self) -> None:
        """Add to run.json when, and by which commit and versions, an interrupted run goes on."""
        self.note(resumed=[*self.info().get("resumed", []), provenance()])

    def finish(self, **facts: Any) -> None:
        """Add `facts` to run.json and mark the run as finished; called last, when all other files are whole."""
        self.note(**facts, status="finished")

    @contextmanager
    def lock(self):  # noqa: ANN201
        """Hold the run for writing.

        Raises:
            InputError: if another process holds it.
        """
        try:
            with FileLock(self.path / ".lock", timeout=0):
                yield
        except Timeout as error:
            raise InputError(f"{self.path}: another process is writing to this run; wait until it has ended") from error

    def last_state(self) -> Path | None:
        """Return the newest whole state of the Trainer, or None; what was cut off while it was written is removed.

        The Trainer writes `trainer_state.json` last: without it a state is not whole. Nor is one whose removal was cut off.
        """
        whole = {}
        for folder in self.path.glob("checkpoint-*"):
            try:
                step = json.loads((folder / "trainer_state.json").read_bytes())["global_step"]
            except (OSError, ValueError, KeyError):
                step = None
            if step is not None and all((folder / name).exists() for name in STATE_FILES):
                whole[step] = folder
            else:
                shutil.rmtree(folder)
        return whole[max(whole)] if whole else None

    def has_learnt(self) -> bool:
        """Say whether the run holds a state to go on from, or a model."""
        return any(self.path.glob("checkpoint*"))

    def forget(self) -> None:
        """Give the folder up: what began here has come to nothing."""
        (self.path / "run.json").unlink()

    def drop_states(self) -> None:
        """Remove the states of the Trainer, which a finished run needs no more."""
        for folder in self.path.glob("checkpoint-*"):
            shutil.rmtree(folder)

    def note(self, **facts: Any) -> None:
        """Add `facts` to run.json while the run is going."""
        write_json(self.path / "run.json", {**self.info(), **facts})

    def seconds_so_far(self) -> float:
        """Return how long an interrupted run had been going at its last evaluation on dev."""
        lines = self._history()
        return json.loads(lines[-1])["seconds"] if lines else 0.0

    def append_history(self, row: dict[str, Any]) -> None:
        """Add one evaluation on dev to history.jsonl."""
        with (self.path / "history.jsonl").open("a", encoding="utf-8") as history:
            history.write(json.dumps(row) + "\n")

    def cut_history(self, last_step: int) -> None:
        """Drop the evaluations after `last_step`: a resumed run makes them once more."""
        path = self.path / "history.jsonl"
        if not path.exists():
            return
        kept = [line for line in self._history() if json.loads(line)["step"] <= last_step]
        with replacing(path) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")

    def history(self) -> list[dict[str, Any]]:
        """Return the evaluations on dev, oldest first."""
        return [json.loads(line) for line in self._history()]

    def _history(self) -> list[str]:
        """Return the lines of history.jsonl; the last one, if it was cut off while it was written, is left out."""
        path = self.path / "history.jsonl"
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        return [line for line in lines if line.endswith("\n")]

    def save_evaluation(
        self, metrics: dict[str, Any], gold: Sequence[Article], pred: Sequence[Article], mistakes: Iterable[dict[str, Any]] = ()
    ) -> None:
        """Write metrics, gold, predictions and mistakes of one evaluation, replacing those of the same name."""
        name = metrics["name"]
        for folder, articles in (("gold", gold), ("predictions", pred)):
            with self._replacing(folder, f"{name}.jsonl") as temporary:
                jsonl.write(articles, temporary)
        with self._replacing("errors", f"{name}.jsonl") as temporary, temporary.open("w", encoding="utf-8", newline="\n") as lines:
            lines.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in mistakes)
        self.metrics_path(name).parent.mkdir(exist_ok=True)
        write_json(self.metrics_path(name), {"schema_version": METRICS_VERSION, **metrics})

    @contextmanager
    def _replacing(self, folder: str, name: str) -> Iterator[Path]:
        path = self.path / folder / name
        path.parent.mkdir(exist_ok=True)
        with replacing(path) as temporary:
            yield temporary

    def metrics(self, name: str) -> dict[str, Any]:
        """Return the scores of one evaluation.

        Raises:
            InputError: if it was not made yet, or by a version that wrote other files, with the command that makes it.
        """
        path = self.metrics_path(name)
        how = f"python evaluate.py run={self.path}" + {"test": "", "dev": " split=dev"}.get(name, f" name={name} articles=...")
        if name in (FOLD, FOLDS):
            how = "python train.py -m cv.folds=5 'cv.fold=range(5)'"
        if not path.exists():
            there = self.evaluations()
            raise InputError(f"{self.path}: has no scores named {name!r} (there are: {', '.join(there) or 'none'}); make them with: {how}")
        metrics = read_json(path)
        if not isinstance(metrics, dict):
            raise InputError(f"{path}: holds no scores; the file was damaged or edited by hand; score again: {how}")
        if (version := metrics.get("schema_version")) != METRICS_VERSION:
            raise InputError(
                f"{path}: was written by another version of sitrep (schema_version {version}, here {METRICS_VERSION}); score again: {how}"
            )
        return metrics

    def evaluations(self) -> list[str]:
        """Return the names of the evaluations that were made: test, dev, and the others by name."""
        names = [file.stem for file in (self.path / "metrics").glob("*.json")]
        return sorted(names, key=lambda name: (name != "test", name != "dev", name))

    def articles(self, kind: str, name: str) -> list[Article]:
        """Return the `gold` or `predictions` of one evaluation.

        Raises:
            InputError: if the file is missing or damaged.
        """
        return list(read_articles(self.path / kind / f"{name}.jsonl"))

    def save_surfaces(self, surfaces: Sequence[str]) -> None:
        """Keep what the mentions of the training articles read, to tell later which mentions were new."""
        write_json(self.path / "surfaces.json", {"schema_version": SCHEMA_VERSION, "surfaces": surfaces})

    def surfaces(self) -> list[str] | None:
        """Return what `save_surfaces` kept, or None where nothing was."""
        path = self.path / "surfaces.json"
        return read_json(path)["surfaces"] if path.exists() else None


def describe_task(task: TaskConfig) -> str:
    """Return a task in words, for messages and tables."""
    return {NER: "named entities", MLM: "masked words"}.get(task.kind, f"{task.field} ({task.kind})")
