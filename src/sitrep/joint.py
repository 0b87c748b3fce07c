"""Several models in one pass over the articles: each article with what all of them find."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sitrep.articles import Article
from sitrep.calibration import FILE_NAME as CALIBRATION
from sitrep.config import TaskConfig
from sitrep.errors import InputError
from sitrep.provenance import model_sha256
from sitrep.readers import CalibratedReader, backend_of, load_calibrated, open_reader_run
from sitrep.runs import Run
from sitrep.sampling import look_ahead

READ_BY = "read_by"  # of a predicted article: task -> digest of the model that read it


@dataclass
class JointReader:
    """Calibrated readers of different tasks; what none of them predicts stays as it came.

    read_by: task -> digest of its model, which each article bears beside what it had
    """

    readers: Sequence[CalibratedReader]
    read_by: Mapping[str, str]

    def read(self, articles: Iterable[Article]) -> Iterator[Article]:
        """Yield each article as all readers see it; readers that cut articles alike read them together."""
        for chunk in look_ahead(articles):
            merged = [self._signed(article) for article in chunk]
            for group in self.groups:
                for reader, read in zip(group, _read_chunk([reader.reader for reader in group], chunk), strict=True):
                    merged = [_merge(one, reader.calibrate(raw), reader.task) for one, raw in zip(merged, read, strict=True)]
            yield from merged

    @cached_property
    def groups(self) -> list[list[CalibratedReader]]:
        """The readers, those together that cut articles alike."""
        if len(self.readers) == 1:
            return [[self.readers[0]]]
        groups: dict[Any, list[CalibratedReader]] = {}
        for number, reader in enumerate(self.readers):
            windower = getattr(reader.reader, "windower", None)  # other kinds of models have none
            groups.setdefault(windower.key if windower else number, []).append(reader)
        return list(groups.values())

    def _signed(self, article: Article) -> Article:
        before = article.extra.get(READ_BY, {})
        if isinstance(before, dict):
            return replace(article, extra={**article.extra, READ_BY: {**before, **self.read_by}})
        return replace(article, extra={**article.extra, f"input_{READ_BY}": before, READ_BY: dict(self.read_by)})  # a column of that name

    @property
    def fields(self) -> list[str | None]:
        """What is predicted: class fields, and None for mentions."""
        return [reader.task.field for reader in self.readers]

    @property
    def facts(self) -> dict[str, Any]:
        """What predictions depend on beside the models: what multiplies, on which device, and the digest of an exported network."""
        used = [getattr(reader.reader, "backend", None) for reader in self.readers]
        devices = [str(getattr(backend, "device", "cpu")) for backend in used]
        return {"backends": self.backends, "devices": devices, "exports": [getattr(backend, "sha256", None) for backend in used]}

    @property
    def backends(self) -> list[str]:
        """What multiplies for each reader, `none` where no network does."""
        return [backend_of(reader.reader) for reader in self.readers]

    def left_out(self) -> Counter[str]:
        """Return how many mentions and class labels scored too low, of each label."""
        return sum((reader.left_out for reader in self.readers), Counter())


def open_joint(references: Sequence[str]) -> dict[str, Run]:
    """Return task name -> run of the runs that `references` name.

    Raises:
        InputError: if a run cannot be opened, or two are of the same task.
    """
    runs = [open_reader_run(reference) for reference in references]
    tasks = [run.config().task for run in runs]
    if len({task.field for task in tasks}) < len(tasks):
        raise InputError(f"run=[{','.join(references)}]: two runs of the same task would overwrite each other; give one run a task")
    return {task.name: run for task, run in zip(tasks, runs, strict=True)}


def load_joint(
    runs: Mapping[str, Run],
    device: str,
    min_score: float | str | None,
    backend: str | Sequence[str] = "torch",
    threads: int | None = None,
) -> JointReader:
    """Return the readers of `open_joint`'s runs.

    Args:
        backend: what multiplies (see `load_reader`): one word for all, or one a run, as `JointReader.backends` has them.
        threads: of the CPU; None leaves that to torch.

    Raises:
        InputError: if a backend is refused.
    """
    if threads:
        _use_threads(threads)
    words = [backend] * len(runs) if isinstance(backend, str) else backend
    readers = [load_calibrated(run, device, min_score, word, threads) for run, word in zip(runs.values(), words, strict=True)]
    joint = JointReader(readers, digests(runs))
    for group in joint.groups:
        _share_encoders([reader.reader for reader in group])
    return joint


def digests(runs: Mapping[str, Run]) -> dict[str, str]:
    """Return task -> 12 hex digits of the SHA-256 of all that its run's predictions depend on: checkpoint and calibration."""
    return {task: _digest(run) for task, run in runs.items()}


def _digest(run: Run) -> str:
    calibration = (run.path / CALIBRATION).read_bytes() if (run.path / CALIBRATION).exists() else b""
    return hashlib.sha256(model_sha256(run.checkpoint_path).encode() + calibration).hexdigest()[:12]


def _use_threads(threads: int) -> None:
    import torch  # the baselines do without

    torch.set_num_threads(threads)


def _share_encoders(readers: Sequence[Any]) -> None:
    """Let readers have one encoder where they can; other engines than torch keep their own."""
    networks = [reader.network for reader in readers if len(readers) > 1 and reader.backend.name == "torch"]
    if len(networks) > 1:
        from sitrep.sharing import share_encoders

        share_encoders(networks)


def _read_chunk(readers: Sequence[Any], articles: Sequence[Article]) -> list[list[Article]]:
    """Return, for each of a group of readers, the articles as it reads them."""
    if len(readers) == 1:
        return [list(readers[0].read(articles))]
    from sitrep.prediction import read_together

    return read_together(readers, articles)


def _merge(article: Article, pred: Article, task: TaskConfig) -> Article:
    if task.field is None:
        return replace(article, spans=pred.spans)
    return article.with_classes(task.field, pred.labels[task.field], pred.scores[task.field])
