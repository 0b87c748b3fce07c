"""The jobs behind the commands, as plain functions of a config. The only room that knows all others.

Rooms that import torch are imported inside the functions: `--help` and bad options must answer at once.
"""

from __future__ import annotations

import glob
import logging
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitrep.articles import Article, fingerprint
from sitrep.calibration import fit_thresholds, load_thresholds
from sitrep.comparison import compare_runs
from sitrep.config import NER, AnnotateConfig, CompareConfig, EvaluateConfig, PredictConfig, TaskConfig, TrainConfig
from sitrep.corpus import Corpus, count_labels, load_corpus, make_splits, read_labelled, read_splits, splits_path, write_splits
from sitrep.errors import InputError, did_you_mean
from sitrep.formats import read_articles
from sitrep.labels import ENTITIES
from sitrep.lookup import fit_lookup, load_lookup
from sitrep.runs import Run, describe_task, open_run
from sitrep.scoring import score
from sitrep.terminal import comparison_table, console, count_table, metrics_table, percent, say, track

if TYPE_CHECKING:
    from sitrep.batch import ClassReader, Reader
    from sitrep.models import Model

log = logging.getLogger(__name__)


def train(config: TrainConfig, folder: Path) -> int:
    """Train a model into the run folder `folder`, and score it on dev."""
    began = time.monotonic()
    corpus = load_corpus(config.data, config.task)
    log.info(
        "%s: %s in %d train, %d dev and %d test articles of %s",
        config.task.name, describe_task(config.task), len(corpus.train), len(corpus.dev), len(corpus.test), config.data.path,
    )  # fmt: skip
    run = Run(folder)
    fit = {"lookup": _fit_lookup, "tfidf": _fit_tfidf, "encoder": _fit_encoder}[config.model.kind]
    with run.lock():
        reader, facts = fit(config, corpus, run)
        metrics = _evaluate(run, config.task, reader, corpus.dev, "dev")
        run.finish(data_sha256=fingerprint(corpus.articles), seconds=round(time.monotonic() - began, 1), **facts)
    console().print(metrics_table(metrics, f"{config.task.name} on dev ({metrics['n_articles']} articles), strict"))
    say(f"run: {run.path}\nnext: python evaluate.py run={run.path}")
    return 0


def _fit_lookup(config: TrainConfig, corpus: Corpus, run: Run) -> tuple[Reader, dict[str, Any]]:
    run.begin(config)
    reader = fit_lookup(corpus.train)
    reader.save(run.checkpoint_path)
    return reader, {"device": "cpu", "n_parameters": len(reader.surfaces)}


def _fit_tfidf(config: TrainConfig, corpus: Corpus, run: Run) -> tuple[Reader, dict[str, Any]]:
    from sitrep.tfidf import fit_tfidf

    assert config.model.tfidf is not None
    reader = fit_tfidf(corpus.train, config.task, config.model.tfidf, config.seed)
    run.begin(config)
    reader.save(run.checkpoint_path)
    _calibrate(run, config.task, reader, corpus.dev)
    return reader, {"device": "cpu", "n_parameters": reader.n_parameters}


def _fit_encoder(config: TrainConfig, corpus: Corpus, run: Run) -> tuple[Reader, dict[str, Any]]:
    from transformers import set_seed

    from sitrep.models import build_model, choose_device
    from sitrep.prediction import EncoderReader
    from sitrep.training import encode_training, tokens_per_second, train_model

    device = choose_device(config.device)
    set_seed(config.seed)  # the fresh head is drawn at random
    model = build_model(config.model, config.task)
    data = encode_training(model, corpus.train)
    run.begin(config)
    if data.ledger:
        log.warning("%d training mentions do not fit the head's tags and are not learnt: %s", len(data.ledger), _reasons(data.ledger))
    rate = tokens_per_second(model, data, config.trainer.batch_size, device)
    minutes = config.trainer.epochs * data.n_tokens * 1.1 / rate / 60  # a tenth more for reading dev after each epoch
    log.info(
        "%d windows, %d tokens an epoch; %d epochs at %.0f tokens/s take about %.0f min on %s",
        data.n_windows, data.n_tokens, config.trainer.epochs, rate, max(1, minutes), device,
    )  # fmt: skip
    train_model(model, config.trainer, data, corpus.dev, run, seed=config.seed, device=device)
    model.save(run.checkpoint_path)
    facts = {"device": str(device), "n_parameters": model.n_parameters, "train_ledger": [asdict(lost) for lost in data.ledger]}
    reader = EncoderReader(model, device)
    _calibrate(run, config.task, reader, corpus.dev)
    return reader, facts


