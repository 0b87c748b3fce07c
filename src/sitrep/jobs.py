"""The jobs behind the commands, as plain functions of a config. The only room that knows all others."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sitrep.annotating import annotate  # noqa: F401  (one of the jobs)
from sitrep.articles import Article, fingerprint
from sitrep.comparison import compare_runs
from sitrep.config import MAX_NAME, TAKEN_NAMES, CompareConfig, EvaluateConfig, is_too_long
from sitrep.corpus import find_leaks, load_corpus, read_labelled
from sitrep.errors import InputError
from sitrep.evaluation import evaluate_reader
from sitrep.formats.streams import split_name
from sitrep.learning import resume, train  # noqa: F401  (two of the jobs)
from sitrep.predicting import predict  # noqa: F401  (one of the jobs)
from sitrep.readers import NO_BACKEND, backend_of, load_reader, open_reader_run
from sitrep.reports.comparison import write_comparison_report
from sitrep.reports.run import write_pages
from sitrep.runs import SCHEMA_VERSION, Run, write_json
from sitrep.terminal import comparison_legend, comparison_table, console, difference_table, metrics_table, points, say

log = logging.getLogger(__name__)


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
        report = write_pages(run, trained.task)
    console().print(metrics_table(metrics, f"{trained.task.name} on {name} ({metrics['n_articles']} articles), strict"))
    say(f"scores: {run.metrics_path(name)}\nreport: {report}")
    return 0


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
