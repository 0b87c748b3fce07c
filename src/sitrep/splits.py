"""The split by article: made once, saved as CSV (`id,split`) beside the data, and reused ever after.

New articles can be added to it, the old ones never move. Near-duplicates share a split that is made here. Data that comes in
train.*, dev.* and test.* keeps that split (`data.split_by=file`).
"""

from __future__ import annotations

import csv
import datetime
import io
import random
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from sitrep.articles import Article
from sitrep.config import SPLITS, DataConfig
from sitrep.errors import InputError, did_you_mean
from sitrep.formats.files import read_text, replacing
from sitrep.formats.streams import split_name
from sitrep.labels import ENTITIES
from sitrep.near_duplicates import group_near_duplicates


def known_splits(articles: Iterable[Article], data: DataConfig) -> dict[str, str]:
    """Return id -> split as it stands: in the splits file, or by the names of the articles' files (`data.split_by=file`)."""
    return {article.id: _split_of_file(article) for article in articles} if data.split_by == "file" else read_splits(splits_path(data))


def _split_of_file(article: Article) -> str:
    path = Path(article.source.path if article.source else "")
    name, ending, packing = split_name(path.name)
    if name not in SPLITS:
        raise InputError(
            f"{path}: data.split_by=file takes the split from the file name, but {name!r} is no split"
            f"{did_you_mean(name, SPLITS)}; files are named {', '.join(f'{split}{ending}{packing}' for split in SPLITS)}"
        )
    return name


def splits_path(data: DataConfig) -> Path:
    """Return where the split of `data` is or will be: `data.splits_path`, or beside the data."""
    if data.splits_path:
        return Path(data.splits_path)
    path = Path(data.path)
    if path.is_dir():
        return path / "splits.csv"
    if path.is_file():
        return path.with_suffix(".splits.csv")
    raise InputError(f"data.path={data.path} is no file or folder, so that its split needs a place: give data.splits_path=")


def read_splits(path: Path) -> dict[str, str]:
    """Return id -> split of a splits file.

    Raises:
        InputError: for a row that is no `id,split`, an unknown split, or an id that stands twice.
    """
    splits: dict[str, str] = {}
    lines: dict[str, int] = {}
    rows = csv.DictReader(io.StringIO(read_text(path)))
    if not rows.fieldnames or not {"id", "split"} <= set(rows.fieldnames):
        raise InputError(f"{path}:1: expected the columns id,split, found {rows.fieldnames}")
    for row in _rows(rows, path):
        article_id, split = row["id"], row["split"]
        where = f"{path}:{rows.line_num}: article {article_id!r}"
        if split not in SPLITS:
            raise InputError(f"{where}: {split!r} is no split{did_you_mean(str(split), SPLITS)}")
        if article_id in splits:
            raise InputError(f"{where} stands in {split} here and in {splits[article_id]} on line {lines[article_id]}; keep one row")
        splits[article_id], lines[article_id] = split, rows.line_num
    return splits


def _rows(rows: csv.DictReader[str], path: Path) -> Iterator[dict[str, str]]:
    try:
        yield from rows
    except csv.Error as error:
        raise InputError(f"{path}:{rows.line_num + 1}: not CSV: {error}; mend that line, or bring the file back as it was") from error


def format_splits(splits: Mapping[str, str]) -> str:
    """Return id -> split as CSV, sorted by id."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(["id", "split"])
    writer.writerows(sorted(splits.items()))
    return buffer.getvalue()


def write_splits(splits: Mapping[str, str], path: Path) -> None:
    """Write id -> split as CSV, sorted by id."""
    try:
        with replacing(path) as temporary:
            temporary.write_text(format_splits(splits), encoding="utf-8")
    except OSError as error:
        raise InputError(f"{path}: cannot be written ({error.strerror}); say where the split is to live: data.splits_path=") from error


def make_splits(articles: Sequence[Article], data: DataConfig, existing: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return id -> split for all `articles`; those in `existing` stay where they are.

    `stratified`: iterative stratification (Sechidis et al. 2011) over the labels of `data.stratify_by`, seeded.
    `date`: the newest articles are test, the next newest dev.

    Raises:
        InputError: if there are fewer than three different articles, or an article has no date to split by.
    """
    if data.split_by == "file":
        raise InputError(f"{data.path}: data.split_by=file takes the split from the file names; there is none to make or to extend")
    groups = group_near_duplicates(articles)
    if len(groups) < len(SPLITS):
        raise InputError(f"{data.path}: {len(groups)} different articles cannot be split into {', '.join(SPLITS)}; label more")
    existing = existing or {}
    fixed = {name: existing.get(name, split) for group in groups for name in _ids(group) if (split := _known_split(group, existing))}
    if data.split_by == "date":
        return {**_split_by_date([group for group in groups if group[0].id not in fixed], fixed, data), **fixed}
    return stratify(groups, data.split_shares, data, fixed)


