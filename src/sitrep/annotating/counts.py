"""Articles, mentions and labels counted by split."""

from __future__ import annotations

from sitrep.annotate_config import CountsConfig
from sitrep.config import SPLITS
from sitrep.corpus import check_complete, check_files, count_labels
from sitrep.errors import InputError
from sitrep.formats import read_articles
from sitrep.labels import ENTITIES
from sitrep.splits import known_splits, splits_path
from sitrep.terminal import console, count_table


def counts(config: CountsConfig) -> int:
    """Print a table of what the articles of `config.data` hold."""
    data = config.data
    check_files(data)
    articles = list(read_articles(data.path, format=data.format, text_dir=data.text_dir))
    if data.split_by != "file" and not splits_path(data).exists():
        raise InputError(f"{splits_path(data)}: there is no split yet; make it with action=split")
    splits_by_id = known_splits(articles, data)
    check_complete(articles, splits_by_id, data)
    counted = count_labels(articles, splits_by_id, [ENTITIES, *(field for field in data.labels if field != ENTITIES)])
    names = ["articles", "characters", "mentions", *(f"{field}={label}" for field, labels in data.labels.items() for label in labels)]
    rows = [(name, [*(counted[name][split] for split in SPLITS), counted[name].total()]) for name in names]
    console().print(count_table(data.path, "", [*SPLITS, "all"], rows))
    return 0
