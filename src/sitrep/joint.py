"""Several models in one pass over the articles: each article with what all of them find."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from sitrep.articles import Article
from sitrep.config import TaskConfig
from sitrep.errors import InputError
from sitrep.readers import CalibratedReader, load_calibrated, open_reader_run
from sitrep.sampling import look_ahead


@dataclass
class JointReader:
    """Calibrated readers of different tasks; what none of them predicts stays as it came.

    made_by: what determines the output, in JSON's types
    """

    readers: Sequence[CalibratedReader]
    made_by: dict[str, Any]

    def read(self, articles: Iterable[Article]) -> Iterator[Article]:
        """Yield each article as all readers see it; readers that cut articles alike read them together."""
        for chunk in look_ahead(articles):
            merged = chunk
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

    def left_out(self) -> Counter[str]:
        """Return how many mentions and class labels scored too low, of each label."""
        return sum((reader.left_out for reader in self.readers), Counter())


def load_joint(references: Sequence[str], device: str, min_score: float | str | None) -> JointReader:
    """Return the readers of the runs that `references` name, one a task.

    Raises:
        InputError: if a run cannot be opened, or two are of the same task.
    """
    runs = [open_reader_run(reference) for reference in references]
    fields = [run.config().task.field for run in runs]
    if len(set(fields)) < len(fields):
        raise InputError(f"run=[{','.join(references)}]: two runs of the same task would overwrite each other; give one run a task")
    readers = [load_calibrated(run, device, min_score) for run in runs]
    made_by = {
        "runs": [str(run.path) for run in runs],
        "started": [run.info()["started"] for run in runs],
        "min_score": [dict(reader.least) for reader in readers],
    }
    joint = JointReader(readers, made_by)
    for group in joint.groups:
        _share_encoders([reader.reader for reader in group])
    return joint


def _share_encoders(readers: Sequence[Any]) -> None:
    """Let readers have one encoder where they can; other engines than torch keep their own."""
    networks = [reader.network for reader in readers if len(readers) > 1 and reader.backend.name == "torch"]
    if len(networks) > 1:
        from sitrep.sharing import share_encoders  # noqa: PLC0415 (imports torch)

        share_encoders(networks)


def _read_chunk(readers: Sequence[Any], articles: Sequence[Article]) -> list[list[Article]]:
    """Return, for each of a group of readers, the articles as it reads them."""
    if len(readers) == 1:
        return [list(readers[0].read(articles))]
    from sitrep.prediction import read_together  # noqa: PLC0415 (imports torch)

    return read_together(readers, articles)


def _merge(article: Article, pred: Article, task: TaskConfig) -> Article:
    if task.field is None:
        return replace(article, spans=pred.spans)
    return article.with_classes(task.field, pred.labels[task.field], pred.scores[task.field])
