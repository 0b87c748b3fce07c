"""Several models in one pass over the articles: each article with what all of them find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from sitrep.articles import Article
from sitrep.config import TaskConfig
from sitrep.errors import InputError
from sitrep.readers import CalibratedReader, backend_of, load_calibrated, open_reader_run

CHUNK = 64  # articles read by all models before the next are touched


@dataclass
class JointReader:
    """Calibrated readers of different tasks; what none of them predicts stays as it came.

    made_by: what determines the output, in JSON's types
    """

    readers: Sequence[CalibratedReader]
    made_by: dict[str, Any]

    def read(self, articles: Iterable[Article]) -> Iterator[Article]:
        """Yield each article as all readers see it."""
        stream = iter(articles)
        while chunk := list(islice(stream, CHUNK)):
            merged = chunk
            for reader in self.readers:
                merged = [_merge(*pair, reader.task) for pair in zip(merged, reader.read(chunk), strict=True)]
            yield from merged

    def left_out(self) -> Counter[str]:
        """Return how many mentions and class labels scored too low, of each label."""
        return sum((reader.left_out for reader in self.readers), Counter())


def load_joint(
    references: Sequence[str],
    device: str,
    min_score: float | str | None,
    backend: str | Sequence[str] = "torch",
    threads: int | None = None,
) -> JointReader:
    """Return the readers of the runs that `references` name, one a task.

    Args:
        backend: what multiplies (see `load_reader`): one word for all, or one a run, as `made_by["backends"]` has them.
        threads: as of `load_reader`.

    Raises:
        InputError: if a run cannot be opened, two are of the same task, or a backend is refused.
    """
    runs = [open_reader_run(reference) for reference in references]
    fields = [run.config().task.field for run in runs]
    if len(set(fields)) < len(fields):
        raise InputError(f"run=[{','.join(references)}]: two runs of the same task would overwrite each other; give one run a task")
    backends = [backend] * len(runs) if isinstance(backend, str) else backend
    readers = [load_calibrated(run, device, min_score, word, threads) for run, word in zip(runs, backends, strict=True)]
    made_by = {
        "runs": [str(run.path) for run in runs],
        "started": [run.info()["started"] for run in runs],
        "min_score": [dict(reader.least) for reader in readers],
        "backends": [backend_of(reader.reader) for reader in readers],
    }
    return JointReader(readers, made_by)


def _merge(article: Article, pred: Article, task: TaskConfig) -> Article:
    if task.field is None:
        return replace(article, spans=pred.spans)
    return article.with_classes(task.field, pred.labels[task.field], pred.scores[task.field])
