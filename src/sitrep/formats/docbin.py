"""spaCy's `DocBin` (`.spacy`), as `spacy train` and `spacy convert` use it. It is held in memory: a file is one packed whole.

Written: flat mentions in `doc.ents`, all mentions in `doc.spans["sc"]`, their scores in its attribute `scores`, class labels (also lists at
top level, as articles of ours have them) in `doc.cats` as `field=label`; id, class labels, scores and other fields once more, as they
are, in `doc.user_data["sitrep"]` as JSON. The words are those of the text, white space and all, cut where mentions begin and end, so that
none is misaligned.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sitrep.articles import Article, Source, Span
from sitrep.errors import InputError, first_line
from sitrep.formats.faults import Loss, Mark
from sitrep.formats.files import Context, RowError, read_bytes
from sitrep.formats.marks import spans_of
from sitrep.formats.rows import check_characters, parse_json
from sitrep.formats.streams import STDIN
from sitrep.formats.tokens import cut
from sitrep.formats.writing import Target, flat_spans

if TYPE_CHECKING:
    from spacy.tokens import Doc, DocBin
    from spacy.vocab import Vocab

GROUP = "sc"  # of spans: the default key of spaCy's SpanCategorizer
KEY = "sitrep"  # in user_data
IS_CLASS = 0.5  # a class of `doc.cats` counts from this score on
ATTRIBUTES = ("ENT_IOB", "ENT_TYPE")


def _spacy() -> Any:
    try:
        import spacy
    except ImportError as error:
        raise InputError("the format spacy needs spaCy, which is not installed: pip install 'sitrep[spacy]'") from error
    return spacy


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield the articles of a DocBin; a document without an id is named `<file>:<n>`, and messages give its number for the line."""
    vocab = _spacy().blank("xx").vocab
    from spacy.tokens import DocBin

    packed = read_bytes(path)
    docs = _docs(DocBin(), packed, vocab, path)
    number = 0
    while True:
        number += 1
        source = Source(str(path), number)
        try:
            doc = next(docs, None)
            if doc is None:
                return
            try:
                article = _article(doc, source, context)
            except (TypeError, ValueError, KeyError, AttributeError) as error:  # attributes hold whatever their makers put there
                raise RowError(source, f"scores, classes or user data of a kind that spaCy does not write: {error!r}") from error
            yield article
        except RowError as error:
            context.reject(error)


def _docs(docbin: DocBin, packed: bytes, vocab: Vocab, path: Path) -> Iterator[Doc]:
    name = "<stdin>" if path is STDIN else str(path)
    number = 0
    try:
        for doc in docbin.from_bytes(packed).get_docs(vocab):
            number += 1
            yield doc
    except Exception as error:  # whatever a broken file may do to it
        raise RowError(
            Source(name, number + 1), f"cannot be read as spaCy's DocBin from document {number + 1} on: {first_line(error)}; write it again"
        ) from error


def _article(doc: Doc, source: Source, context: Context) -> Article:
    own = parse_json(doc.user_data[KEY], source) if isinstance(doc.user_data.get(KEY), str) else None
    article_id = own["id"] if own else f"{context.article_id}:{source.line}"
    check_characters(doc.text, source)
    spans = _spans(doc, article_id, source, context)
    if own:
        labels = {name: tuple(values) for name, values in own["labels"].items()}
        scores = {name: dict(values) for name, values in own["scores"].items()}
        return Article(str(article_id), doc.text, spans, labels, scores, dict(own["extra"]), source)
    labels, scores = _classes(doc)
    for key in doc.user_data:
        context.lose(Loss(article_id, "user data", str(key)))
    return Article(article_id, doc.text, spans, labels, scores, {}, source)


def _spans(doc: Doc, article_id: str, source: Source, context: Context) -> tuple[Span, ...]:
    """Return the mentions of a group of spans, and those of `doc.ents` that are not among them."""
    groups = dict(doc.spans)
    if len(groups) > 1 and GROUP not in groups:
        raise RowError(source, f"{len(groups)} groups of spans ({', '.join(groups)}), and none is called {GROUP!r}; call one so")
    chosen = GROUP if GROUP in groups else next(iter(groups), None)
    for name, others in groups.items():
        if name != chosen:
            context.lose(Loss(article_id, "groups of spans", f"{name}, with {len(others)} spans"))
    group: Any = groups[chosen] if chosen is not None else ()
    scores = list(group.attrs.get("scores", ())) if chosen is not None else []
    scores = [None if score is None else float(score) for score in scores] if len(scores) == len(group) else [None] * len(group)
    marks = [Mark(span.start_char, span.end_char, span.label_, None, source, score) for span, score in zip(group, scores, strict=True)]
    found = {(mark.start, mark.end, mark.label) for mark in marks}
    ents = [Mark(ent.start_char, ent.end_char, ent.label_, None, source) for ent in doc.ents]
    marks += [mark for mark in ents if (mark.start, mark.end, mark.label) not in found]
    return spans_of(marks, article_id, doc.text, context)


