"""Articles that people labelled, or corrected, taken into the corpus."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from sitrep.annotate_config import ImportConfig
from sitrep.articles import Article
from sitrep.config import SPLITS
from sitrep.corpus import check_complete, check_files
from sitrep.errors import InputError
from sitrep.formats import read_articles
from sitrep.formats.streams import split_name
from sitrep.formats.writing import is_predicted
from sitrep.growing import Growth, plan_growth
from sitrep.mistakes import KINDS, find_mistakes
from sitrep.splits import make_splits, read_splits, splits_path, write_splits
from sitrep.storing import check_changeable, new_path, save_changed, save_new
from sitrep.terminal import say

SAID = {"missed": "added", "spurious": "removed"}  # of a change by people; a model's mistake is named the other way round


def import_articles(config: ImportConfig) -> int:
    """Take the articles of `config.input` into the corpus of `config.data`, and add them to its split."""
    data, root = config.data, Path(config.data.path)
    check_files(data)
    corpus = list(read_articles(data.path, format=data.format, text_dir=data.text_dir)) if root.exists() else []
    split_file = _split_file(config)
    existing = _splits_of(corpus, split_file, config)
    given = list(_read(config))
    changes = _describe_changes(given, config.predictions) if config.predictions else None
    growth = plan_growth(corpus, given, data, existing, config.split)
    if growth.changed and not config.update:
        raise InputError(
            f"{growth.changed[0].where()}: the corpus has other labels for this article ({len(growth.changed)} such articles); "
            "update=true gives it those of the import"
        )
    check_changeable(growth.changed)
    goal = new_path(corpus, root, data.format, config.into, split_name(Path(config.input).name)[0])
    if growth.new:
        save_new(growth.new, goal, corpus)
    files = save_changed(growth.changed)
    write_splits({**existing, **growth.splits}, split_file)
    _say_what_became(growth, len(given), changes)
    written = [("written", goal)] if growth.new else []
    for what, path in [*written, *(("changed", file) for file in files), ("split", split_file)]:
        say(f"{what}: {path}")
    return 0


def _split_file(config: ImportConfig) -> Path:
    """Return where the split of the corpus is, or will be where there is no corpus yet."""
    path = Path(config.data.path)
    if path.exists() or config.data.splits_path:
        return splits_path(config.data)
    return path.with_suffix(".splits.csv") if path.suffix else path / "splits.csv"


def _splits_of(corpus: Sequence[Article], path: Path, config: ImportConfig) -> dict[str, str]:
    """Return the split of the corpus as it is, made now if there is none."""
    if not path.exists():
        return make_splits(corpus, config.data) if corpus else {}
    splits = read_splits(path)
    if corpus:
        check_complete(corpus, splits, config.data)
    return splits


def _read(config: ImportConfig) -> Iterator[Article]:
    n_articles = 0
    for article in read_articles(
        config.input,
        format=config.format,
        text_dir=config.text_dir,
        text_field=config.text_field,
        id_field=config.id_field,
        annotator=config.annotator,
    ):
        n_articles += 1
        if is_predicted(article) and not config.checked:
            raise InputError(
                f"{article.where()}: its labels bear scores, as a model's do and people's do not; import what people have corrected, or, "
                "if they have seen every label, say so: checked=true"
            )
        yield article
    if not n_articles:
        raise InputError(f"{config.input}: holds no article; give a file or folder that does")


def _say_what_became(growth: Growth, n_given: int, changes: str | None) -> None:
    n_by_split = Counter(growth.splits.values())
    listed = ", ".join(f"{n_by_split[split]} {split}" for split in SPLITS if n_by_split[split])
    new = f"{len(growth.new)} new" + (f" ({listed})" if listed else "")
    say(f"{n_given} articles read: {new}, {len(growth.changed)} changed, {len(growth.same)} as they were in the corpus")
    for article_id, twin in growth.twins.items():
        say(f"{article_id} is a near-duplicate of {twin} and joins its split: {growth.splits[article_id]}")
    if changes:
        say(changes)


def _describe_changes(given: Sequence[Article], predictions: str) -> str:
    """Return how people changed what a model had found, in words."""
    predicted = {article.id: article for article in read_articles(predictions)}
    pairs = [(article, predicted[article.id]) for article in given if article.id in predicted]
    if other := [article for article, pred in pairs if article.text != pred.text]:
        raise InputError(f"{other[0].where()}: has another text in {predictions}; give the predictions of these very texts")
    kinds = Counter(mistake.kind for gold, pred in pairs for mistake in find_mistakes(gold, pred))
    n_kept = sum(len(set(gold.spans) & set(pred.spans)) for gold, pred in pairs)
    n_predicted = sum(len(pred.spans) for _, pred in pairs)
    changes = ", ".join(f"{kinds[kind]} {SAID.get(kind, kind)}" for kind in KINDS if kinds[kind])
    return f"of {n_predicted} mentions predicted in {len(pairs)} of these articles people kept {n_kept}; changes: {changes or 'none'}"