def _calibrate(run: Run, task: TaskConfig, reader: ClassReader, dev: Sequence[Article]) -> None:
    """Fit the reader's thresholds on dev, if its task asks for that, and save them."""
    if task.thresholds != "dev":
        return
    calibration = fit_thresholds(dev, list(reader.read(dev)), str(task.field), task.labels)
    calibration.save(run.path)
    reader.thresholds = calibration.thresholds
    shared = calibration.global_labels
    shown = [f"{label} {threshold:.2f}" for label, threshold in calibration.thresholds.items() if label not in shared]
    if shared:
        shown.append(f"{calibration.thresholds[shared[0]]:.2f} for the {len(shared)} labels with few positives there")
    log.info("thresholds fitted on dev: %s", ", ".join(shown))


def evaluate(config: EvaluateConfig) -> int:
    """Score a run on a split of its own corpus, or on any labelled articles."""
    run = open_run(config.run)
    trained = run.config()
    if config.articles:
        name = config.name or Path(config.articles).stem
        gold: Sequence[Article] = read_labelled(
            config.articles, trained.task, format=config.format, text_dir=config.text_dir, drop_labels=config.drop_labels
        )
    else:
        name = config.split or "test"
        corpus = load_corpus(trained.data, trained.task)
        if fingerprint(corpus.articles) != run.info()["data_sha256"]:
            log.warning("%s has changed since the run was trained; its articles of today are scored", trained.data.path)
        gold = corpus.split(name)
    reader = _load_reader(run, config.device)
    with run.lock():
        metrics = _evaluate(run, trained.task, reader, gold, name)
    console().print(metrics_table(metrics, f"{trained.task.name} on {name} ({metrics['n_articles']} articles), strict"))
    say(f"scores: {run.metrics_path(name)}")
    return 0


def _evaluate(run: Run, task: TaskConfig, reader: Reader, gold: Sequence[Article], name: str) -> dict[str, Any]:
    """Read the gold articles, score what was found, and save gold, predictions and metrics."""
    from sitrep.batch import apply_readers

    began = time.monotonic()
    bare = [article.bare() for article in gold]
    pred = list(track(apply_readers([(task.field, reader)], bare), f"reading {name}", total=len(gold)))
    metrics = {
        "task": task.name,
        "name": name,
        "n_articles": len(gold),
        "n_characters": sum(len(article.text) for article in gold),
        "seconds": round(time.monotonic() - began, 2),
        "data_sha256": fingerprint(gold),
        **score(gold, pred, task),
        **_coverage(reader, gold, task),
    }
    run.save_evaluation(metrics, gold, pred)
    return metrics


def _coverage(reader: Reader, gold: Sequence[Article], task: TaskConfig) -> dict[str, Any]:
    """Return the gold mentions that the encoding cannot represent, and the recall that is left to reach."""
    model: Model | None = getattr(reader, "model", None)
    if task.kind != NER or model is None:
        return {}
    from sitrep.windows import align

    lost = [entry for encoded in model.windower().encode(gold) for entry in align(encoded)[1]]
    n_mentions = sum(len(article.spans) for article in gold)
    ceiling = 1 - len(lost) / n_mentions if n_mentions else None
    if lost:
        log.warning("%d gold mentions cannot be found by this head (%s): recall is at most %s", len(lost), _reasons(lost), percent(ceiling))
    return {"recall_ceiling": ceiling, "ledger": [asdict(entry) for entry in lost]}


