"""The job of train.py: a model fitted to a corpus, scored on dev, and saved as a run.

Rooms that import torch are imported inside the functions of readers.py: `--help` and bad options must answer at once.
"""

from __future__ import annotations

import logging
import time
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

from sitrep.articles import fingerprint
from sitrep.config import FOLD, MLM, NER, SPLITS, TrainConfig
from sitrep.corpus import Corpus, load_corpus
from sitrep.crossvalidation import pool_folds, show_pooled
from sitrep.diagnosis import train_surfaces
from sitrep.errors import InputError
from sitrep.evaluation import evaluate_reader
from sitrep.finding import open_run
from sitrep.processes import is_writer, leave, share
from sitrep.readers import fit_reader
from sitrep.reports.run import write_pages
from sitrep.runs import Run, describe_task
from sitrep.teachers import check_teacher
from sitrep.terminal import console, metrics_table, say
from sitrep.unlabelled import load_unlabelled

log = logging.getLogger(__name__)


def train(config: TrainConfig, folder: Path) -> int:
    """Train a model into the run folder `folder`, and score it on dev."""
    return _train(config, Run(folder), resumed=False)


def resume(run: Run) -> int:
    """Go on with a training that was interrupted; it ends as if it had not been."""
    return _train(run.config(), run, resumed=True)


def _train(config: TrainConfig, run: Run, *, resumed: bool) -> int:
    began = time.monotonic() - (run.seconds_so_far() if resumed else 0)
    if config.model.init_from and not resumed:  # `latest` would be another run tomorrow
        config = replace(config, model=replace(config.model, init_from=str(_encoder_run(config).path)))
    if config.distil_from and not resumed:
        config = replace(config, distil_from=str(open_run(config.distil_from).path))
    corpus = _load_corpus_once(config)
    data_sha256 = fingerprint(corpus.articles)
    facts = {"teacher": check_teacher(config, corpus, data_sha256)} if config.distil_from else {}
    log.info(
        "%s: %s in %d train, %d dev and %d test articles of %s",
        config.task.name, describe_task(config.task), len(corpus.train), len(corpus.dev), len(corpus.test), config.data.path,
    )  # fmt: skip
    with run.lock() if is_writer() else nullcontext():
        if resumed and run.info()["data_sha256"] != data_sha256:
            raise InputError(f"resume={run.path}: the articles of {config.data.path} have changed since it began; train anew")
        if resumed and run.info().get("teacher") != facts.get("teacher"):
            raise InputError(f"resume={run.path}: its teacher {config.distil_from} has changed since it began; train anew")
        if is_writer():
            run.go_on() if resumed else run.begin(config, data_sha256, **facts)
        try:
            reader, learnt = fit_reader(config, corpus, run)
        except BaseException:
            if is_writer() and not resumed and not run.has_learnt():
                run.forget()
            raise
        leave()
        if not is_writer():
            return 0
        if config.task.kind == NER:
            run.save_surfaces(train_surfaces(corpus.train))
        evaluated = [] if config.task.kind == MLM else ["dev", FOLD] if corpus.fold else ["dev"]
        scores = [
            evaluate_reader(
                run, config.task, reader, corpus.split(name), name,
                leaks=corpus.leaks_into(name), target_precision=config.target_precision if name == "dev" else None,
            )
            for name in evaluated
        ]  # fmt: skip
        sizes = {name: len(corpus.split(name)) for name in SPLITS}
        run.finish(seconds=round(time.monotonic() - began, 1), n_articles=sizes, **learnt)
        run.drop_states()
        write_pages(run, config.task)
    for metrics in scores:
        console().print(metrics_table(metrics, f"{config.task.name} on {metrics['name']} ({metrics['n_articles']} articles), strict"))
    trains_on = f"train.py task=ner model={config.model.name} model.init_from={run.path}"
    say(f"run: {run.path}\nnext: python " + (f"evaluate.py run={run.path}" if scores else trains_on))
    if corpus.fold and (pool := pool_folds(run, corpus)):
        show_pooled(pool)
    return 0


def _encoder_run(config: TrainConfig) -> Run:
    reference = str(config.model.init_from)
    if config.cv.folds and reference.startswith("latest"):
        raise InputError(f"model.init_from={reference}: in a cross-validation this would be the fold before; give the run's folder")
    run = open_run(reference)
    origin = run.config()
    if origin.model.kind != "encoder":
        raise InputError(f"model.init_from={reference}: {run.path} is a {origin.model.kind} model, which has no encoder to start from")
    if config.cv.folds and origin.cv != config.cv:
        log.warning("model.init_from=%s: if it has learnt from the articles that are held out here, their scores flatter", run.path)
    return run


def _load_corpus_once(config: TrainConfig) -> Corpus:
    """Let the writer make the split, if there is none yet, before the other processes read it."""
    if not is_writer():
        share(None)
    is_mlm = config.task.kind == MLM
    corpus = load_unlabelled(config.data, config.task) if is_mlm else load_corpus(config.data, config.task, config.cv)
    if is_writer():
        share(None)
    return corpus
