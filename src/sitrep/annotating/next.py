"""Which unlabelled articles to label next."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

import numpy as np

from sitrep.annotate_config import NextConfig
from sitrep.annotating.lists import check_new
from sitrep.articles import SCORE_DECIMALS, Article
from sitrep.corpus import Corpus, load_corpus
from sitrep.errors import InputError
from sitrep.formats import jsonl, read_articles
from sitrep.formats.files import RowError, replacing
from sitrep.joint import JointReader, load_joint, open_joint
from sitrep.near_duplicates import NearDuplicates
from sitrep.runs import Run
from sitrep.selection import Candidates, Choice, Column, centre, choose, items_of
from sitrep.terminal import console, say, text_table, track

log = logging.getLogger(__name__)

DOUBTFUL = 0.6  # a mention that scores less is counted as doubtful in what is said of an article
FIELD = "next"  # of a chosen article: why it was chosen


@dataclass(frozen=True)
class Known:
    """What the runs learnt from, and whatever else is labelled in their data.

    learnt: articles of the first run's train; taught: by column, how many examples the train articles hold
    """

    learnt: list[Article]
    labelled: list[Article]
    taught: Mapping[Column, int]


def next_articles(config: NextConfig) -> int:
    """Choose articles of `config.input`, print them in order, and write them to `config.output`; 1 if there is nothing to choose from."""
    output = check_new(config.output, (".jsonl",), overwrite=config.overwrite) if config.output else None
    runs = open_joint(config.run)
    _demand_encoders(runs)
    known = _known(runs)
    pool = _unlabelled(config, known)
    if not pool:
        log.error("%s: holds no article that is not labelled yet", config.input)
        return 1
    reader = load_joint(runs, config.device, None)
    read = list(track(reader.read(article.bare() for article in pool), "reading", total=len(pool)))
    chosen = _choose(config, reader, pool, read, known)
    console().print(text_table(_heading(config, len(chosen), len(pool)), ("", "article", "words", "why"), map(_row, chosen)))
    words = sum(article.extra[FIELD]["words"] for article in chosen)
    say(f"{len(chosen)} of {len(pool)} articles, {words:,} words")
    if output:
        with replacing(output) as temporary:
            jsonl.write(chosen, temporary)
        say(f"chosen, with what the models find in them: {output}")
    return 0


def _demand_encoders(runs: Mapping[str, Run]) -> None:
    for task, run in runs.items():
        if (kind := run.config().model.kind) != "encoder":
            raise InputError(
                f"run={run.path}: a {kind} model for {task} has neither doubts that can be trusted nor an idea of what is alike; "
                "give a run of an encoder: python train.py experiment=quickstart"
            )


def _known(runs: Mapping[str, Run]) -> Known:
    learnt: list[Article] = []
    labelled: dict[str, Article] = {}
    taught: Counter[Column] = Counter()
    for run in runs.values():
        config = run.config()
        corpus: Corpus = load_corpus(config.data, config.task, config.cv)
        learnt = learnt or list(corpus.train)
        labelled |= {article.id: article for article in corpus.articles}
        field = config.task.field
        for article in corpus.train:
            taught.update((field, label) for label in ([s.label for s in article.spans] if field is None else article.labels[field]))
        taught.update({(field, label): 0 for label in config.task.labels})
    return Known(learnt, list(labelled.values()), taught)


def _unlabelled(config: NextConfig, known: Known) -> list[Article]:
    """Return the articles of `input` that are not labelled yet, each once; what is left out is counted."""
    rejected: list[RowError] = []
    ids, near = {article.id for article in known.labelled}, NearDuplicates(known.labelled)
    left_out: Counter[str] = Counter()
    pool: dict[str, Article] = {}
    for article in read_articles(
        config.input, format=config.format, text_field=config.text_field, id_field=config.id_field, max_chars=config.max_chars,
        reject=rejected.append, exclude=config.output or (),
    ):  # fmt: skip
        if article.id in ids:
            left_out["labelled already (same id)"] += 1
        elif near.nearest(article):
            left_out["labelled already (a near-duplicate)"] += 1
        elif article.id in pool:
            left_out["with the id of another before"] += 1
        elif not article.text.strip():
            left_out["empty"] += 1
        else:
            pool[article.id] = article
    if rejected:
        log.warning("%d files or rows cannot be read and are left out; the first: %s", len(rejected), rejected[0])
    if left_out:
        log.warning("left out: %s", ", ".join(f"{n} {why}" for why, n in left_out.items()))
    return list(pool.values())


def _choose(config: NextConfig, reader: JointReader, pool: Sequence[Article], read: Sequence[Article], known: Known) -> list[Article]:
    """Return the chosen articles with what was found in them, in order; `next` in each says why."""
    from sitrep.embeddings import embed  # noqa: PLC0415

    columns = list(known.taught)
    encoder: Any = reader.readers[0].reader
    costs = [max(1, len(article.text.split())) if config.budget == "words" else 1 for article in pool]
    vectors, learnt = centre(embed(encoder, pool), embed(encoder, known.learnt))
    candidates = Candidates(vectors, *items_of(read, columns), np.array(costs, dtype=float))
    taught = np.array([known.taught[column] for column in columns])
    chosen = islice(choose(candidates, learnt, taught), config.n)
    return [_explained(pool[choice.index], read[choice.index], rank, choice, known.taught) for rank, choice in enumerate(chosen, 1)]


def _explained(article: Article, read: Article, rank: int, choice: Choice, taught: Mapping[Column, int]) -> Article:
    fact = {
        "rank": rank,
        "worth": round(choice.worth, 6),
        "distance": round(choice.distance, SCORE_DECIMALS),
        "words": len(article.text.split()),
        "why": why(read, choice.distance, taught),
    }
    return replace(read, extra={**article.extra, FIELD: fact}, source=article.source)


def why(read: Article, distance: float, taught: Mapping[Column, int]) -> str:
    """Return in words what an article would teach: its doubtful mentions and classes, the rarest labels first, and how new it is."""
    parts = []
    if any(field is None for field, _ in taught):
        doubtful = Counter(span.label for span in read.spans if (span.score or 0) < DOUBTFUL)
        rarest = sorted(doubtful, key=lambda label: taught[None, label])[:2]
        named = ", ".join(f"{doubtful[label]} {label} ({taught[None, label]} in train)" for label in rarest)
        parts.append(f"{doubtful.total()} of {len(read.spans)} mentions below {DOUBTFUL}" + (f": {named}" if named else ""))
    unsure = [(field, label, s) for field, scores in read.scores.items() for label, s in scores.items() if 1 - DOUBTFUL < s < DOUBTFUL]
    parts += [f"{field} {label} {score:.2f} ({taught[field, label]} in train)" for field, label, score in unsure]
    return "; ".join([*parts, f"distance {distance:.2f}"])


def _heading(config: NextConfig, n_chosen: int, n_pool: int) -> str:
    return f"the next {n_chosen} of {n_pool} articles of {config.input}, by what each would teach " + (
        "a word" if config.budget == "words" else "(each costs the same)"
    )


def _row(article: Article) -> Iterable[str]:
    fact = article.extra[FIELD]
    return str(fact["rank"]), article.id, f"{fact['words']:,}", fact["why"]
