"""Articles to learn words from, without labels: what is learnt, what is held out, and what is left out and why.

The train articles of the data's split are learnt, dev is held out, test is not used. The split is that of the other tasks, so that
articles which are labelled later are tested on what no encoder has learnt from.
"""

from __future__ import annotations

import logging
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from sitrep.articles import Article
from sitrep.config import DataConfig, TaskConfig
from sitrep.corpus import Corpus, LeftOut, check_files, load_corpus
from sitrep.errors import InputError
from sitrep.formats import FORMATS, read_articles
from sitrep.leaks import Withheld
from sitrep.splits import known_splits

log = logging.getLogger(__name__)

COLUMNS = re.compile(r"\S+[\t ](?:\S+[\t ])*(?:O|[BI]-\S+)\s*")  # a row of CoNLL


def load_unlabelled(data: DataConfig, task: TaskConfig) -> Corpus:
    """Return the articles of `data` that may be learnt from, the held-out ones as dev; their labels are not looked at.

    Raises:
        InputError: if no article is left to learn from, or texts that are to be left out cannot be read.
    """
    corpus = load_corpus(data, task)
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
        articles = _read_entry(entry)
        log.info("task.leave_out=%s: %d articles, of which no sentence is learnt from", entry, len(articles))
        yield from ((article, entry) for article in articles)


def _read_entry(entry: str) -> list[Article]:
    name, _, rest = entry.partition(":")
    path, format_name = (rest, name) if name in FORMATS and not Path(entry).exists() else (entry, None)
    try:
        articles = list(read_articles(path, format=format_name))
    except InputError as error:
        how = f"; a format is named in front: conll:{path}" if Path(path).exists() and not format_name else ""
        raise InputError(f"task.leave_out={entry}: {error}{how}") from error
    if not articles:
        raise InputError(f"task.leave_out={entry}: holds no article; mend the path, or leave it out")
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
            f"{data.path}: no article is left to learn from: of {n_articles} in train {len(left_out)} share a sentence "
            f"with texts that must not be learnt from ({counted}); give other articles, or see task.held_back and task.leave_out"
        )
    if not left_out:
        log.info("left out: none of %d training articles; none shares a sentence with texts that must not be learnt from", n_articles)
        return
    (sentence, n_alike), *_ = Counter(entry.sentence for entry in left_out).most_common(1)
    log.warning(
        "left out: %d of %d training articles, which share a sentence with texts that must not be learnt from: %s; run.json lists them. "
        "The commonest of these sentences (%d times, its letters only): %.60s", len(left_out), n_articles, counted, n_alike, sentence,
    )  # fmt: skip
