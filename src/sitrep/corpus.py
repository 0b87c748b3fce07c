"""The articles of a `data` config as train, dev and test: read, checked against the declared labels, split by article.

In a run of a cross-validation a fold of train and dev is held out (folds.py).
"""

from __future__ import annotations

import logging
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sitrep.articles import Article
from sitrep.config import FOLD, MLM, NER, SPLITS, CrossValidationConfig, DataConfig, TaskConfig
from sitrep.errors import InputError
from sitrep.folds import deal_folds
from sitrep.formats import read_articles
from sitrep.formats.files import check_sha256
from sitrep.labels import ENTITIES, check_classes, check_entities
from sitrep.near_duplicates import NearDuplicates
from sitrep.splits import known_splits, make_splits, splits_path, write_splits

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LeftOut:
    """An article that is not learnt from, since it shares a sentence with one that must not be; see leaks.py."""

    article_id: str
    reason: str
    sentence: str


@dataclass(frozen=True)
class Leak:
    """An article that is scored, and the most similar one (Jaccard of their shingles) that the model was fitted or chosen by."""

    id: str
    split: str
    of: str
    of_split: str
    similarity: float


@dataclass(frozen=True)
class Corpus:
    """Articles by split, each in the order of their files; labelled, but for mlm.

    fold: what a run of a cross-validation holds out; train, dev and fold are then the train and dev articles of the data
    leaks: of dev, test and fold; not looked for where mlm is learnt, which leaves out more (leaks.py)
    """

    train: tuple[Article, ...]
    dev: tuple[Article, ...]
    test: tuple[Article, ...]
    left_out: tuple[LeftOut, ...] = ()
    fold: tuple[Article, ...] = ()
    leaks: tuple[Leak, ...] = ()

    def split(self, name: str) -> tuple[Article, ...]:
        """Return the articles of `train`, `dev`, `test` or `fold`."""
        return {"train": self.train, "dev": self.dev, "test": self.test, FOLD: self.fold}[name]

    def leaks_into(self, name: str) -> list[Leak]:
        """Return the leaks into one split."""
        return [leak for leak in self.leaks if leak.split == name]

    @property
    def articles(self) -> tuple[Article, ...]:
        """All articles."""
        return self.train + self.dev + self.test + self.fold


def load_corpus(data: DataConfig, task: TaskConfig, cv: CrossValidationConfig | None = None) -> Corpus:
    """Read the articles of `data`, labelled for `task`, in their splits; make and save the split if there is none yet.

    With folds in `cv`, train and dev are dealt anew, and its fold is held out.
    """
    check_files(data)
    articles = read_labelled(data.path, task, format=data.format, text_dir=data.text_dir, drop_labels=data.drop_labels)
    if data.split_by != "file" and not splits_path(data).exists():
        write_splits(make_splits(articles, data), splits_path(data))
        log.info("made a new split by article (data.split_by=%s) and saved it as %s", data.split_by, splits_path(data))
    corpus = _deal(articles, data, cv)
    if task.kind == MLM:
        return corpus
    _check_labels(corpus, data, task)
    scored = {name: corpus.split(name) for name in ("dev", "test", FOLD)}
    return replace(corpus, leaks=tuple(_find_leaks(corpus, scored)))


def _deal(articles: Sequence[Article], data: DataConfig, cv: CrossValidationConfig | None) -> Corpus:
    splits = known_splits(articles, data)
    check_complete(articles, splits, data)
    if cv and cv.folds is not None:
        splits = {**splits, **deal_folds((article for article in articles if splits[article.id] != "test"), data, cv)}
    train, dev, test, fold = (tuple(a for a in articles if splits[a.id] == name) for name in (*SPLITS, FOLD))
    return Corpus(train, dev, test, fold=fold)


def find_leaks(
    gold: Sequence[Article], name: str, data: DataConfig, task: TaskConfig, cv: CrossValidationConfig | None = None
) -> list[Leak] | None:
    """Return the leaks into other articles than those of `data`, or None if the articles that were learnt from cannot be read today."""
    try:
        check_files(data)
        learnt_from = read_labelled(data.path, task, format=data.format, text_dir=data.text_dir, drop_labels=data.drop_labels)
        return _find_leaks(_deal(learnt_from, data, cv), {name: gold})
    except InputError as error:
        log.warning("%s cannot be compared with what was learnt from: %s", name, error)
        return None


def _find_leaks(corpus: Corpus, scored: Mapping[str, Sequence[Article]]) -> list[Leak]:
    """Return the near-duplicates that each part has in train and (but for dev) in dev, and say how many there are."""
    known = {name: NearDuplicates(corpus.split(name)) for name in ("train", "dev")}
    leaks: list[Leak] = []
    for name, gold in scored.items():
        near = [(article, split, index.nearest(article)) for article in gold for split, index in known.items() if split != name]
        best: dict[str, Leak] = {}
        for article, split, found in near:
            if found and (article.id not in best or found[1] > best[article.id].similarity):
                best[article.id] = Leak(article.id, name, found[0].id, split, found[1])
        leaks += best.values()
        _warn_of_leaks(list(best.values()), len(gold), name)
    return leaks


