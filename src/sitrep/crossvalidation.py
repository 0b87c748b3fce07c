"""Cross-validation: the held-out articles of all folds scored together, once the last run of a config has finished.

The pooled folder stands beside the runs and looks like one, but holds no model: its `run.json` names the runs under `pooled`.
"""

from __future__ import annotations

import json
import logging
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock

from sitrep.comparison import code_of, mean_and_sd, warn_of_changes
from sitrep.config import FOLD, FOLDS, NER, TaskConfig
from sitrep.corpus import Corpus
from sitrep.diagnosis import count_seen_unseen
from sitrep.evaluation import save_evaluation
from sitrep.provenance import provenance
from sitrep.reports.run import write_run_report
from sitrep.runs import SCHEMA_VERSION, Run, read_json, write_json
from sitrep.scoring import Counts, summary
from sitrep.terminal import console, mean_and_deviation, metrics_table, percent, say

log = logging.getLogger(__name__)


def pool_folds(run: Run, corpus: Corpus) -> Run | None:
    """Return the folder of the pooled scores to which the finished `run` belongs, or None while folds are missing.

    Pooled are the runs beside it that are equal in config (but for the fold), code and data, of each fold the newest. Whichever ends
    last pools them; of two that end at once the second finds them pooled.

    corpus: the run's, whose train, dev and fold articles all folds together must hold
    """
    cv = run.config().cv
    assert cv.folds is not None
    with FileLock(run.path.parent / ".pooling.lock"):
        newest = _newest_by_fold(run)
        if missing := [str(fold) for fold in range(cv.folds) if fold not in newest]:
            log.info("of %d folds %s not finished (same config, code and data): no pooled scores yet", cv.folds, ", ".join(missing))
            return None
        folds = [newest[fold] for fold in range(cv.folds)]
        held_out = sorted(article.id for fold in folds for article in fold.articles("gold", FOLD))
        if held_out != sorted(article.id for article in (*corpus.train, *corpus.dev, *corpus.fold)):
            log.warning(
                "the folds do not hold each train and dev article once, since the split has changed: no pooled scores; train them anew"
            )
            return None
        warn_of_changes(folds)
        pool = _pooled_folder(folds)
        if not (pool.path / "run.json").exists():
            save_pooled(pool, folds)
        return pool


def save_pooled(pool: Run, folds: Sequence[Run]) -> None:
    """Write gold, predictions, scores and mistakes of all folds together, and run.json last."""
    infos, metrics = [run.info() for run in folds], [run.metrics(FOLD) for run in folds]
    config = folds[0].config()
    gold, pred = ([article for run in folds for article in run.articles(kind, FOLD)] for kind in ("gold", "predictions"))
    more: dict[str, Any] = {
        "seen_unseen": _seen_unseen(folds, config.task),
        "near_duplicates": [row for scores in metrics for row in scores["near_duplicates"]],
        "folds": {"micro_f1": (f1s := [scores["strict"]["micro"]["f1"] for scores in metrics]), **mean_and_sd(f1s)},
    }
    if "average_precision" in metrics[0]:
        more["average_precision"] = _average_precision([scores["average_precision"] for scores in metrics])
    if "ledger" in metrics[0]:
        ledger = [lost for scores in metrics for lost in scores["ledger"]]
        n_mentions = sum(len(article.spans) for article in gold)
        more |= {"recall_ceiling": 1 - len(ledger) / n_mentions if n_mentions else None, "ledger": ledger}
    pool.path.mkdir(exist_ok=True)
    save_evaluation(pool, FOLDS, gold, pred, config.task, seconds=sum(scores["seconds"] for scores in metrics), **more)
    commit, *later = folds[0].commits()
    facts = {
        **provenance(),
        "commit": commit,
        "dirty": any(info["dirty"] for info in infos) if commit else None,
        "data_sha256": infos[0]["data_sha256"],
        "config": _without_fold(infos[0]["config"]),
        "pooled": [str(run.path) for run in folds],
        "seconds": round(sum(info["seconds"] for info in infos), 1),
        "device": infos[0]["device"],
        "n_parameters": round(statistics.fmean(info["n_parameters"] for info in infos)),  # a look-up's differ from fold to fold
        **({"resumed": [{"commit": other} for other in later]} if later else {}),
        "status": "finished",
    }
    write_json(pool.path / "run.json", {"schema_version": SCHEMA_VERSION, **facts})
    write_run_report(pool)


