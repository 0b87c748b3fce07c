"""Prodigy's JSONL, as `db-out` writes it, an answer a line; written with tokens, so that it can be annotated or put in with `db-in`.

    {"text": "In Gao.", "spans": [{"start": 3, "end": 6, "token_start": 1, "token_end": 1, "label": "LOCATION"}],
     "tokens": [{"text": "In", "start": 0, "end": 2, "id": 0, "ws": true}, ...], "accept": ["bombing"], "answer": "accept",
     "_input_hash": 1, "_task_hash": 2, "_annotator_id": "news-amina", "_session_id": "news-amina"}

Offsets are code points, half-open; `token_end` is the last token itself. `accept` (of choices) and `label` (of one yes or no) hold classes
of a field that Prodigy does not name: we call it `topics`. Only what was accepted, or not answered yet, is read. Answers with one
`_input_hash` are about one text: `annotators` says whose count. The file is held in memory whole.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sitrep.articles import Article, Source
from sitrep.formats.annotators import NOBODY, Version, check_annotator, choose
from sitrep.formats.faults import NOT_LABELLED, PREDICTED, Loss
from sitrep.formats.files import Context, RowError, decode, read_lines
from sitrep.formats.marks import spans_of
from sitrep.formats.prodigy_tokens import parse_spans, tokenize, with_tokens
from sitrep.formats.rows import id_of, object_of, parse_json, text_of
from sitrep.formats.writing import MODEL, Target, is_predicted, json_fields

FIELD = "topics"
ANSWERS = {"accept": "", "reject": "rejected answers", "ignore": "ignored answers"}  # those that are lost, in the plural
BINARY = ("classification", "ner", "spans")  # views that ask yes or no about one label at a time
OWN = ("tokens", "spans", "answer", "accept", "label", "options", "config", "html")  # keys of Prodigy's, not the user's
ABOUT_MODEL = ("score", "model")  # keys of `meta`, where mentions have scores


class Row:
    """An answer, or a task without one yet."""

    def __init__(self, values: dict[str, Any], number: int, source: Source, context: Context) -> None:
        self.values, self.source = values, source
        self.id = id_of(values, f"{context.article_id}:{number}", source, context)
        self.text = text_of(values, source, context)
        self.answer = values.get("answer", "accept")
        if not isinstance(self.answer, str) or self.answer not in ANSWERS:
            raise RowError(source, f"'answer' must be {', '.join(ANSWERS)}, found {self.answer!r}")

    @property
    def names(self) -> tuple[str, ...]:
        """What the annotator is called."""
        found = (self.values.get("_annotator_id"), self.values.get("_session_id"))
        return tuple(dict.fromkeys(name for name in found if isinstance(name, str) and name)) or (NOBODY,)


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield an article a text, where its first answer stands; one without an id is named `<file>:<line>`.

    Raises:
        RowError: if nobody of the name `context.annotator` answered anything.
    """
    texts: dict[Any, list[Row]] = {}
    for number, line in read_lines(path, context):
        if not line.strip():
            continue
        source = Source(str(path), number)
        try:
            values = object_of(parse_json(decode(line, path, number), source), source)
            row = Row(values, number, source, context)
        except RowError as error:
            context.reject(error)
        else:
            input_hash = values.get("_input_hash")
            texts.setdefault(("hash", input_hash) if isinstance(input_hash, (int, str)) else number, []).append(row)
    names = {name for rows in texts.values() for row in rows for name in row.names}
    check_annotator(context, names, Source(str(path)))
    for rows in texts.values():
        try:
            article = _article(rows, context)
        except RowError as error:
            context.reject(error)
        else:
            if article:
                yield article


def _article(rows: Sequence[Row], context: Context) -> Article | None:
    """Return the article of the answers to one text, or None if nobody whose answers count accepted any."""
    accepted = [row for row in rows if row.answer == "accept"]
    for row in rows:
        if row.answer != "accept":
            context.lose(Loss(row.id, ANSWERS[row.answer], f"by {row.names[0]}: {row.text[:40]!r}"))
    if not accepted:
        return None
    chosen = choose(list(_versions(accepted)), accepted[0].id, accepted[0].source, context)
    return _merged(chosen.content, context) if chosen else None