def check_files(data: DataConfig) -> None:
    """Demand that the files of `data.sha256` are those that were published."""
    for name, expected in data.sha256.items():
        check_sha256(Path(data.path) / name, expected, data.upstream)


def _warn_of_leaks(leaks: Sequence[Leak], n_articles: int, name: str) -> None:
    if leaks:
        per_split = ", ".join(f"{n} in {split}" for split, n in Counter(leak.of_split for leak in leaks).items())
        log.warning(
            "%d of %d %s articles have a near-duplicate among those that the model learns from or is chosen by (%s), and flatter the "
            "score: %s%s", len(leaks), n_articles, name, per_split,
            ", ".join(f"{leak.id} ({leak.of})" for leak in leaks[:3]), ", ..." if len(leaks) > 3 else "",
        )  # fmt: skip


def _check_labels(corpus: Corpus, data: DataConfig, task: TaskConfig) -> None:
    """Demand that there is something to learn in train and to choose the best epoch by in dev; say which labels cannot be learnt."""
    counts = {
        name: Counter(label for article in corpus.split(name) for label in _labels_of(article, task.field or ENTITIES))
        for name in ("train", "dev")
    }
    what = "mention" if task.kind == NER else f"label of {task.field}"
    for name, use in (("train", "nothing could be learnt"), ("dev", "the best epoch could not be chosen")):
        if not counts[name]:
            anew = f", or remove {splits_path(data)} and have the articles split anew" if data.split_by != "file" else ""
            anew = ", or choose another number of cv.folds" if corpus.fold else anew
            raise InputError(
                f"{data.path}: the {len(corpus.split(name))} {name} articles hold no {what}, so that {use}; label some of them{anew}"
            )
    if unlearnt := [label for label in task.labels if not counts["train"][label]]:
        log.warning("labels that no training article holds cannot be learnt, and cost recall elsewhere: %s", ", ".join(unlearnt))


def _labels_of(article: Article, field: str) -> Sequence[str]:
    return [span.label for span in article.spans] if field == ENTITIES else article.classes(field) or ()


def read_labelled(
    path: str | Path,
    task: TaskConfig,
    *,
    format: str | None = None,
    text_dir: str | None = None,
    drop_labels: Sequence[str] = (),
) -> list[Article]:
    """Return the articles at `path`, checked: ids are unique, texts are not empty, labels are those that `task` declares.

    Raises:
        InputError: for the first article that fails, and if there is none.
    """
    articles: dict[str, Article] = {}
    for article in read_articles(path, format=format, text_dir=text_dir):
        if article.id in articles:
            raise InputError(f"{article.where()}: the id was already used by {articles[article.id].source}; give each article its own")
        if not article.text.strip():
            raise InputError(f"{article.where()}: the article is empty; remove it or add its text")
        articles[article.id] = _check(article, task, drop_labels)
    if not articles:
        raise InputError(f"{path}: holds no article; give a file or folder that does")
    return list(articles.values())


def _check(article: Article, task: TaskConfig, drop_labels: Sequence[str]) -> Article:
    if task.kind == MLM:
        return article  # its labels are not looked at
    if task.kind == NER:
        return check_entities(article, task.labels, drop_labels)
    assert task.field is not None
    return check_classes(article, task.field, task.kind, task.labels, drop_labels)


def check_complete(articles: Iterable[Article], splits: Mapping[str, str], data: DataConfig) -> None:
    """Demand that every article has a split, every row of the split its article, and every split an article."""
    path = data.path if data.split_by == "file" else splits_path(data)
    ids = {article.id for article in articles}
    for missing, problem, way_out in (
        (
            ids - splits.keys(),
            "are in no split",
            f"add them with: python annotate.py action=split data={data.name} (and your other data.* options)",
        ),
        (splits.keys() - ids, "have a split but are not in the data", f"bring them back to {data.path}, or remove their rows"),
    ):
        if missing:
            raise InputError(f"{path}: {len(missing)} articles {problem}: {', '.join(sorted(missing)[:5])}; {way_out}")
    empty = set(SPLITS) - {splits[article_id] for article_id in ids}
    if empty:
        raise InputError(f"{path}: no article in {', '.join(sorted(empty))}; training needs all of {', '.join(SPLITS)}")


def count_labels(articles: Iterable[Article], splits: Mapping[str, str], fields: Sequence[str]) -> dict[str, Counter[str]]:
    """Return, per `field=label` and for `articles`, `characters` and `mentions`, how many each split holds."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for article in articles:
        split = splits[article.id]
        counts["articles"][split] += 1
        counts["characters"][split] += len(article.text)
        counts["mentions"][split] += len(article.spans)
        for field in fields:
            for value in _labels_of(article, field):
                counts[f"{field}={value}"][split] += 1
    return counts
