"""The folds of a cross-validation: which train and dev articles a run holds out, and which it chooses its best epoch by.

Test takes no part, so that choices which the folds decide leave it untouched. Near-duplicates stay in one fold; labels are spread as in a
split. The folds hang on the articles, their split and `data.split_seed` alone: runs of any seed, model and task have the same ones.
"""

from __future__ import annotations

from collections.abc import Iterable

from sitrep.articles import Article
from sitrep.config import FOLD, CrossValidationConfig, DataConfig
from sitrep.errors import InputError
from sitrep.near_duplicates import group_near_duplicates
from sitrep.splits import stratify


def deal_folds(articles: Iterable[Article], data: DataConfig, cv: CrossValidationConfig) -> dict[str, str]:
    """Return id -> `fold` (held out), `dev` or `train` for the run that holds out fold `cv.fold`.

    articles: those of train and dev. Of those that are not held out dev gets the share that it has of train and dev in
        `data.split_shares`, by the same stratification.

    Raises:
        InputError: if no fold is named, or there are fewer groups of near-duplicates than folds.
    """
    if cv.folds is None or cv.fold is None:
        raise InputError(
            f"cv.folds={cv.folds}: which fold is held out? All of them in turn: -m cv.folds={cv.folds} 'cv.fold=range({cv.folds})'"
        )
    groups = group_near_duplicates(articles)
    if len(groups) < cv.folds:
        raise InputError(
            f"cv.folds={cv.folds}: the train and dev articles of {data.path} are {len(groups)} when near-duplicates count as one; "
            f"choose cv.folds={len(groups)} or fewer, or label more"
        )
    fold_of = stratify(groups, {str(fold): 1 / cv.folds for fold in range(cv.folds)}, data)
    held_out: dict[str, str] = {}
    rest = []
    for group in groups:
        if fold_of[group[0].id] == str(cv.fold):
            held_out |= {article.id: FOLD for article in group}
        else:
            rest.append(group)
    dev = data.split_shares["dev"] / (data.split_shares["train"] + data.split_shares["dev"])
    return {**held_out, **stratify(rest, {"train": 1 - dev, "dev": dev}, data)}