def _known_split(group: Sequence[Article], existing: Mapping[str, str]) -> str | None:
    return next((existing[name] for name in _ids(group) if name in existing), None)


def _ids(group: Iterable[Article]) -> list[str]:
    return [article.id for article in group]


def _split_by_date(free: list[list[Article]], fixed: Mapping[str, str], data: DataConfig) -> dict[str, str]:
    if fixed:
        raise InputError(
            "data.split_by=date cannot extend a split: new articles would push old ones out of test; use stratified, or import them "
            "with split="
        )
    newest_first = sorted(free, key=lambda group: (max(map(_date, group)), group[0].id), reverse=True)
    n_test = max(1, round(data.split_shares["test"] * len(free)))
    n_dev = max(1, round(data.split_shares["dev"] * len(free)))
    names = ["test"] * n_test + ["dev"] * n_dev + ["train"] * len(free)
    return {article.id: split for group, split in zip(newest_first, names, strict=False) for article in group}


def _date(article: Article) -> datetime.date:
    value = str(article.extra.get("date", ""))
    try:
        return datetime.date.fromisoformat(value[:10])
    except ValueError as error:
        raise InputError(f"{article.where()}: data.split_by=date needs 'date: YYYY-MM-DD' in every article, found {value!r}") from error


def _features(group: Iterable[Article], fields: Sequence[str]) -> set[str]:
    features = set()
    for article in group:
        for field in fields:
            values = {span.label for span in article.spans} if field == ENTITIES else set(article.classes(field) or ())
            features |= {f"{field}={value}" for value in values}
    return features


def stratify(
    groups: Sequence[Sequence[Article]], shares: Mapping[str, float], data: DataConfig, fixed: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Return id -> part: `groups` of articles dealt to parts of the given shares, those in `fixed` left where they are.

    Iterative stratification: the rarest label's groups first, each to the part that lacks most of that label, then most articles. The
    labels are those of `data.stratify_by`, the order that of `data.split_seed`.
    """
    fixed = fixed or {}
    free = [group for group in groups if group[0].id not in fixed]
    order = sorted(free, key=lambda group: group[0].id)
    random.Random(data.split_seed).shuffle(order)
    features = {group[0].id: _features(group, data.stratify_by) for group in groups}
    totals = Counter(feature for names in features.values() for feature in names)
    totals[""] = len(groups)  # "" stands for the articles themselves
    wanted = {part: {feature: share * n for feature, n in totals.items()} for part, share in shares.items()}

    def take(group: Sequence[Article], part: str) -> None:
        for feature in (*features[group[0].id], ""):
            wanted[part][feature] -= 1

    for group in groups:
        if group[0].id in fixed:
            take(group, fixed[group[0].id])
    parts: dict[str, str] = {}
    while order:
        left = Counter(feature for group in order for feature in features[group[0].id])
        rarest = min(sorted(left), key=left.__getitem__, default="")
        for group in [group for group in order if not rarest or rarest in features[group[0].id]]:
            part = max(shares, key=lambda name: (wanted[name][rarest], wanted[name][""]))
            take(group, part)
            order.remove(group)
            parts |= dict.fromkeys(_ids(group), part)
    _fill_empty_parts(parts, shares, free, fixed)
    return {**parts, **fixed}


def _fill_empty_parts(parts: dict[str, str], names: Iterable[str], free: Sequence[Sequence[Article]], fixed: Mapping[str, str]) -> None:
    """Give a group of the fullest part to each that got none, as rare labels bring about in a small corpus."""
    for empty in names:
        if empty in parts.values() or empty in fixed.values():
            continue
        sizes = Counter(parts[group[0].id] for group in free)
        for fullest, n in sizes.most_common(1):
            if n > 1:
                group = next(group for group in reversed(free) if parts[group[0].id] == fullest)
                parts |= dict.fromkeys(_ids(group), empty)
