"""The job of annotate.py: the split made or extended, labels counted by split."""

from __future__ import annotations

from collections import Counter

from sitrep.config import SPLITS, AnnotateConfig
from sitrep.corpus import check_complete, check_files, count_labels
from sitrep.errors import InputError, did_you_mean
from sitrep.formats import read_articles
from sitrep.labels import ENTITIES
from sitrep.splits import known_splits, make_splits, read_splits, splits_path, write_splits
from sitrep.terminal import console, count_table, say


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
    rows = [(name, [*(counts[name][split] for split in SPLITS), counts[name].total()]) for name in names]
    console().print(count_table(data.path, "", [*SPLITS, "all"], rows))
    return 0
