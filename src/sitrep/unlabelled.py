"""Articles to learn words from, without labels: what is learnt, what is held out, and what is left out and why.

Where a split is known (saved beside the data, or by file names) its train articles are learnt and its dev articles held out.
Where none is, a seeded share is held out, and no split is saved: unlabelled articles need no test.
"""

from __future__ import annotations

import logging
import random
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sitrep.articles import Article
from sitrep.config import DataConfig, TaskConfig
from sitrep.corpus import Corpus, LeftOut, check_files, load_corpus, read_labelled
from sitrep.errors import InputError
from sitrep.formats import FORMATS, read_articles
from sitrep.leaks import Withheld
from sitrep.splits import known_splits, splits_path

log = logging.getLogger(__name__)

COLUMNS = re.compile(r"\S+[\t ](?:\S+[\t ])*(?:O|[BI]-\S+)\s*")  # a row of CoNLL


def load_unlabelled(data: DataConfig, task: TaskConfig) -> Corpus:
    """Return the articles of `data` that may be learnt from, the held-out ones as dev; their labels are not looked at.

    Raises:
        InputError: if no article is left to learn from, or texts that are to be left out cannot be read.
    """
    corpus = load_corpus(data, task) if _has_split(data) else _hold_out(data, task)
    withheld = Withheld()
    for name in ("dev", "test"):
        for article in corpus.split(name):
            withheld.add(article, f"the run's own {name}")
    for article, reason in _withheld_elsewhere(task):
        withheld.add(article, reason)
    found = [(article, withheld.find(article)) for article in corpus.train]
    left_out = tuple(LeftOut(article.id, *leak) for article, leak in found if leak)
    _report(left_out, len(found), data)
    train, dev, test = (tuple(map(Article.bare, part)) for part in ((a for a, leak in found if not leak), corpus.dev, corpus.test))
    return Corpus(train, dev, test, left_out)


def _has_split(data: DataConfig) -> bool:
    if data.split_by == "file":
        return True
    if data.splits_path and not Path(data.splits_path).exists():
        raise InputError(f"data.splits_path={data.splits_path}: no such file; make the split first: python annotate.py action=split")
    is_glob = not data.splits_path and not Path(data.path).exists()  # which has no place for a split
    return not is_glob and splits_path(data).exists()


def _hold_out(data: DataConfig, task: TaskConfig) -> Corpus:
    check_files(data)
    articles = read_labelled(data.path, task, format=data.format, text_dir=data.text_dir)
    if any(article.spans or any(map(article.classes, data.labels)) for article in articles):
        log.warning(
            "%s holds labels but no split: a test split made later would hold texts that were learnt from; "
            "make it first with: python annotate.py action=split", data.path,
        )  # fmt: skip
    order = sorted(article.id for article in articles)
    random.Random(data.split_seed).shuffle(order)
    assert task.held_out is not None
    held_out = set(order[: max(1, round(task.held_out * len(order)))])
    train, dev = (tuple(a for a in articles if (a.id in held_out) == is_dev) for is_dev in (False, True))
    return Corpus(train, dev, ())


def _withheld_elsewhere(task: TaskConfig) -> Iterator[tuple[Article, str]]:
    """Yield each article of `task.held_back` (dev and test) and `task.leave_out`, and the reason in words."""
    if data := task.held_back:
        try:
            check_files(data)
            articles = list(read_articles(data.path, format=data.format, text_dir=data.text_dir))
            splits = known_splits(articles, data)
        except InputError as error:
            raise InputError(
                f"task.held_back, whose dev and test texts must not be learnt from: {error}. "
                "Start from the project's folder, or set task.held_back=null if you know that none of them is in your articles"
            ) from error
        for article in articles:
            if (split := splits.get(article.id, "test")) != "train":  # one that has no split yet may come to be test
                yield article, f"{split} of {data.path}"
    for entry in task.leave_out or ():
        yield from ((article, entry) for article in _read_entry(entry))


def _read_entry(entry: str) -> list[Article]:
    name, _, rest = entry.partition(":")
    path, format_name = (rest, name) if name in FORMATS and not Path(entry).exists() else (entry, None)
    try:
        articles = list(read_articles(path, format=format_name))
    except InputError as error:
        raise InputError(f"task.leave_out={entry}: {error}; a format is named in front: conll:{path}") from error
    for article in articles:
        rows = [row for row in article.text.splitlines() if row.strip()]
        if format_name is None and rows and all(map(COLUMNS.fullmatch, rows)):
            raise InputError(
                f"task.leave_out={entry}: {article.where()}: looks like CoNLL columns, not text; name the format: conll:{path}"
            )
    return articles


def _report(left_out: tuple[LeftOut, ...], n_articles: int, data: DataConfig) -> None:
    reasons = Counter(entry.reason for entry in left_out)
    counted = ", ".join(f"{n} with {reason}" for reason, n in reasons.most_common())
    if len(left_out) == n_articles:
        raise InputError(
            f"{data.path}: no article is left to learn from: of {n_articles} (without those held out) {len(left_out)} share a sentence "
            f"with texts that must not be learnt from ({counted or 'none'}); give more articles, or see task.held_out and task.leave_out"
        )
    if not left_out:
        log.info("left out: none of %d articles; none shares a sentence with texts that must not be learnt from", n_articles)
        return
    (sentence, n_alike), *_ = Counter(entry.sentence for entry in left_out).most_common(1)
    log.warning(
        "left out: %d of %d articles, which share a sentence with texts that must not be learnt from: %s; run.json lists them. "
        "The commonest of these sentences (%d times, its letters only): %.60s", len(left_out), n_articles, counted, n_alike, sentence,
    )  # fmt: skip
