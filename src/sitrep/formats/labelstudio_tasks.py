"""Tasks for Label Studio to import, and the labelling config that fits them.

What people labelled becomes an annotation, what a model did a prediction, each mention with its score; the prediction's own score is the
lowest of these, so that tasks sorted by it begin with what the model knows least. An article that nobody labelled becomes a task to label.
Offsets are code points, as Label Studio counts, but for old versions.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from sitrep.articles import Article, Span
from sitrep.errors import InputError
from sitrep.formats.faults import Loss
from sitrep.formats.writing import MODEL, Target, is_predicted, json_fields

ENTITIES = "entities"  # among the labels of a data config: the labels of mentions
MENTIONS, TEXT = "label", "text"  # what the labelling config calls the mentions and the text
TAKEN = (ENTITIES, MENTIONS, TEXT)  # no class field can be called so
BESIDE = (".config.xml",)  # what `write` puts beside the file: its name, and this behind it
NO_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def write(articles: Iterable[Article], path: Path, target: Target) -> None:
    """Write `articles` to `path`, a task a line, as a stream, and the labelling config that fits them to `<path>.config.xml`."""
    labels: dict[str, dict[str, None]] = {ENTITIES: {}}  # sets that keep the order
    with path.open("w", encoding="utf-8", newline="\n") as lines:
        lines.write("[")
        for number, article in enumerate(articles):
            spans, fields = list(_spans(article, target)), dict(_fields(article, target))
            for name, values in {ENTITIES: [span.label for span in spans], **fields}.items():
                labels.setdefault(name, {}).update(dict.fromkeys(values))
            task = _task(replace(article, spans=tuple(spans), labels=fields), target)
            lines.write((",\n" if number else "\n") + json.dumps(task, ensure_ascii=False))
        lines.write("\n]\n")
    config = labelling_config({name: list(values) for name, values in labels.items()})
    path.with_name(path.name + BESIDE[0]).write_text(config, encoding="utf-8", newline="\n")


def labelling_config(labels: Mapping[str, Sequence[str]]) -> str:
    """Return the XML to paste into Label Studio under Settings, Labeling Interface, Code, for tasks as `write` writes them.

    labels: as in a data config: `entities` -> the labels of mentions, and each class field -> its labels

    Raises:
        InputError: if a name holds a character that XML cannot.
    """
    lines = ["<View>", f'  <Labels name="{MENTIONS}" toName="{TEXT}">']
    lines += [f"    <Label value={_quoted(label)}/>" for label in labels.get(ENTITIES, ())]
    lines += ["  </Labels>", "  <Style>.htx-text {white-space: pre-wrap}</Style>", f'  <Text name="{TEXT}" value="${TEXT}"/>']
    for name, values in labels.items():
        if name != ENTITIES:
            lines.append(f'  <Choices name={_quoted(name)} toName="{TEXT}" choice="multiple" showInline="true">')
            lines += [f"    <Choice value={_quoted(value)}/>" for value in values]
            lines.append("  </Choices>")
    return "\n".join([*lines, "</View>", ""])


def _quoted(name: str) -> str:
    if match := NO_XML.search(name):
        raise InputError(f"label {name!r}: XML, and so Label Studio's labelling config, cannot hold {match[0]!r}; rename the label")
    return quoteattr(name, {"\r": "&#13;"})


def _spans(article: Article, target: Target) -> Iterator[Span]:
    """Yield the mentions whose labels can stand in the labelling config."""
    for span in article.spans:
        if NO_XML.search(span.label):
            target.lose(Loss(article.id, "mentions whose label holds control characters", f"{span.label!r} [{span.start}, {span.end})"))
        else:
            yield span


def _fields(article: Article, target: Target) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the class fields that can: their names are free, and neither they nor the labels hold control characters."""
    for name, values in article.labels.items():
        if name in TAKEN or NO_XML.search("".join((name, *values))):
            why = "Label Studio uses that name otherwise" if name in TAKEN else "control characters"
            target.lose(Loss(article.id, f"class labels of {name}", f"{', '.join(values)} ({why})"))
        else:
            yield name, values


def _task(article: Article, target: Target) -> dict[str, Any]:
    data = {"id": article.id, "text": article.text, **json_fields(article, target, ("id", "text"))}
    result = [*_regions(article), *_choices(article)]
    for name in article.scores:
        target.lose(Loss(article.id, "class scores", name))
    if not is_predicted(article):
        return {"data": data, "annotations": [{"result": result}]} if result else {"data": data}
    prediction: dict[str, Any] = {"model_version": target.predicted_by or MODEL, "result": result}
    scores = [span.score for span in article.spans if span.score is not None]
    scores += [rated[value] for name, rated in article.scores.items() for value in article.labels.get(name, ()) if value in rated]
    return {"data": data, "predictions": [{**prediction, "score": min(scores)} if scores else prediction]}


def _regions(article: Article) -> Iterator[dict[str, Any]]:
    for number, span in enumerate(article.spans, start=1):
        value = {"start": span.start, "end": span.end, "text": article.surface(span), "labels": [span.label]}
        region = {"id": f"mention-{number}", "from_name": MENTIONS, "to_name": TEXT, "type": "labels", "value": value}
        yield region if span.score is None else {**region, "score": span.score}


def _choices(article: Article) -> Iterator[dict[str, Any]]:
    for number, (name, values) in enumerate(article.labels.items(), start=1):
        value = {"choices": list(values)}
        yield {"id": f"classes-{number}", "from_name": name, "to_name": TEXT, "type": "choices", "value": value}
