"""Coordinates of the drawings; the templates draw them as SVG, each beside or above the same numbers as text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

LEVELS = 9  # shades of a heat table


@dataclass(frozen=True)
class Curve:
    """A line through one measure of each evaluation on dev; points: as SVG has them; dots: x, y and what to say of each."""

    name: str
    points: str
    dots: list[tuple[float, float, str]]
    low: float
    high: float


def curves(history: Sequence[Mapping[str, Any]], width: float, height: float) -> list[Curve]:
    """Return the curves of the measures that each row of history.jsonl has, over `step`, in a box of width x height.

    Shares (F1 and the like) are drawn from the lowest to the highest of them all, every other measure by itself.
    """
    if len(history) < 2:
        return []
    names = [name for name in history[0] if name not in ("epoch", "step", "seconds")]
    whole = {name: [row[name] for row in history] for name in names if all(_is_number(row.get(name)) for row in history)}
    shares = [value for name, values in whole.items() if _is_share(name) for value in values]
    first, last = history[0]["step"], history[-1]["step"]
    made = []
    for name, values in whole.items():
        low, high = (min(shares), max(shares)) if _is_share(name) else (min(values), max(values))
        dots = [
            (round(width * (row["step"] - first) / ((last - first) or 1), 1), round(height * (1 - (value - low) / ((high - low) or 1)), 1))
            for row, value in zip(history, values, strict=True)
        ]
        shown = [(x, y, f"epoch {row['epoch']:g}: {value:.4g}") for (x, y), row, value in zip(dots, history, values, strict=True)]
        made.append(Curve(name, " ".join(f"{x},{y}" for x, y in dots), shown, low, high))
    return made


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def _is_share(name: str) -> bool:
    return name.endswith("_f1") or name == "average_precision"


def heat(counts: Sequence[Sequence[int]]) -> list[list[int]]:
    """Return a shade, 0 (nothing) to LEVELS, for each count: its share of the row, so that rare labels are seen too."""
    return [[-(-LEVELS * count // sum(row)) if count else 0 for count in row] for row in counts]


def reach(rows: Mapping[str, Mapping[str, Any]]) -> float:
    """Return how far from 0 the axis of differences must go, at least 0.01."""
    ends = [abs(end) for row in rows.values() for end in (row["value"], *(row["interval"] or ())) if end is not None]
    return max([0.01, *ends])
