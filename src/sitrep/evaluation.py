"""One evaluation: articles read and calibrated, held against what was annotated, scored, diagnosed, and saved in the run."""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sitrep.articles import Article, fingerprint
from sitrep.calibration import fit_calibration, load_calibration
from sitrep.config import NER, TaskConfig
from sitrep.corpus import Leak
from sitrep.diagnosis import diagnose, mistake_rows
from sitrep.readers import Reader, count_reasons
from sitrep.reliability import reliability
from sitrep.runs import Run
from sitrep.scoring import score
from sitrep.terminal import percent, track

if TYPE_CHECKING:
    from sitrep.models import Model

log = logging.getLogger(__name__)


def evaluate_reader(
    run: Run,
    task: TaskConfig,
    reader: Reader,
    gold: Sequence[Article],
    name: str,
    *,
    leaks: Sequence[Leak] | None,
    target_precision: float | None,
) -> dict[str, Any]:
    """Read the gold articles, calibrate and score what was found, save it under `name`, and return the metrics.

    Args:
        leaks: near-duplicates of these articles among those learnt from; None where that is not known.
        target_precision: `gold` is dev, and the run's calibration is fitted to it first.
    """
    began = time.monotonic()
    calibration = None if target_precision else load_calibration(run.path, task)
    raw = list(track(reader.read(article.bare() for article in gold), f"reading {name}", total=len(gold)))
    if target_precision:
        calibration = fit_calibration(gold, raw, task, target_precision)
        calibration.save(run.path)
        log.info("%s", calibration.describe(task))
    assert calibration is not None
    pred = [calibration.apply(article, task) for article in raw]
    seconds = time.monotonic() - began
    more = {
        "calibration": reliability(gold, raw, pred, task, calibration.temperature),
        **_coverage(reader, gold, task),
        "near_duplicates": None if leaks is None else [asdict(leak) for leak in leaks],
    }
    return save_evaluation(run, name, gold, pred, task, seconds=seconds, **more)


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


def _coverage(reader: Reader, gold: Sequence[Article], task: TaskConfig) -> dict[str, Any]:
    """Return the gold mentions that the encoding cannot represent, and the recall that is left to reach."""
    model: Model | None = getattr(reader, "model", None)
    if task.kind != NER or model is None:
        return {}
    lost = [entry for encoded in model.network.windower.encode(gold) for entry in model.network.lost(encoded)]
    n_mentions = sum(len(article.spans) for article in gold)
    ceiling = 1 - len(lost) / n_mentions if n_mentions else None
    if lost:
        log.warning(
            "%d gold mentions cannot be found by this head (%s): recall is at most %s", len(lost), count_reasons(lost), percent(ceiling)
        )
    return {"recall_ceiling": ceiling, "ledger": [asdict(entry) for entry in lost]}
