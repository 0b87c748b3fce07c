"""The jobs behind the commands, as plain functions of a config. The only room that knows all others.

Rooms that import torch are imported inside the functions: `--help` and bad options must answer at once.
"""

from __future__ import annotations

import glob
import logging
import os
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

from sitrep.annotating import annotate  # noqa: F401  (one of the jobs)
from sitrep.articles import Article, fingerprint
from sitrep.comparison import compare_runs
from sitrep.config import (
    FOLD,
    MAX_NAME,
    MLM,
    NER,
    SPLITS,
    TAKEN_NAMES,
    CompareConfig,
    EvaluateConfig,
    TaskConfig,
    TrainConfig,
    is_too_long,
)
from sitrep.corpus import Corpus, find_leaks, load_corpus, read_labelled
from sitrep.crossvalidation import pool_folds, show_pooled
from sitrep.diagnosis import train_surfaces
from sitrep.errors import InputError
from sitrep.evaluation import evaluate_reader
from sitrep.finding import open_run
from sitrep.formats.streams import split_name
from sitrep.predicting import predict  # noqa: F401  (one of the jobs)
from sitrep.processes import is_writer, leave, share
from sitrep.readers import NO_BACKEND, backend_of, fit_reader, load_reader, open_reader_run
from sitrep.reports.card import write_model_card
from sitrep.reports.comparison import write_comparison_report
from sitrep.reports.run import write_run_report
from sitrep.runs import SCHEMA_VERSION, Run, describe_task, write_json
from sitrep.teachers import check_teacher
from sitrep.terminal import (
    comparison_legend,
    comparison_table,
    console,
    difference_table,
    metrics_table,
    points,
    say,
)
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
        _write_pages(run, config.task)
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


def evaluate(config: EvaluateConfig) -> int:
    """Score a run on a split of its own corpus, or on any labelled articles."""
    run = open_reader_run(config.run)
    trained = run.config()
    if config.articles:
        name = config.name or _derived_name(config.articles)
        gold: Sequence[Article] = read_labelled(
            config.articles, trained.task, format=config.format, text_dir=config.text_dir, drop_labels=config.drop_labels
        )
        leaks = find_leaks(gold, name, trained.data, trained.task, trained.cv)
    else:
        name = config.split or "test"
        corpus = load_corpus(trained.data, trained.task, trained.cv)
        if fingerprint(corpus.articles) != run.info()["data_sha256"]:
            log.warning("%s has changed since the run was trained; its articles of today are scored", trained.data.path)
        gold = corpus.split(name)
        leaks = None if name == "train" else corpus.leaks_into(name)
        if leaks is None:
            log.warning("the model learnt from these articles: scores on train say how well it knows them, not how well it reads others")
    reader = load_reader(run, config.device, config.backend)
    if not config.name and (backend := backend_of(reader)) not in (NO_BACKEND, "torch"):
        name = f"{name}-{backend}"  # torch's scores are those that the calibration was fitted to, and that runs are compared by
    with run.lock():
        metrics = evaluate_reader(run, trained.task, reader, gold, name, leaks=leaks, target_precision=config.target_precision)
        report = _write_pages(run, trained.task)
    console().print(metrics_table(metrics, f"{trained.task.name} on {name} ({metrics['n_articles']} articles), strict"))
    say(f"scores: {run.metrics_path(name)}\nreport: {report}")
    return 0


def _write_pages(run: Run, task: TaskConfig) -> Path:
    """Bring the run's report and model card up to date, and return the report."""
    if task.kind != MLM:
        write_model_card(run)
    return write_run_report(run)


def _derived_name(articles: str) -> str:
    """Return what the scores of `articles` are called unless the user says: the name of the file or folder."""
    name, _, _ = split_name(Path(articles).name)
    if not name or name in TAKEN_NAMES or any(char in name for char in "*?[]") or is_too_long(name):
        raise InputError(
            f"articles={articles}: {name!r} cannot name the scores (names of splits and folds are theirs, and {MAX_NAME} bytes the most); "
            "choose one: name=NAME"
        )
    return name


def compare(config: CompareConfig) -> int:
    """Say whether later runs are better than the first; 1 if one of them is worse than `fail_below` allows."""
    output = _writable_folder(config.output) if config.output else None
    references = [match for reference in config.runs for match in _expand(reference, config.name)]
    comparison = compare_runs([open_reader_run(reference, with_model=False) for reference in references], config.name)
    for line in comparison_legend(comparison):
        say(line)
    console().print(comparison_table(comparison))
    for difference in comparison["differences"]:
        console().print(difference_table(comparison, difference))
    if output:
        write_json(output / "comparison.json", {"schema_version": SCHEMA_VERSION, **comparison})
        page = write_comparison_report(comparison, output / "comparison.html")
        say(f"comparison: {output / 'comparison.json'}\nreport: {page}")
    return _verdict(comparison, config.fail_below)


def _verdict(comparison: dict[str, Any], fail_below: float | None) -> int:
    if fail_below is None:
        return 0
    gains = {difference["b"]: difference["rows"]["micro"]["value"] for difference in comparison["differences"]}
    failed = {letter: gain for letter, gain in gains.items() if gain is None or 100 * gain < fail_below}
    for letter, gain in failed.items():
        log.error("%s - A is %s points of micro F1, below fail_below=%g", letter, points(gain), fail_below)
    return 1 if failed else 0


def _writable_folder(output: str) -> Path:
    """Return the folder `output`, made if need be: before the work, so that none is lost."""
    folder = Path(output)
    way_out = "name a folder that can be written; comparison.json and comparison.html are put there"
    if folder.suffix in (".json", ".html"):
        raise InputError(f"output={output}: {way_out}")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"output={output}: {error.strerror}; {way_out}") from error
    if not os.access(folder, os.W_OK):
        raise InputError(f"output={output}: Permission denied; {way_out}")
    return folder


def _expand(reference: str, name: str) -> list[str]:
    """Return the runs that a reference names: of a glob those that have finished and have the scores `name`, if any has."""
    if Path(reference).exists() or reference.startswith("latest"):
        return [reference]
    matches = sorted(match for match in glob.glob(reference) if (Path(match) / "run.json").exists())
    scored = [match for match in matches if _is_scored(Run(Path(match)), name)]
    if scored and len(scored) < len(matches):
        left_out = [match for match in matches if match not in scored]
        log.warning(
            "runs=%s: %d of %d left out, which have no scores named %r or have not finished: %s",
            reference, len(left_out), len(matches), name, ", ".join(left_out[:5]) + (", ..." if len(left_out) > 5 else ""),
        )  # fmt: skip
    return scored or matches or [reference]


def _is_scored(run: Run, name: str) -> bool:
    return run.metrics_path(name).exists() and (run.path / "run.json").stat().st_size > 0 and run.info()["status"] == "finished"
