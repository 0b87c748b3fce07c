"""A corpus that grows: which of the articles that annotators give back join it, with which labels, and in which split.

Nothing that is in the corpus moves. A new article joins the split of its near-duplicates, all others go where the split lacks them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sitrep.articles import Article
from sitrep.config import DataConfig
from sitrep.errors import InputError
from sitrep.labels import ENTITIES, check_declared, check_entities
from sitrep.near_duplicates import group_near_duplicates
from sitrep.splits import make_splits

CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class Growth:
    """What articles given back mean to a corpus.

    new:     those that join it
    splits:  id -> split of all that were in none: the new ones, and the others too where there was no split
    twins:   id of a new one -> that of a near-duplicate that was there
    changed: those that are in it with other labels, as they are to be
    same:    ids of those that are in it as they are
    bare:    ids of those that are in it with mentions and came without any: they keep what they have
    """

    new: tuple[Article, ...]
    changed: tuple[Article, ...]
    same: tuple[str, ...]
    bare: tuple[str, ...]
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
        splits: id -> split of the corpus, or nothing if it has none yet.
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
    changed = tuple(article for article in merged if article != known[article.id])
    kept = {article.id for article in (*new, *changed)}
    same = tuple(article.id for article in checked if article.id not in kept)
    bare = tuple(article.id for article in checked if not article.spans and article.id in known and known[article.id].spans)
    return Growth(new, changed, same, bare, *_deal(corpus, new, data, splits, into))


def _check(article: Article, data: DataConfig) -> Article:
    """Return an article without scores, its marks in order; labels in `drop_labels` stay, since they are left out in training only."""
    if not article.text.strip():
        raise InputError(f"{article.where()}: the article is empty; remove it or add its text")
    if CONTROL.search(article.id):
        raise InputError(f"{article.where()}: the id holds a control character, which the file of the split cannot; give it another id")
    check_entities(article, data.labels.get(ENTITIES, []), data.drop_labels)
    for name, labels in data.labels.items():
        if name != ENTITIES and labels and (values := article.classes(name)) is not None:
            check_declared(article, name, [value for value in values if value not in data.drop_labels], labels)
            article = article.with_classes(name, values)
    return replace(article, spans=tuple(sorted(replace(span, score=None) for span in article.spans)), scores={})


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
    """Return an article of the corpus with the labels given; whatever is not given stays, mentions too: a file may hold classes only."""
    merged = replace(old, spans=given.spans) if given.spans and set(given.spans) != set(old.spans) else old
    for name in {**dict.fromkeys(data.labels), **given.labels}:
        values = given.classes(name)
        before = old.classes(name)
        if name != ENTITIES and values is not None and (before is None or set(values) != set(before)):
            merged = merged.with_classes(name, values)
    return merged


def describe_change(old: Article, new: Article) -> str:
    """Return the first difference in the labels of two versions of an article, in words."""
    for span in sorted(set(old.spans) ^ set(new.spans)):
        side = "the corpus" if span in old.spans else "the import"
        return f"only {side} has {span.label} {old.surface(span)!r} [{span.start}, {span.end})"
    for name, values in new.labels.items():
        if values != old.classes(name):
            return f"{name} is {list(old.classes(name) or ())} in the corpus and {list(values)} in the import"
    return "no difference"


def _deal(
    corpus: Sequence[Article], new: Sequence[Article], data: DataConfig, splits: Mapping[str, str], into: str | None
) -> tuple[dict[str, str], dict[str, str]]:
    """Return id -> split of what has none, and id -> near-duplicate of the new articles."""
    ids = {article.id for article in new}
    fixed = dict(splits)
    if corpus and not splits and (into or not new):
        fixed = make_splits(corpus, data)  # there is no split yet
    twins: dict[str, str] = {}
    for group in group_near_duplicates([*corpus, *new]) if new else ():
        joining, others = ([a for a in group if (a.id in ids) is side] for side in (True, False))
        if joining and others:
            if fixed:
                _refuse_leak(joining[0], others, fixed, into)
            twins |= {article.id: others[0].id for article in joining}
    if into:
        fixed |= dict.fromkeys(ids, into)
    elif new:
        fixed = make_splits([*corpus, *new], data, fixed)
    return {article_id: split for article_id, split in fixed.items() if article_id not in splits}, twins


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
