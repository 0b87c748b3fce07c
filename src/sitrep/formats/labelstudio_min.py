"""Label Studio's export JSON-MIN, turned back into tasks as the full export has them; it is only read.

    {"id": 7, "text": "In Gao.", "label": [{"start": 3, "end": 6, "text": "Gao", "labels": ["LOCATION"]}], "topics": "bombing",
     "annotator": 1, "annotation_id": 9, "created_at": "...", "updated_at": "...", "lead_time": 3.2}

An entry is one annotation: the fields of the task, what was labelled under the names of the labelling config, and who did it. `id` is the
task's number, which replaced an `id` of the data. A single choice is a mere string, as other fields are: it counts as a choice where
another entry of the file has several; otherwise it stays a field, where it is found by name all the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sitrep.articles import Source
from sitrep.formats.labelstudio_results import REGIONS

ABOUT = ("annotator", "annotation_id", "created_at", "updated_at", "lead_time", "agreement")  # of an annotation, beside what it says
OTHERS = (
    "rectanglelabels", "ellipselabels", "polygonlabels", "keypointlabels", "brushlabels", "videolabels", "timeserieslabels",
    "paragraphlabels", "taxonomy", "rating", "number", "datetime",
)  # fmt: skip

Entry = tuple[Source, Any]


def is_entry(value: Any) -> bool:
    """Say whether this is an entry of JSON-MIN."""
    return isinstance(value, dict) and "data" not in value and ("annotation_id" in value or "annotator" in value)


def tasks_of(entries: Sequence[Entry]) -> Iterator[Entry]:
    """Yield the tasks, each with all its annotations, in the order in which their first entries stand; what is no entry, as it is."""
    fields = {key for _, entry in entries if is_entry(entry) for key, value in entry.items() if _has_choices(value)}
    tasks: dict[Any, Entry] = {}
    for place, (source, entry) in enumerate(entries):
        if not is_entry(entry):
            tasks["no entry", place] = (source, entry)
            continue
        data, annotation = _split(entry, fields)
        number = entry.get("id")
        _, task = tasks.setdefault(("id", number) if isinstance(number, (int, str)) else place, (source, {"id": number, "data": data}))
        task.setdefault("annotations", []).append(annotation)
    yield from tasks.values()


def _split(entry: dict[str, Any], fields: set[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the fields of the task, and the annotation."""
    data: dict[str, Any] = {}
    results: list[dict[str, Any]] = []
    for key, value in entry.items():
        if key in ABOUT or key == "id":
            continue
        found = list(_results(key, value, key in fields))
        results += found
        if not found:
            data[key] = value
    annotation = {"id": entry.get("annotation_id"), "completed_by": entry.get("annotator"), "result": results}
    return data, {**annotation, **{key: entry[key] for key in ("created_at", "updated_at") if key in entry}}


def _results(key: str, value: Any, is_choice: bool) -> Iterator[dict[str, Any]]:
    """Yield the results that a key of an entry stands for, none if it is a field of the task."""
    for item in value if isinstance(value, list) else [value]:
        if isinstance(item, str) and is_choice:
            yield {"type": "choices", "from_name": key, "value": {"choices": [item]}}
        elif isinstance(item, dict):
            kind = next((name for name in ("choices", *REGIONS, *OTHERS) if name in item), None)
            if kind or {"start", "end", "text"} <= item.keys():
                yield {"type": kind or "labels", "from_name": key, "value": item}


def _has_choices(value: Any) -> bool:
    return any(isinstance(item, dict) and "choices" in item for item in (value if isinstance(value, list) else [value]))
