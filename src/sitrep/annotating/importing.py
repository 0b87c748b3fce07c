"""Articles that people labelled, or corrected, taken into the corpus."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from sitrep.annotate_config import ImportConfig, reading_options
from sitrep.articles import Article
from sitrep.config import SPLITS
from sitrep.corpus import check_complete, check_files
from sitrep.errors import InputError
from sitrep.formats import read_articles
from sitrep.formats.streams import split_name
from sitrep.formats.writing import is_predicted
from sitrep.growing import Growth, describe_change, plan_growth
from sitrep.mistakes import KINDS, find_mistakes
from sitrep.splits import format_splits, read_splits, splits_path
from sitrep.storing import check_changeable, find_goal, store
from sitrep.terminal import say

log = logging.getLogger(__name__)

SAID = {"missed": "added", "spurious": "removed"}  # of a change by people; a model's mistake is named the other way round


def import_articles(config: ImportConfig) -> int:
    """Take the articles of `config.input` into the corpus of `config.data`, and add them to its split."""
    data, root = config.data, Path(config.data.path)
    check_files(data)
    corpus = list(read_articles(data.path, format=data.format, text_dir=data.text_dir)) if root.exists() else []
    split_file = _split_file(config)
    splits = read_splits(split_file) if split_file.exists() else {}
    given = _read(config)
    stored = _half_imported(corpus, given, splits)
    corpus = [article for article in corpus if article.id not in stored]
    _check_split(corpus, splits, split_file, config)
    changes = _describe_changes(given, config.predictions) if config.predictions else None
    growth = plan_growth(corpus, given, data, splits, config.split)
    if growth.changed and not config.update:
        _refuse_changes(growth, corpus, given)
    check_changeable(growth.changed, data.format)
    goal = find_goal(corpus, root, data.format, config.into, split_name(Path(config.input).name)[0])
    new = [article for article in growth.new if article.id not in stored]
    files = store(new, goal, growth.changed, format_splits({**splits, **growth.splits}), split_file)
    _say_what_became(growth, len(given), changes)
    for what, path in [*([("written", goal.path)] if new else []), *(("changed", file) for file in files), ("split", split_file)]:
        say(f"{what}: {path}")
    return 0


def _split_file(config: ImportConfig) -> Path:
    """Return where the split of the corpus is, or will be where there is no corpus yet."""
    path = Path(config.data.path)
    if path.exists() or config.data.splits_path:
        return splits_path(config.data)
    return path.with_suffix(".splits.csv") if path.suffix else path / "splits.csv"


def _half_imported(corpus: Sequence[Article], given: Sequence[Article], splits: Mapping[str, str]) -> set[str]:
    """Return the ids of what an import that was killed has written already: articles of the corpus in no split, given again as they are."""
    texts = {article.id: article.text for article in given}
    return {article.id for article in corpus if splits and article.id not in splits and texts.get(article.id) == article.text}


def _check_split(corpus: Sequence[Article], splits: Mapping[str, str], path: Path, config: ImportConfig) -> None:
    if splits and not corpus:
        raise InputError(
            f"{path}: is the split of other articles, for there are none at data.path={config.data.path}; say where the split of these is "
            "to live: data.splits_path="
        )
    if splits:
        check_complete(corpus, splits, config.data)


def _refuse_changes(growth: Growth, corpus: Sequence[Article], given: Sequence[Article]) -> NoReturn:
    new = growth.changed[0]
    old, mine = (next(article for article in articles if article.id == new.id) for articles in (corpus, given))
    raise InputError(
        f"{mine.where()}: the corpus has other labels for this article, the first of {len(growth.changed)} such: "
        f"{describe_change(old, new)} ({old.where()}); update=true gives it those of the import"
    )


def _read(config: ImportConfig) -> list[Article]:
    unlabelled: dict[str, str] = {}
    articles = []
    for article in read_articles(config.input, unlabelled=unlabelled.__setitem__, **reading_options(config)):
        if article.id in unlabelled:
            continue
        if is_predicted(article) and not config.checked:
            raise InputError(
                f"{article.where()}: its labels bear scores, as a model's do and people's do not; import what people have corrected, or, "
                "if they have seen every label, say so: checked=true"
            )
        articles.append(article)
    if unlabelled:
        article_id, why = next(iter(unlabelled.items()))
        log.warning("%d articles are left out, for no person labelled them, such as %s: %s", len(unlabelled), article_id, why)
    if not articles:
        raise InputError(f"{config.input}: holds no article that somebody labelled; give a file or folder that does")
    return articles


def _say_what_became(growth: Growth, n_given: int, changes: str | None) -> None:
    n_by_split = Counter(growth.splits.values())
    listed = ", ".join(f"{n_by_split[split]} {split}" for split in SPLITS if n_by_split[split])
    new = f"{len(growth.new)} new" + (f" ({listed})" if listed else "")
    say(f"{n_given} articles read: {new}, {len(growth.changed)} changed, {len(growth.same)} as they were in the corpus")
    if growth.bare:
        say(f"{len(growth.bare)} of them came without mentions and keep those of the corpus, such as {growth.bare[0]}")
    for article_id, twin in growth.twins.items():
        say(f"{article_id} is a near-duplicate of {twin} and joins its split: {growth.splits[article_id]}")
    if changes:
        say(changes)


def _describe_changes(given: Sequence[Article], predictions: str) -> str:
    """Return how people changed what a model had found, in words."""
    predicted = {article.id: article for article in read_articles(predictions)}
    pairs = [(article, predicted[article.id]) for article in given if article.id in predicted]
    if not pairs:
        raise InputError(f"predictions={predictions}: holds none of the articles that are imported; give the predictions of these")
    if other := [article for article, pred in pairs if article.text != pred.text]:
        raise InputError(f"{other[0].where()}: has another text in {predictions}; give the predictions of these very texts")
    kinds = Counter(mistake.kind for gold, pred in pairs for mistake in find_mistakes(gold, pred))
    n_kept = sum(len(set(gold.spans) & set(pred.spans)) for gold, pred in pairs)
    n_predicted = sum(len(pred.spans) for _, pred in pairs)
    changes = ", ".join(f"{kinds[kind]} {SAID.get(kind, kind)}" for kind in KINDS if kinds[kind])
    return f"of {n_predicted} mentions predicted in {len(pairs)} of these articles people kept {n_kept}; changes: {changes or 'none'}"
