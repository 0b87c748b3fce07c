"""A corpus that grows: which of the articles that annotators give back join it, with which labels, and in which split.

Nothing that is in the corpus moves. A new article joins the split of its near-duplicates, all others go where the split lacks them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sitrep.articles import Article
from sitrep.config import DataConfig
from sitrep.errors import InputError
from sitrep.labels import ENTITIES, check_declared, check_entities
from sitrep.near_duplicates import group_near_duplicates
from sitrep.splits import make_splits


@dataclass(frozen=True)
class Growth:
    """What articles given back mean to a corpus.

    new:     those that join it; `splits` and `twins` are theirs: id -> split, id -> id of a near-duplicate that was there
    changed: those that are in it with other labels, as they are to be
    same:    ids of those that are in it as they are
    """

    new: tuple[Article, ...]
    changed: tuple[Article, ...]
    same: tuple[str, ...]
    splits: Mapping[str, str]
    twins: Mapping[str, str]


def plan_growth(
    corpus: Sequence[Article], given: Sequence[Article], data: DataConfig, splits: Mapping[str, str], into: str | None = None
) -> Growth:
    """Return what becomes of a corpus when the articles `given` are taken in; nothing is written.

    Args:
        corpus: its articles, as they are.
        given: articles as annotators left them, with ids of their own or of the corpus.
        data: what labels are declared, and how the split is made.
        splits: id -> split of the corpus.
        into: the split that all new articles join; None: as the shares and labels of the split want.

    Raises:
        InputError: for a label that is not declared, a class field that the whole corpus has and a new article has not, a text that is
            empty, in the corpus under another id, or another one than the corpus has under that id, and for a leak: a new article that
            is a near-duplicate of articles in two splits, or of one in another split than `into`.
    """
    known = {article.id: article for article in corpus}
    checked = [_check(article, data) for article in given]
    _refuse_repeats(known, checked)
    new = tuple(article for article in checked if article.id not in known)
    _demand_fields(corpus, new, data)
    merged = [_merge(known[article.id], article, data) for article in checked if article.id in known]
    changed = tuple(article for article in merged if not _is_same(known[article.id], article))
    kept = {article.id for article in (*new, *changed)}
    same = tuple(article.id for article in checked if article.id not in kept)
    return Growth(new, changed, same, *_deal(corpus, new, data, splits, into))


def _check(article: Article, data: DataConfig) -> Article:
    if not article.text.strip():
        raise InputError(f"{article.where()}: the article is empty; remove it or add its text")
    article = check_entities(article, data.labels.get(ENTITIES, []), data.drop_labels)
    for name, labels in data.labels.items():
        if name != ENTITIES and labels and (values := article.classes(name)) is not None:
            kept = [value for value in values if value not in data.drop_labels]
            check_declared(article, name, kept, labels)
            article = article.with_classes(name, kept)
    spans = tuple(sorted(replace(span, score=None) for span in article.spans))
    return replace(article, spans=spans, scores={})


def _refuse_repeats(known: Mapping[str, Article], given: Sequence[Article]) -> None:
    """Demand that an id stands once and for the text that the corpus has under it, and that no text comes under two ids."""
    by_text = {article.text: article for article in known.values()}
    seen: dict[str, Article] = {}
    for article in given:
        if article.id in seen:
            raise InputError(f"{article.where()}: the id was already used by {seen[article.id].where()}; give each article its own")
        if article.id in known and known[article.id].text != article.text:
            raise InputError(
                f"{article.where()}: the corpus has another text under this id ({known[article.id].where()}); "
                "give a new article an id of its own, or bring its text back as it was: offsets belong to a text"
            )
        other = by_text.setdefault(article.text, article)
        if other.id != article.id:
            raise InputError(f"{article.where()}: the same text is there as {other.where()}; remove one of the two")
        seen[article.id] = article


def _demand_fields(corpus: Sequence[Article], new: Sequence[Article], data: DataConfig) -> None:
    """Demand of new articles the class fields that all others have: without them no model of that field could be trained any more."""
    for name, labels in data.labels.items():
        if name == ENTITIES or not labels or not corpus or any(article.classes(name) is None for article in corpus):
            continue
        if missing := [article for article in new if article.classes(name) is None]:
            raise InputError(
                f"{missing[0].where()}: has no field {name!r}, which every article of {data.path} has ({len(missing)} of {len(new)} new "
                f"articles lack it); label it too, say '{name}: []' where no label applies, or take it out: data.labels.{name}=[]"
            )


def _merge(old: Article, given: Article, data: DataConfig) -> Article:
    """Return an article of the corpus with the labels given; fields that are not given, and whatever else it holds, stay."""
    merged = replace(old, spans=given.spans)
    for name in data.labels:
        if name != ENTITIES and (values := given.classes(name)) is not None and values != old.classes(name):
            merged = merged.with_classes(name, values)
    return merged


def _is_same(one: Article, other: Article) -> bool:
    return (sorted(one.spans), one.labels, one.extra) == (sorted(other.spans), other.labels, other.extra)


def _deal(
    corpus: Sequence[Article], new: Sequence[Article], data: DataConfig, splits: Mapping[str, str], into: str | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Return id -> split and id -> near-duplicate of the new articles."""
    if not new:
        return {}, {}
    ids = {article.id for article in new}
    twins: dict[str, str] = {}
    for group in group_near_duplicates([*corpus, *new]):
        joining, others = ([a for a in group if (a.id in ids) is side] for side in (True, False))
        if joining and others:
            _refuse_leak(joining[0], others, splits, into)
            twins |= {article.id: others[0].id for article in joining}
    if into is None:
        dealt = make_splits([*corpus, *new], data, splits)
        return {article_id: dealt[article_id] for article_id in ids}, twins
    return dict.fromkeys(ids, into), twins


def _refuse_leak(article: Article, others: Sequence[Article], splits: Mapping[str, str], into: str | None) -> None:
    places = {splits[other.id]: other for other in others}
    if len(places) > 1:
        listed = ", ".join(f"{other.id} in {split}" for split, other in places.items())
        raise InputError(f"{article.where()}: is a near-duplicate of articles in two splits ({listed}), a leak in either; leave it out")
    (split, other), *_ = places.items()
    if into not in (None, split):
        raise InputError(
            f"{article.where()}: is a near-duplicate of {other.id}, which is in {split}: in {into} it would be a leak; "
            "leave out split=, which puts it there too, or leave the article out"
        )
