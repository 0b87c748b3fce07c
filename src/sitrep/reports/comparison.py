"""`comparison.html`: which of several runs is better, by how much, how sure that is, and which mentions make the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from sitrep.config import NER
from sitrep.reports.charts import reach
from sitrep.reports.pages import share_out, show, write_page

MAX_MENTIONS = 6000  # on one page; some 300 bytes each
LEVEL = 0.05
KINDS = ("missed", "spurious")
CHANGES = ("fixed", "broken")


def write_comparison_report(comparison: Mapping[str, Any], path: Path) -> Path:
    """Write the page of what `sitrep.comparison` returns to `path`, which is returned.

    Of the mentions that were fixed or broken at most MAX_MENTIONS are shown, shared out among pairs of groups, fixed and broken.
    """
    differences = comparison["differences"]
    shares = iter(share_out([len(entry[change]) for entry in differences for change in CHANGES], MAX_MENTIONS))
    n_most = [{change: next(shares) for change in CHANGES} for _ in differences]
    by_letter = {group["letter"]: group for group in comparison["groups"]}
    labels = list(comparison["labels"])
    return write_page(
        path,
        "comparison.html",
        title=f"{comparison['task']} on {comparison['name']}",
        comparison=comparison,
        labels=labels,
        is_ner=comparison["kind"] == NER,
        kinds=KINDS,
        changes=CHANGES,
        row_names=list(comparison["groups"][0]["f1"]),
        sections=[_section(f"d{index}", entry, by_letter, labels, n_most[index]) for index, entry in enumerate(differences)],
    )


def _section(
    key: str, difference: Mapping[str, Any], groups: Mapping[str, Any], labels: Sequence[str], n_most: Mapping[str, int]
) -> dict[str, Any]:
    """Return what the template needs of two groups: the rows, the axis, and the mentions with what the filters look for."""
    rows = {
        name: {**row, "of_a": groups[difference["a"]]["f1"][name], "of_b": groups[difference["b"]]["f1"][name], "is_sure": _is_sure(row)}
        for name, row in difference["rows"].items()
    }
    return {
        "key": key,
        "a": difference["a"],
        "b": difference["b"],
        "rows": rows,
        "axis": reach(rows),
        "config": [(name, show(of_a), show(of_b)) for name, (of_a, of_b) in difference["config"].items()],
        "n_fixed": difference["n_fixed"],
        "n_broken": difference["n_broken"],
        "many_seeds": any(len(groups[difference[side]]["runs"]) > 1 for side in ("a", "b")),
        "n_mentions": {change: len(difference[change]) for change in CHANGES},
        "mentions": [_mention(mention, change, labels) for change in CHANGES for mention in difference[change][: n_most[change]]],
    }


def _is_sure(row: Mapping[str, Any]) -> bool:
    """Say whether the difference is significant: by the corrected p-value, where there is one."""
    p = row["p"] if row["p_holm"] is None else row["p_holm"]
    return p is not None and p < LEVEL


def _mention(mention: Mapping[str, Any], change: str, labels: Sequence[str]) -> dict[str, Any]:
    key = f"{labels.index(mention['label'])}.{KINDS.index(mention['kind'])}.{CHANGES.index(change)}"
    return {**mention, "change": change, "key": key}
