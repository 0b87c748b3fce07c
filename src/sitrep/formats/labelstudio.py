"""Label Studio's export JSON, an array of tasks, and its short form JSON-MIN, told apart by their content; written as tasks to import.

    {"id": 7, "data": {"id": "a", "text": "In Gao."}, "annotations": [{"id": 9, "completed_by": 1, "result": [...]}], "predictions": []}

A task is an article: `data` holds its text and its other fields. The labels are those of one annotation; `annotators` says of which. A task
that has only predictions is read with their scores, as predict.py writes articles: these are not gold. The file is held in memory whole.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sitrep.articles import Article, Source
from sitrep.formats.annotators import NOBODY, Version, check_annotator, choose
from sitrep.formats.faults import NOT_LABELLED, PREDICTED, SKIPPED, Loss
from sitrep.formats.files import DEFAULT_ID_FIELD, Context, RowError, decode, read_bytes
from sitrep.formats.labelstudio_min import is_entry, tasks_of
from sitrep.formats.labelstudio_results import Results, is_choice, read_results
from sitrep.formats.labelstudio_tasks import BESIDE, labelling_config, write
from sitrep.formats.rows import parse_array
from sitrep.formats.writing import MODEL

__all__ = ["BESIDE", "labelling_config", "read", "write"]

log = logging.getLogger(__name__)

PARTS = ("data", "annotations", "completions", "predictions")  # a task has some of these


@dataclass
class _Export:
    """What is known of the whole file.

    fields: names of choices that some annotation makes
    names:  of who labelled, for each annotation
    """

    fields: dict[str, None] = field(default_factory=dict)
    names: list[tuple[str, ...]] = field(default_factory=list)
    n_tasks: int = 0
    n_unlabelled: int = 0
    n_predicted: int = 0
    n_in_units: int = 0


def read(path: Path, context: Context) -> Iterator[Article]:
    """Yield an article a task; a task without an id is named `<file>:<its place>`.

    Raises:
        RowError: if it is no export of Label Studio, or nobody of the name `context.annotator` labelled anything in it.
    """
    entries = list(parse_array(decode(read_bytes(path), path), Source(str(path))))
    first = entries[0][1] if entries else {"data": {}}
    if is_entry(first):
        entries = list(tasks_of(entries))
    elif isinstance(first, dict) and not any(part in first for part in PARTS):
        raise RowError(
            Source(str(path)),
            f"no export of Label Studio, whose tasks have {', '.join(PARTS[:2])}: the first entry has {', '.join(first) or 'nothing'}; "
            "articles in JSON are read one a line, from a file that ends in .jsonl",
        )
    export = _survey(entries)
    check_annotator(context, [name for names in export.names for name in names], Source(str(path)))
    for number, (source, task) in enumerate(entries, start=1):
        try:
            article = _article(task, f"{context.article_id}:{number}", source, context, export)
        except RowError as error:
            context.reject(error)
        else:
            if article:
                yield article
    _tell(export, path)


def _survey(entries: list[tuple[Source, Any]]) -> _Export:
    export = _Export()
    for _, task in entries:
        for annotation in _annotations(task) if isinstance(task, dict) else ():
            if isinstance(annotation, dict):
                export.names.append(_names(annotation))
                results = annotation.get("result")
                export.fields |= {item["from_name"]: None for item in results if is_choice(item)} if isinstance(results, list) else {}
    return export


def _tell(export: _Export, path: Path) -> None:
    if export.n_in_units:
        log.warning("%s: %d tasks state offsets in UTF-16 units, as old versions of Label Studio do; converted", path, export.n_in_units)
    if export.n_predicted:
        log.warning("%s: %d tasks have predictions only, which are read with their scores and are not gold", path, export.n_predicted)
    if export.n_unlabelled:
        log.warning("%s: %d of %d tasks are not labelled, and read as articles without", path, export.n_unlabelled, export.n_tasks)


def _article(task: Any, default_id: str, source: Source, context: Context, export: _Export) -> Article | None:
    """Return the article of a task, or None if `context.annotator` did not label it."""
    data = task.get("data") if isinstance(task, dict) else None
    if not isinstance(data, dict):
        raise RowError(source, "a task must be an object with an object 'data'; export as JSON, not as the settings of a project")
    text, article_id = data.get(context.text_field), _id(task, data, default_id, source, context)
    if not isinstance(text, str):
        raise RowError(
            source,
            f"task {article_id!r}: no string under {context.text_field!r} of 'data', which has: {', '.join(data) or 'nothing'}; "
            "text_field= says where the text is",
        )
    export.n_tasks += 1
    versions = _versions(task, article_id, source, context)
    chosen = choose(versions, article_id, source, context)
    if context.annotator is not None and chosen is None:
        context.lose(Loss(article_id, f"tasks that {context.annotator} did not label", source.path))
        return None
    content = chosen.content if chosen else _last_prediction(task, article_id, context)
    found = (
        read_results(content.get("result"), article_id, text, source, context, is_prediction=not chosen)
        if content is not None
        else Results()
    )
    if chosen and chosen.names[0] != NOBODY:  # Label Studio writes nothing where a person chose nothing
        found.labels |= {name: () for name in export.fields if name not in found.labels}
    export.n_unlabelled += content is None
    export.n_predicted += content is not None and chosen is None
    export.n_in_units += found.in_units
    if context.unlabelled and not chosen:
        context.unlabelled(article_id, PREDICTED if content is not None else SKIPPED if _annotations(task) else NOT_LABELLED)
    _lose_rest(task, article_id, context, has_annotation=chosen is not None)
    extra = {key: value for key, value in data.items() if key not in (context.text_field, context.id_field)}
    return Article(article_id, text, found.spans, found.labels, found.scores, extra, source)


def _id(task: dict[str, Any], data: dict[str, Any], default_id: str, source: Source, context: Context) -> str:
    if context.id_field not in data and context.id_field != DEFAULT_ID_FIELD:
        raise RowError(source, f"no {context.id_field!r} in 'data', which id_field= names; it has: {', '.join(data) or 'nothing'}")
    number = data[context.id_field] if context.id_field in data else task.get("id")
    if isinstance(number, bool) or not isinstance(number, (str, int, type(None))):
        raise RowError(source, f"the id of a task must be a string or a whole number, found {number!r}")
    return default_id if number is None else str(number)


def _annotations(task: dict[str, Any]) -> list[Any]:
    """Return the annotations of a task, called completions before Label Studio 1.0."""
    found = task.get("annotations") or task.get("completions") or []
    return found if isinstance(found, list) else [found]


def _versions(task: dict[str, Any], article_id: str, source: Source, context: Context) -> list[Version]:
    versions = []
    for annotation in _annotations(task):
        if not isinstance(annotation, dict):
            raise RowError(source, f"task {article_id!r}: an annotation must be an object, found {annotation!r}")
        names = _names(annotation)
        if annotation.get("was_cancelled") or annotation.get("skipped"):
            context.lose(Loss(article_id, "skipped annotations", f"by {names[0]}"))
            continue
        when = str(annotation.get("updated_at") or annotation.get("created_at") or "")
        versions.append(Version(names, annotation, when, annotation.get("ground_truth") is True))
    return versions


def _names(annotation: dict[str, Any]) -> tuple[str, ...]:
    """Return what the annotator is called: email, number."""
    who = annotation.get("completed_by")
    named = (who.get("email"), who.get("id")) if isinstance(who, dict) else (who,)
    return tuple(str(name) for name in named if isinstance(name, (str, int)) and str(name)) or (NOBODY,)


def _last_prediction(task: dict[str, Any], article_id: str, context: Context) -> dict[str, Any] | None:
    """Return the prediction that counts for want of an annotation; exports may hold mere numbers of predictions, which say nothing."""
    predictions = task.get("predictions")
    whole = [item for item in predictions if isinstance(item, dict)] if isinstance(predictions, list) else []
    for other in whole[:-1]:
        context.lose(Loss(article_id, "other predictions", str(other.get("model_version"))))
    if whole and whole[-1].get("model_version", MODEL) != MODEL:
        context.lose(Loss(article_id, "names of models", str(whole[-1]["model_version"])))
    return whole[-1] if whole else None


def _lose_rest(task: dict[str, Any], article_id: str, context: Context, has_annotation: bool) -> None:
    """Report what a task holds beside its data, the annotation and what Label Studio keeps for itself."""
    for key, what in (("predictions", "predictions beside annotations"), ("drafts", "drafts"), ("meta", "notes on tasks")):
        value = task.get(key)
        if value and (key != "predictions" or has_annotation):
            for item in value if isinstance(value, list) else [value]:
                context.lose(Loss(article_id, what, str(item.get("model_version", key) if isinstance(item, dict) else item)))