def show_pooled(pool: Run) -> None:
    """Print the scores of all folds together, and the F1 of each."""
    metrics = pool.metrics(FOLDS)
    spread = metrics["folds"]
    title = f"{metrics['task']} on all {len(spread['micro_f1'])} folds ({metrics['n_articles']} articles), strict"
    console().print(metrics_table(metrics, title))
    say(f"micro F1 by fold, mean ± standard deviation: {mean_and_deviation(spread)} ({', '.join(map(percent, spread['micro_f1']))})")
    say(f"pooled: {pool.path}\nreport: {pool.path / 'report.html'}\nnext: python compare.py runs=[{pool.path},OTHER] name={FOLDS}")


def _newest_by_fold(run: Run) -> dict[int, Run]:
    expected = _likeness(run)
    infos = [(read_json(path), path.parent) for path in run.path.parent.glob("*/run.json") if path.stat().st_size]
    finished = [(info["started"], str(folder)) for info, folder in infos if info["status"] == "finished" and "pooled" not in info]
    others = [Run(Path(folder)) for _, folder in sorted(finished)]
    return {other.info()["config"]["cv"]["fold"]: other for other in others if _likeness(other) == expected}


def _likeness(run: Run) -> str:
    """Return what the folds of one cross-validation have in common."""
    info = run.info()
    return json.dumps([code_of(run), info["data_sha256"], _without_fold(info["config"])], sort_keys=True)


def _without_fold(config: dict[str, Any]) -> dict[str, Any]:
    return {**config, "cv": {**config.get("cv", {}), "fold": None}}


def _pooled_folder(folds: Sequence[Run]) -> Run:
    """Return the folder that pools these runs, or the one that is to: named by the start of the last of them."""
    started = max(run.info()["started"] for run in folds)[:19].translate({ord("-"): None, ord(":"): None, ord("T"): "-"})
    config = folds[0].config()
    path = folds[0].path.with_name(f"{started}-s{config.seed}-cv{config.cv.folds}")
    attempt = 1
    while (path / "run.json").exists() and read_json(path / "run.json").get("pooled") != [str(run.path) for run in folds]:
        attempt += 1
        path = path.with_name(f"{started}-s{config.seed}-cv{config.cv.folds}.{attempt}")
    return Run(path)


def _seen_unseen(folds: Sequence[Run], task: TaskConfig) -> dict[str, Any] | None:
    """Return the scores of mentions that the training of their own fold had seen, and of those that it had not."""
    surfaces = [run.surfaces() for run in folds]
    if task.kind != NER or None in surfaces:
        return None
    sides = [
        count_seen_unseen(run.articles("gold", FOLD), run.articles("predictions", FOLD), task, known or ())
        for run, known in zip(folds, surfaces, strict=True)
    ]
    return {name: summary(_join([counts[name] for counts in sides]))["micro"] for name in ("seen", "unseen")}


def _join(parts: Sequence[Counts]) -> Counts:
    ids = tuple(article_id for counts in parts for article_id in counts.ids)
    return Counts(parts[0].labels, ids, np.concatenate([counts.values for counts in parts]))


def _average_precision(of_folds: Sequence[dict[str, Any] | None]) -> dict[str, Any] | None:
    """Return the mean of the folds' average precisions, with its deviation: scores of different models have no common order."""
    if None in of_folds:
        return None

    def pooled(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
        spread = mean_and_sd([row["value"] for row in rows])
        return {"value": spread["mean"], "sd": spread["sd"], "interval": None}

    known = [part for part in of_folds if part is not None]
    per_label = {label: pooled([part["per_label"][label] for part in known]) for label in known[0]["per_label"]}
    return {**{name: pooled([part[name] for part in known]) for name in ("micro", "macro")}, "per_label": per_label}