def _classes(doc: Doc) -> tuple[dict[str, tuple[str, ...]], dict[str, dict[str, float]]]:
    """Return class labels and scores of `doc.cats`; a name without `=` belongs to the field `cats`."""
    labels: dict[str, tuple[str, ...]] = {}
    scores: dict[str, dict[str, float]] = {}
    for name, score in doc.cats.items():
        field, _, label = name.rpartition("=")
        field = field or "cats"
        labels[field] = (*labels.get(field, ()), *((label,) if score >= IS_CLASS else ()))
        scores.setdefault(field, {})[label] = float(score)
    certain = {field for field, values in scores.items() if set(values.values()) <= {0.0, 1.0}}
    return labels, {field: values for field, values in scores.items() if field not in certain}


def write(articles: Iterable[Article], path: Path, target: Target) -> None:
    """Write articles to a DocBin; nothing is lost."""
    vocab = _spacy().blank("xx").vocab
    from spacy.tokens import DocBin

    docbin = DocBin(ATTRIBUTES, store_user_data=True)
    for article in articles:
        docbin.add(_doc(article, vocab))
    docbin.to_disk(path)


def _doc(article: Article, vocab: Vocab) -> Doc:
    from spacy.tokens import Doc, SpanGroup

    starts, ends, words, spaces = _words(article)
    doc = Doc(vocab, words, spaces)
    by_edges = {span: (starts[span.start], ends[span.end]) for span in article.spans}
    flat = flat_spans(replace(article, spans=tuple(span for span in article.spans if span.label)), Target())
    doc.ents = [_span(doc, span, by_edges) for span in flat]
    scores = [span.score for span in article.spans]
    attributes = {"scores": scores} if any(score is not None for score in scores) else {}
    doc.spans[GROUP] = SpanGroup(doc, name=GROUP, attrs=attributes, spans=[_span(doc, span, by_edges) for span in article.spans])
    doc.cats = {f"{field}={label}": float(score) for field, classes in article.scores.items() for label, score in classes.items()}
    listed = {field: values for field, values in article.extra.items() if isinstance(values, list)}
    labels = [f"{field}={label}" for field, values in {**listed, **article.labels}.items() for label in values]
    doc.cats = {**dict.fromkeys(labels, 1.0), **doc.cats}  # a class that a model gave keeps its score
    own = {"id": article.id, "labels": dict(article.labels), "scores": dict(article.scores), "extra": dict(article.extra)}
    doc.user_data[KEY] = json.dumps(own, ensure_ascii=False)
    return doc


def _span(doc: Doc, span: Span, by_edges: dict[Span, tuple[int, int]]) -> Any:
    from spacy.tokens import Span as DocSpan

    return DocSpan(doc, *by_edges[span], label=span.label)


def _words(article: Article) -> tuple[dict[int, int], dict[int, int], list[str], list[bool]]:
    """Return, by character, which word begins and behind which word it ends; the words; and whether a space follows each.

    A space behind a word is no word, as spaCy has it, unless a mention begins or ends with it.
    """
    begins, closes = ({edge(span) for span in article.spans} for edge in (lambda span: span.start, lambda span: span.end))
    starts: dict[int, int] = {}
    ends: dict[int, int] = {}
    words: list[str] = []
    spaces: list[bool] = []
    for first, end in cut(article.text, article.spans):
        start = first
        is_behind = bool(words) and not spaces[-1] and not words[-1].isspace()
        if is_behind and article.text[start] == " " and start not in begins and start + 1 not in closes:
            spaces[-1] = True
            start += 1
        if start < end:
            starts[start], ends[end] = len(words), len(words) + 1
            words.append(article.text[start:end])
            spaces.append(False)
    return starts, ends, words, spaces