def _reasons(lost: Sequence[Any]) -> str:
    return ", ".join(f"{n} {reason}" for reason, n in Counter(entry.reason for entry in lost).most_common())


def _load_reader(run: Run, device: str) -> Reader:
    config = run.config()
    if config.model.kind == "lookup":
        return load_lookup(run.checkpoint_path)
    thresholds = load_thresholds(run.path, config.task)
    if config.model.kind == "tfidf":
        from sitrep.tfidf import load_tfidf

        return load_tfidf(run.checkpoint_path, thresholds)
    from sitrep.models import choose_device, load_model
    from sitrep.prediction import EncoderReader

    return EncoderReader(load_model(run.checkpoint_path), choose_device(device), thresholds)


def predict(config: PredictConfig) -> int:
    """Read new articles with one or several runs at once."""
    from sitrep.batch import apply_readers, predict_to_file

    began = time.monotonic()
    runs = [open_run(reference) for reference in config.run]
    tasks = [run.config().task for run in runs]
    fields = [task.field for task in tasks]
    if len(set(fields)) < len(fields):
        raise InputError(f"run=[{','.join(config.run)}]: two runs of the same task would overwrite each other; give one run a task")
    output = Path(config.output)
    if output.suffix != ".jsonl":
        raise InputError(f"output={output}: the ending must be .jsonl")
    read_input = partial(_read_input, config.input, config.format)
    made_by = {"runs": [str(run.path) for run in runs], "started": [run.info()["started"] for run in runs], "input": config.input}
    readers = [(task.field, _load_reader(run, config.device)) for run, task in zip(runs, tasks, strict=True)]
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
    """Put the scores of several runs beside each other."""
    references = [match for reference in config.runs for match in _expand(reference)]
    comparison = compare_runs([open_run(reference) for reference in references], config.name)
    for run in comparison["runs"]:
        say(f"{run['letter']}  {run['path']}  ({run['seconds']:.0f} s)")
    console().print(comparison_table(comparison))
    return 0


def _expand(reference: str) -> list[str]:
    if Path(reference).exists() or reference.startswith("latest"):
        return [reference]
    return sorted(match for match in glob.glob(reference) if (Path(match) / "run.json").exists()) or [reference]


def annotate(config: AnnotateConfig) -> int:
    """Work on the labels: `action=split` makes or extends the split, `action=counts` counts labels by split."""
    actions = {"split": _split, "counts": _counts}
    if config.action.name not in actions:
        raise InputError(f"action={config.action.name} is unknown{did_you_mean(config.action.name, actions)}")
    return actions[config.action.name](config)


def _split(config: AnnotateConfig) -> int:
    data = config.data
    articles = list(read_articles(data.path, format=data.format, text_dir=data.text_dir))
    path = splits_path(data)
    existing = read_splits(path) if path.exists() else {}
    splits = make_splits(articles, data, existing)
    write_splits(splits, path)
    added = Counter(split for article_id, split in splits.items() if article_id not in existing)
    listed = ", ".join(f"{n} {split}" for split, n in sorted(added.items())) or "none"
    say(f"{path}: {len(existing)} articles kept, {added.total()} added ({listed})")
    return 0


def _counts(config: AnnotateConfig) -> int:
    data = config.data
    articles = list(read_articles(data.path, format=data.format, text_dir=data.text_dir))
    counts = count_labels(articles, read_splits(splits_path(data)), [ENTITIES, *(field for field in data.labels if field != ENTITIES)])
    names = ["articles", "characters", "mentions", *(f"{field}={label}" for field, labels in data.labels.items() for label in labels)]
    splits = ("train", "dev", "test")
    rows = [(name, [*(counts[name][split] for split in splits), counts[name].total()]) for name in names]
    console().print(count_table(data.path, "", [*splits, "all"], rows))
    return 0
