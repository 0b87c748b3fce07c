"""The split made or extended."""

from __future__ import annotations

from collections import Counter

from sitrep.annotate_config import SplitConfig
from sitrep.corpus import check_files
from sitrep.formats import read_articles
from sitrep.splits import make_splits, read_splits, splits_path, write_splits
from sitrep.terminal import say


def split(config: SplitConfig) -> int:
    """Make the split of the articles of `config.data`, or add to it those that are in none."""
    data = config.data
    check_files(data)
    articles = list(read_articles(data.path, format=data.format, text_dir=data.text_dir))
    path = splits_path(data)
    existing = read_splits(path) if path.exists() else {}
    splits = {**existing, **make_splits(articles, data, existing)}  # articles that are absent today keep their rows
    write_splits(splits, path)
    added = Counter(split for article_id, split in splits.items() if article_id not in existing)
    listed = ", ".join(f"{n} {split}" for split, n in sorted(added.items())) or "none"
    say(f"{path}: {len(existing)} articles kept, {added.total()} added ({listed})")
    return 0
