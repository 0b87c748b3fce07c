"""What one annotation or prediction of Label Studio says, its list of `result`, as mentions and class labels.

    {"from_name": "label", "type": "labels", "value": {"start": 3, "end": 6, "text": "Gao", "labels": ["LOCATION"]}, "score": 0.9}
    {"from_name": "topics", "type": "choices", "value": {"choices": ["bombing"]}}

A region has a mention per label. Offsets are half-open code points; old versions of Label Studio (1.3 and before, to our knowledge) counted
UTF-16 units, which `settle` tells by `text`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sitrep.articles import Source, Span
from sitrep.formats.faults import Loss, Mark
from sitrep.formats.files import Context, RowError
from sitrep.formats.marks import check_scores, spans_of
from sitrep.formats.units import settle

REGIONS = ("labels", "hypertextlabels")  # types of results: on texts and on pages


@dataclass
class Results:
    """What was read of one list of results.

    in_units: its offsets were UTF-16 units
    """

    spans: tuple[Span, ...] = ()
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)
    in_units: bool = False


def read_results(raw: Any, article_id: str, text: str, source: Source, context: Context, *, is_prediction: bool = False) -> Results:
    """Return the mentions and class labels of one list of results; what an article cannot hold goes to `context.lose`.

    is_prediction: read scores too, which in annotations are left over from the prediction that was corrected
    """
    if not isinstance(raw, list) or not all(isinstance(item, dict) for item in raw):
        raise RowError(source, f"'result' must be an array of objects, found {str(raw)[:80]}")
    reading = _Reading(article_id, source, context)
    marks: list[Mark] = []
    for item in raw:
        score = reading.score(item) if is_prediction else None
        if item.get("type") in REGIONS and isinstance(item.get("value"), dict):
            marks += reading.marks(item["value"], item["type"], score)
        elif is_choice(item):
            reading.choose(item, score)
        else:
            reading.lose_result(item)
    check_scores(reading.scores, article_id, source)
    settled, in_units = settle(marks, text)
    return Results(spans_of(settled, article_id, text, context), reading.labels, reading.scores, in_units)


def is_choice(item: Any) -> bool:
    """Say whether a result chooses classes for the whole text; a choice for one region states the region's offsets as well."""
    value = item.get("value") if isinstance(item, dict) and item.get("type") == "choices" else None
    return isinstance(value, dict) and "start" not in value and isinstance(item.get("from_name"), str)


@dataclass
class _Reading:
    """Where a list of results stands, and the classes read so far."""

    article_id: str
    source: Source
    context: Context
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)
    scores: dict[str, dict[str, float]] = field(default_factory=dict)

    def lose(self, what: str, detail: str) -> None:
        self.context.lose(Loss(self.article_id, what, detail))

    def score(self, item: dict[str, Any]) -> float | None:
        score = item.get("score")
        if isinstance(score, bool) or not isinstance(score, (int, float, type(None))):
            raise RowError(self.source, f"'score' of a result must be a number, found {score!r}")
        return score

    def marks(self, value: dict[str, Any], kind: str, score: float | None) -> Iterator[Mark]:
        """Yield a mark for each label of a region."""
        offsets = value
        if isinstance(value.get("start"), str) and isinstance(value.get("globalOffsets"), dict):
            offsets = value["globalOffsets"]  # of a page, whose `start` is the path to a node
        start, end, surface = offsets.get("start"), offsets.get("end"), value.get("text")
        said = f"[{start}, {end}) {surface!r}"
        if isinstance(start, str):
            self.lose("regions of pages that state no offsets of characters", said)
            return
        if type(start) is not int or type(end) is not int:
            raise RowError(self.source, f"'start' and 'end' of a region must be whole numbers, found {said}")
        labels = value.get(kind) or value.get("labels") or []
        if not isinstance(labels, list) or not all(isinstance(label, str) and label for label in labels):
            raise RowError(self.source, f"{kind!r} of the region {said} must be an array of labels, found {labels!r}")
        if not labels:
            self.lose("regions without a label", said)
        for label in labels:
            yield Mark(start, end, label, surface if isinstance(surface, str) else None, self.source, score)

    def choose(self, item: dict[str, Any], score: float | None) -> None:
        """Take in the classes that a result chooses."""
        name, choices = item["from_name"], item["value"].get("choices")
        choices = [choices] if isinstance(choices, str) else choices
        if not isinstance(choices, list) or not all(isinstance(choice, (str, list)) for choice in choices):
            raise RowError(self.source, f"'choices' of {name!r} must be an array of labels, found {choices!r}")
        for choice in choices:
            if isinstance(choice, list):
                self.lose("choices within choices", f"{name}: {choice}")
        labels = tuple(choice for choice in choices if isinstance(choice, str))
        self.labels[name] = self.labels.get(name, ()) + labels
        if score is not None and len(labels) == 1:
            self.scores.setdefault(name, {})[labels[0]] = score
        elif score is not None:
            self.lose("scores of several choices together", f"{name}: {score}")

    def lose_result(self, item: dict[str, Any]) -> None:
        """Report a result that is no mention and no class."""
        if item.get("type") == "relation":
            self.lose("relations", f"{item.get('labels') or ''} {item.get('from_id')} -> {item.get('to_id')}".strip())
        elif item.get("type") == "choices":
            self.lose("choices for one region", str(item.get("from_name")))
        else:
            self.lose(f"results of type {item.get('type')}", str(item.get("from_name")))
