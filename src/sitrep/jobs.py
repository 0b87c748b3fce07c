"""The jobs behind the commands, as plain functions of a config. The only room that knows all others.

Rooms that import torch are imported inside the functions: `--help` and bad options must answer at once.
"""

from __future__ import annotations

import glob
import logging
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitrep.articles import Article, fingerprint
from sitrep.comparison import compare_runs
from sitrep.config import MLM, NER, SPLITS, AnnotateConfig, CompareConfig, EvaluateConfig, PredictConfig, TaskConfig, TrainConfig
from sitrep.corpus import Corpus, check_complete, check_files, count_labels, load_corpus, read_labelled
from sitrep.diagnosis import train_surfaces
from sitrep.errors import InputError, did_you_mean
from sitrep.evaluation import save_evaluation
from sitrep.formats import read_articles
from sitrep.labels import ENTITIES
from sitrep.processes import is_writer, leave, share
from sitrep.readers import Reader, count_reasons, fit_reader, load_reader, open_reader_run
from sitrep.runs import SCHEMA_VERSION, Run, describe_task, open_run, write_json
from sitrep.splits import known_splits, make_splits, read_splits, splits_path, write_splits
from sitrep.terminal import (
    comparison_legend,
    comparison_table,
    console,
    count_table,
    difference_table,
    metrics_table,
    percent,
    points,
    say,
    track,
)
from sitrep.unlabelled import load_unlabelled

if TYPE_CHECKING:
    from sitrep.models import Model

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
        config = replace(config, model=replace(config.model, init_from=str(_encoder_run(config.model.init_from).path)))
    corpus = _load_corpus_once(config)
    data_sha256 = fingerprint(corpus.articles)
    log.info(
        "%s: %s in %d train, %d dev and %d test articles of %s",
        config.task.name, describe_task(config.task), len(corpus.train), len(corpus.dev), len(corpus.test), config.data.path,
    )  # fmt: skip
    with run.lock() if is_writer() else nullcontext():
        if resumed and run.info()["data_sha256"] != data_sha256:
            raise InputError(f"resume={run.path}: the articles of {config.data.path} have changed since it began; train anew")
        if is_writer():
            run.go_on() if resumed else run.begin(config, data_sha256)
        try:
            reader, facts = fit_reader(config, corpus, run)
        except BaseException:
            if is_writer() and not resumed and not run.has_learnt():
                run.forget()
            raise
        leave()
        if not is_writer():
            return 0
        if config.task.kind == NER:
            run.save_surfaces(train_surfaces(corpus.train))
        metrics = None if config.task.kind == MLM else _evaluate(run, config.task, reader, corpus.dev, "dev")
        run.finish(seconds=round(time.monotonic() - began, 1), **facts)
        run.drop_states()
    if metrics:
        console().print(metrics_table(metrics, f"{config.task.name} on dev ({metrics['n_articles']} articles), strict"))
    trains_on = f"train.py task=ner model={config.model.name} model.init_from={run.path}"
    say(f"run: {run.path}\nnext: python " + (f"evaluate.py run={run.path}" if metrics else trains_on))
    return 0


def _encoder_run(reference: str) -> Run:
    run = open_run(reference)
    if (kind := run.config().model.kind) != "encoder":
        raise InputError(f"model.init_from={reference}: {run.path} is a {kind} model, which has no encoder to start from")
    return run


def _load_corpus_once(config: TrainConfig) -> Corpus:
    """Let the writer make the split, if there is none yet, before the other processes read it."""
    if not is_writer():
        share(None)
    corpus = (load_unlabelled if config.task.kind == MLM else load_corpus)(config.data, config.task)
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
    else:
        name = config.split or "test"
        corpus = load_corpus(trained.data, trained.task)
        if fingerprint(corpus.articles) != run.info()["data_sha256"]:
            log.warning("%s has changed since the run was trained; its articles of today are scored", trained.data.path)
        gold = corpus.split(name)
    reader = load_reader(run, config.device)
    with run.lock():
        metrics = _evaluate(run, trained.task, reader, gold, name)
    console().print(metrics_table(metrics, f"{trained.task.name} on {name} ({metrics['n_articles']} articles), strict"))
    say(f"scores: {run.metrics_path(name)}")
    return 0


def _derived_name(articles: str) -> str:
    """Return what the scores of `articles` are called unless the user says: the name of the file or folder."""
    name = Path(articles).stem
    if not name or name in SPLITS or any(char in name for char in "*?[]"):
        raise InputError(f"articles={articles}: {name!r} cannot name the scores (the splits' names are theirs); choose one: name=NAME")
    return name


def _evaluate(run: Run, task: TaskConfig, reader: Reader, gold: Sequence[Article], name: str) -> dict[str, Any]:
    """Read the gold articles, score what was found, and save gold, predictions and metrics."""
    from sitrep.batch import apply_readers

    began = time.monotonic()
    bare = [article.bare() for article in gold]
    pred = list(track(apply_readers([(task.field, reader)], bare), f"reading {name}", total=len(gold)))
    seconds = time.monotonic() - began
    return save_evaluation(run, name, gold, pred, task, seconds=seconds, **_coverage(reader, gold, task))


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


