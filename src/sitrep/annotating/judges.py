"""Which models may judge which articles: those that did not learn from them."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sitrep.annotate_config import SuspectsConfig
from sitrep.articles import Article, fingerprint
from sitrep.config import FOLD, NER, CrossValidationConfig, TaskConfig, TrainConfig
from sitrep.corpus import Corpus, load_corpus, read_labelled
from sitrep.errors import InputError
from sitrep.finding import MODELS
from sitrep.learning import resume, train
from sitrep.near_duplicates import NearDuplicates
from sitrep.readers import open_reader_run
from sitrep.runs import Run, read_json
from sitrep.terminal import say

log = logging.getLogger(__name__)

TARGET_PRECISION = 0.9  # as configs/train.yaml has it, so that its runs are found again


@dataclass(frozen=True)
class Judged:
    """Labelled articles, and the runs that judge them.

    origin: where the articles come from, in words
    by_run: each run with the articles that it did not learn from
    """

    origin: str
    task: TaskConfig
    articles: list[Article]
    by_run: list[tuple[Run, list[Article]]]

    @property
    def runs(self) -> list[Run]:
        """The runs that judge something."""
        return [run for run, articles in self.by_run if articles]


class Corpora:
    """The corpora of runs, each read once: to read one is to look for near-duplicates in it."""

    def __init__(self) -> None:
        self._known: dict[str, Corpus] = {}

    def of(self, config: TrainConfig) -> Corpus:
        """Return the articles of a run as they are today, dealt as it held them out."""
        key = json.dumps([asdict(part) for part in (config.data, config.task, config.cv)])
        if key not in self._known:
            self._known[key] = load_corpus(config.data, config.task, config.cv)
        return self._known[key]


def judges_of(references: Sequence[str], more: str | None, corpora: Corpora | None = None) -> Judged:
    """Return what runs can judge: of their data what they hold out and test, and what they did not learn of those at `more`.

    references: runs of a cross-validation, its pooled folder, or ordinary runs, which hold out dev
    corpora: what was read of them already

    Raises:
        InputError: if they do not find mentions of the same labels in the same data, are no encoders, or the split was made anew since.
    """
    runs = [run for reference in references for run in _unpooled(reference)]
    first = runs[0].config()
    for run in runs:
        config = run.config()
        if config.task.kind != NER or config.model.kind != "encoder":
            raise InputError(
                f"run={run.path}: a {config.model.kind} model of task {config.task.name} has no probabilities of mentions to judge "
                "marks by; give runs of an encoder for task=ner"
            )
        if (config.task.labels, config.data) != (first.task.labels, first.data):
            raise InputError(f"run={run.path}: has other labels or data than {runs[0].path}; judges must have learnt the same")
    added = {article.id: article for article in read_labelled(more, first.task)} if more else {}
    corpora = corpora or Corpora()
    by_run = [(run, list(_independent(run, corpora.of(run.config()), added))) for run in runs]
    articles = {article.id: article for _, some in by_run for article in some}
    known = [article.id for article in corpora.of(first).articles if article.id not in added]
    _say_what_is_left_out([(first.data.path, known), ("input", list(added))], articles.keys())
    if not articles:
        raise InputError(f"run=[{','.join(references)}]: all articles were learnt from, so that there is nothing to judge; give input=")
    return Judged(f"{first.data.path}{f' and {more}' if more else ''}", first.task, [*articles.values()], by_run)


def _unpooled(reference: str) -> Iterator[Run]:
    run = open_reader_run(reference, with_model=False)
    folds = run.info().get("pooled")
    if not folds:
        yield open_reader_run(reference)
        return
    for fold in folds:
        yield open_reader_run(fold)


def _independent(run: Run, corpus: Corpus, added: dict[str, Article]) -> Iterator[Article]:
    """Yield the articles that a run holds out or tests on, and those `added` that are not, nearly, what it learnt from."""
    config = run.config()
    if problem := _other_split(run, corpus):
        raise InputError(
            f"run={run.path}: {problem}, so that it may have learnt from what it would judge; bring back the split of {config.data.path} "
            "that it was trained with, or leave out run=: folds of today's split are trained"
        )
    if fingerprint(corpus.articles) != run.info()["data_sha256"]:
        log.warning("%s has changed since %s was trained; its articles of today are judged", config.data.path, run.path)
    held_out = {article.id for article in run.articles("gold", FOLD if config.cv.folds else "dev")}  # as it was when it was trained
    held_out |= {article.id for article in corpus.test}
    yield from (article for article in corpus.articles if article.id in held_out and article.id not in added)
    if not added:
        return
    learnt = [article for article in (*corpus.train, *(corpus.dev if config.cv.folds else ())) if article.id not in held_out]
    ids, near = {article.id for article in learnt}, NearDuplicates(learnt)
    yield from (article for article in added.values() if article.id not in ids and not near.nearest(article))


def _other_split(run: Run, corpus: Corpus) -> str | None:
    """Return in which split other articles stand today than when the run was trained (or last tested), as far as it tells."""
    names = ["dev", *([FOLD] if corpus.fold else []), *(["test"] if "test" in run.evaluations() else [])]
    for name in names:
        stored, today = ({article.id for article in some} for some in (run.articles("gold", name), corpus.split(name)))
        if other := sorted(stored ^ today):
            return f"its {name} articles were others: {', '.join(other[:3])}{', ...' if len(other) > 3 else ''}"
    n_test = run.info()["n_articles"]["test"]
    return (
        None if n_test == len(corpus.test) else f"it was trained beside {n_test} test articles, of which there are {len(corpus.test)} today"
    )


def _say_what_is_left_out(given: Sequence[tuple[str, Sequence[str]]], judged: Container[str]) -> None:
    for name, ids in given:
        if learnt := [article_id for article_id in ids if article_id not in judged]:
            log.warning(
                "%d of %d articles of %s are left out, since the models learnt from them and would agree with what they were told; for all "
                "articles leave out run=, or give all folds of a cross-validation", len(learnt), len(ids), name,
            )  # fmt: skip


def train_judges(config: SuspectsConfig) -> Judged:
    """Return what the folds of a cross-validation judge: every article; the folds that are missing are trained, as train.py would.

    A finished run below models/ of the same config, fold and articles is taken as it is, one that was interrupted goes on.
    """
    settings = [
        TrainConfig(
            config.task, config.data, config.model, config.trainer, CrossValidationConfig(config.folds, fold), config.seed,
            TARGET_PRECISION, strict=False, device=config.device,
        )
        for fold in range(config.folds)
    ]  # fmt: skip
    corpora = Corpora()
    corpus = corpora.of(settings[0])
    data_sha256 = fingerprint(corpus.articles)
    found = [_find(fold, data_sha256, corpora) for fold in settings]
    missing = [number for number, run in enumerate(found) if run is None or run.info()["status"] != "finished"]
    if missing:
        say(
            f"{len(missing)} of {config.folds} folds are not trained yet: {config.trainer.epochs} epochs of {config.model.name} on about "
            f"{len(corpus.train)} articles each; the first says how long it takes, all take {len(missing)} times that. "
            "If this is interrupted, the same command goes on"
        )
    for number in missing:
        found[number] = _train(settings[number], found[number])
    return judges_of([str(run.path) for run in found if run], None, corpora)


def _find(config: TrainConfig, data_sha256: str, corpora: Corpora) -> Run | None:
    """Return the newest run of this config and these articles in their splits, finished ones first."""
    wanted = _without_distil(json.loads(json.dumps(asdict(config))))
    infos = [(read_json(path), path.parent) for path in _home(config).glob("*/run.json") if path.stat().st_size]
    same = [
        (info["status"] == "finished", info["started"], folder) for info, folder in infos
        if _without_distil(info["config"]) == wanted and info["data_sha256"] == data_sha256 and "pooled" not in info
    ]  # fmt: skip
    runs = ((Run(folder), is_finished) for is_finished, _, folder in sorted(same, reverse=True))
    return next((run for run, is_finished in runs if not is_finished or not _other_split(run, corpora.of(config))), None)


def _without_distil(config: dict[str, Any]) -> dict[str, Any]:
    """Leave out how a teacher's scores would be learnt, which says nothing where there is no teacher."""
    return {**config, "distil": None}


def _train(config: TrainConfig, begun: Run | None) -> Run:
    if begun:
        resume(begun)
        return begun
    folder = _home(config) / f"{time.strftime('%Y%m%d-%H%M%S')}-s{config.seed}-{config.cv.fold}"
    train(config, folder)
    return Run(folder)


def _home(config: TrainConfig) -> Path:
    return MODELS / f"{config.data.name}-{config.task.name}-{config.model.name}"