def _versions(accepted: Sequence[Row]) -> Iterator[Version]:
    """Yield a version for each answer, but one of all that a person said to one label at a time."""
    by_person: dict[str, list[Row]] = {}
    for row in accepted:
        by_person.setdefault(row.names[0], []).append(row)
    for own in by_person.values():
        if all(row.values.get("_view_id") in BINARY for row in own):
            yield Version(own[0].names, own)
        else:
            yield from (Version(row.names, [row]) for row in own)


def _merged(rows: Sequence[Row], context: Context) -> Article:
    """Return the article of answers that belong together: one, or the yeses to one label at a time."""
    first = rows[0]
    spans = []
    labels: dict[str, tuple[str, ...]] = {}
    for row in rows:
        marks = parse_spans(row.values, row.text, row.id, row.source, context)
        spans += [span for span in spans_of(marks, row.id, row.text, context) if span not in spans or row is first]
        for value in _classes(row):
            labels[FIELD] = (*labels.get(FIELD, ()), value)
        if row.values.get("accept") == []:
            labels.setdefault(FIELD, ())
        for relation in row.values.get("relations") or ():
            context.lose(Loss(row.id, "relations", str(relation)[:80]))
    taken = {context.text_field, context.id_field, *OWN, "relations"}
    extra = {key: value for key, value in first.values.items() if key not in taken and not key.startswith("_")}
    if any(span.score is not None for span in spans):
        extra |= _meta_without_model(extra.pop("meta", None), first, context)
    if context.unlabelled and not any("answer" in row.values for row in rows):
        context.unlabelled(first.id, PREDICTED if spans or labels else NOT_LABELLED)
    return Article(first.id, first.text, tuple(spans), labels, extra=extra, source=first.source)


def _meta_without_model(meta: Any, row: Row, context: Context) -> dict[str, Any]:
    """Return `meta`, if anything is left of it, without what says only which model gave the scores, and the lowest of them."""
    if not isinstance(meta, dict):
        return {} if meta is None else {"meta": meta}
    if meta.get("model", MODEL) != MODEL:
        context.lose(Loss(row.id, "names of models", str(meta["model"])))
    rest = {key: value for key, value in meta.items() if key not in ABOUT_MODEL}
    return {"meta": rest} if rest or not meta else {}


def _classes(row: Row) -> Iterator[str]:
    """Yield the classes that a row chooses: `accept` holds the ids of options."""
    accepted = row.values.get("accept") or []
    if not isinstance(accepted, list) or not all(type(value) in (str, int) for value in accepted):
        raise RowError(row.source, f"'accept' must be an array of options, found {accepted!r}")
    yield from map(str, accepted)
    label = row.values.get("label")
    if not isinstance(label, (str, type(None))):
        raise RowError(row.source, f"'label' must be a word, found {label!r}")
    if label:
        yield label


def write(articles: Iterable[Article], path: Path, target: Target) -> None:
    """Write `articles` to `path`, a task a line, as a stream: what people labelled as accepted, what a model did without an answer."""
    with path.open("w", encoding="utf-8", newline="\n") as lines:
        lines.writelines(json.dumps(_row(article, target), ensure_ascii=False) + "\n" for article in articles)


def _row(article: Article, target: Target) -> dict[str, Any]:
    tokens = tokenize(article.text, article.spans)
    row: dict[str, Any] = {"id": article.id, "text": article.text, "tokens": tokens, "spans": with_tokens(article.spans, tokens)}
    for name, values in article.labels.items():
        if name == FIELD:
            row["accept"] = list(values)
        else:
            target.lose(Loss(article.id, f"class labels of {name}", ", ".join(values)))
    for name in article.scores:
        target.lose(Loss(article.id, "class scores", name))
    taken = {"id", "text", *OWN, "relations", *(name for name in article.extra if name.startswith("_"))}
    row |= json_fields(article, target, taken)
    scores = [span.score for span in article.spans if span.score is not None]
    if scores:
        row["meta"] = _meta(row.get("meta", {}), min(scores), article, target)
    if (article.spans or article.labels) and not is_predicted(article):
        row["answer"] = "accept"
    return row


def _meta(meta: Any, score: float, article: Article, target: Target) -> dict[str, Any]:
    """Return what Prodigy shows below a task: the score that says least, and the model; a `meta` of the article's own stays if it can."""
    kept = {key: value for key, value in meta.items() if key not in ABOUT_MODEL} if isinstance(meta, dict) else {}
    if kept != meta or ("meta" in article.extra and not kept):
        target.lose(Loss(article.id, "other fields", "meta"))
    return {**kept, "score": score, "model": target.predicted_by or MODEL}