def predict(config: PredictConfig) -> int:
    """Read new articles with one or several runs at once."""
    from sitrep.batch import apply_readers, predict_to_file

    began = time.monotonic()
    runs = [open_reader_run(reference) for reference in config.run]
    tasks = [run.config().task for run in runs]
    fields = [task.field for task in tasks]
    if len(set(fields)) < len(fields):
        raise InputError(f"run=[{','.join(config.run)}]: two runs of the same task would overwrite each other; give one run a task")
    output = Path(config.output)
    if output.suffix != ".jsonl":
        raise InputError(f"output={output}: the ending must be .jsonl")
    read_input = partial(_read_input, config.input, config.format)
    made_by = {
        "runs": [str(run.path) for run in runs],
        "started": [run.info()["started"] for run in runs],
        "input": config.input,
        "format": config.format,
    }
    readers = [(task.field, load_reader(run, config.device)) for run, task in zip(runs, tasks, strict=True)]
    summary = predict_to_file(
        read_input,
        lambda articles: track(apply_readers(readers, articles), "reading"),
        output,
        made_by,
        overwrite=config.overwrite,
        strict=config.strict,
    )
    if summary.n_duplicate_ids:
        log.warning("%d articles have an id that another had before; all are kept, in order", summary.n_duplicate_ids)
    say(
        f"{summary.n_articles + summary.n_rejected} read: {summary.n_articles} predicted"
        + (f" ({summary.n_resumed} of them before this run)" if summary.n_resumed else "")
        + f", {summary.n_rejected} rejected; {time.monotonic() - began:.1f} s"
    )
    if summary.found:
        console().print(
            count_table("in the articles predicted now", "label", ["n"], ((label, [n]) for label, n in sorted(summary.found.items())))
        )
    say(f"predictions: {output}" + (f"\nrejected: {output}.rejected.jsonl" if summary.n_rejected else ""))
    return 0 if summary.n_articles else 1


def _read_input(path: str, format: str | None, reject: Any) -> Any:
    return read_articles(path, format=format, reject=reject)


def compare(config: CompareConfig) -> int:
    """Say whether later runs are better than the first; 1 if one of them is worse than `fail_below` allows."""
    references = [match for reference in config.runs for match in _expand(reference)]
    output = Path(config.output) if config.output else None
    if output and output.suffix:
        raise InputError(f"output={output}: name a folder; comparison.json and comparison.html are written there")
    comparison = compare_runs([open_reader_run(reference, with_model=False) for reference in references], config.name)
    for line in comparison_legend(comparison):
        say(line)
    console().print(comparison_table(comparison))
    for difference in comparison["differences"]:
        console().print(difference_table(comparison, difference))
    if output:
        output.mkdir(parents=True, exist_ok=True)
        write_json(output / "comparison.json", {"schema_version": SCHEMA_VERSION, **comparison})
        say(f"comparison: {output / 'comparison.json'}")
    return _verdict(comparison, config.fail_below)


def _verdict(comparison: dict[str, Any], fail_below: float | None) -> int:
    if fail_below is None:
        return 0
    gains = {difference["b"]: difference["rows"]["micro"]["value"] for difference in comparison["differences"]}
    failed = {letter: gain for letter, gain in gains.items() if gain is None or 100 * gain < fail_below}
    for letter, gain in failed.items():
        log.error("%s - A is %s points of micro F1, below fail_below=%g", letter, points(gain), fail_below)
    return 1 if failed else 0


def _expand(reference: str) -> list[str]:
    if Path(reference).exists() or reference.startswith("latest"):
        return [reference]
    return sorted(match for match in glob.glob(reference) if (Path(match) / "run.json").exists()) or [reference]


def annotate(config: AnnotateConfig) -> int:
    """Work on the labels: `action=split` makes or extends the split, `action=counts` counts labels by split."""
    actions = {"split": _split, "counts": _counts}
    if config.action.name not in actions:
        raise InputError(f"action={config.action.name} is unknown{did_you_mean(config.action.name, actions)}")
    check_files(config.data)
    return actions[config.action.name](config)


def _split(config: AnnotateConfig) -> int:
    data = config.data
    articles = list(read_articles(data.path, format=data.format, text_dir=data.text_dir))
    path = splits_path(data)
    existing = read_splits(path) if path.exists() else {}
    splits = {**existing, **make_splits(articles, data, existing)}  # articles that are absent today keep their rows
    write_splits(splits, path)
    added = Counter(split for article_id, split in splits.items() if article_id not in existing)
    listed = ", ".join(f"{n} {split}" for split, n in sorted(added.items())) or "none"
    say(f"{path}: {len(existing)} articles kept, {added.total()} added ({listed})")
    return 0


def _counts(config: AnnotateConfig) -> int:
    data = config.data
    articles = list(read_articles(data.path, format=data.format, text_dir=data.text_dir))
    if data.split_by != "file" and not splits_path(data).exists():
        raise InputError(f"{splits_path(data)}: there is no split yet; make it with action=split")
    splits_by_id = known_splits(articles, data)
    check_complete(articles, splits_by_id, data)
    counts = count_labels(articles, splits_by_id, [ENTITIES, *(field for field in data.labels if field != ENTITIES)])
    names = ["articles", "characters", "mentions", *(f"{field}={label}" for field, labels in data.labels.items() for label in labels)]
    splits = ("train", "dev", "test")
    rows = [(name, [*(counts[name][split] for split in splits), counts[name].total()]) for name in names]
    console().print(count_table(data.path, "", [*splits, "all"], rows))
    return 0
