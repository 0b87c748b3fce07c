"""The job of predict.py: new articles read with one or several runs at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from sitrep.articles import Article
from sitrep.batch import Summary, predict_to_file, unfinished
from sitrep.cluster import read_on_cluster
from sitrep.formats import read_articles
from sitrep.formats.files import Reject
from sitrep.joint import digests, load_joint, open_joint
from sitrep.outputs import check_ending, output_files
from sitrep.predict_config import AUTO, RAY, PredictConfig
from sitrep.processes import n_cores
from sitrep.provenance import head_commit, versions
from sitrep.readers import describe_left_out
from sitrep.runs import Run
from sitrep.shards import Shard
from sitrep.terminal import console, count_table, say, track
from sitrep.workers import LoadReader, Result, read_shards

log = logging.getLogger(__name__)

INPUT_KEYS = ("input", "format", "text_field", "id_field", "max_chars")  # options that say what is read


def predict(config: PredictConfig) -> int:
    """Read new articles; 1 if there was none that could be read."""
    began = time.monotonic()
    output = Path(config.output)
    check_ending(output)
    runs = open_joint(config.run)
    found, models = unfinished(output, overwrite=config.overwrite), digests(runs)
    pinned = found if found.get("models") == models else {}
    threads = config.threads or pinned.get("threads") or max(1, n_cores() // config.workers)
    backend = pinned.get("backends", AUTO) if config.backend == AUTO else config.backend
    reader = load_joint(runs, config.device, config.min_score, backend, threads)
    load = partial(load_joint, _anywhere(runs), config.device, config.min_score, reader.backends, threads)
    summary = predict_to_file(
        partial(_read_input, config),
        load if config.workers > 1 or config.engine == RAY else lambda: reader,
        output,
        {**_made_by(config, runs), "models": models, **reader.facts, "threads": threads},
        overwrite=config.overwrite,
        strict=config.strict,
        read=_engine(config, threads, n_gpus=int(any(device.startswith("cuda") for device in reader.facts["devices"]))),
        watch=partial(track, description="shards"),
    )
    _say_what_became(summary, config, time.monotonic() - began)
    return 0 if summary.n_articles else 1


def _anywhere(runs: Mapping[str, Run]) -> dict[str, Run]:
    """Return the runs under paths that hold in any working folder, on any machine that shares the file system."""
    return {task: Run(run.path.resolve()) for task, run in runs.items()}


def _engine(config: PredictConfig, threads: int, n_gpus: int) -> Callable[[Iterator[Shard], LoadReader], Iterator[Result]]:
    if config.engine == RAY:
        return partial(read_on_cluster, n_workers=config.workers, threads=threads, n_gpus=n_gpus)
    return partial(read_shards, n_workers=config.workers)


def _made_by(config: PredictConfig, runs: Mapping[str, Run]) -> dict[str, Any]:
    fields = [run.config().task.field for run in runs.values()]
    return {
        "runs": [str(run.path) for run in runs.values()],
        "fields": [field for field in fields if field],
        "min_score": config.min_score,
        "commit": head_commit(),
        "versions": versions(),
        **{key: getattr(config, key) for key in INPUT_KEYS},
    }


def _read_input(config: PredictConfig, reject: Reject) -> Iterator[Article]:
    """Yield the articles of `input`, the output left out where it lies among them."""
    return read_articles(
        config.input,
        format=config.format,
        text_field=config.text_field,
        id_field=config.id_field,
        max_chars=config.max_chars,
        exclude=output_files(Path(config.output)),
        reject=reject,
    )


def _say_what_became(summary: Summary, config: PredictConfig, seconds: float) -> None:
    if summary.n_duplicate_ids:
        log.warning("%d articles have an id that another had before; all are kept, in order", summary.n_duplicate_ids)
    n_now = summary.n_articles - summary.n_resumed
    left_out = "" if config.min_score is None else f", {describe_left_out(summary.left_out)} left out below min_score={config.min_score}"
    say(
        f"{summary.n_articles + summary.n_rejected} read: {summary.n_articles} predicted"
        + (f" ({summary.n_resumed} of them before this run)" if summary.n_resumed else "")
        + f", {summary.n_rejected} rejected{left_out}; {seconds:.1f} s, {n_now / seconds:.1f} articles/s"
    )
    if summary.found:
        console().print(count_table("found", "label", ["n"], ((label, [n]) for label, n in sorted(summary.found.items()))))
    for path in summary.files:
        say(f"predictions: {path}")
    if summary.n_rejected:
        say(f"rejected: {config.output}.rejected.jsonl")
