"""What a person sees in a terminal: tables of at most 100 columns, and a progress bar for long work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from sitrep.scoring import MIN_ARTICLES, MIN_SUPPORT

WIDTH = 100
MAX_COLUMNS = 5  # groups of runs beside each other that fit into WIDTH

RARE = "?"
RARE_NOTE = f"{RARE} fewer than {MIN_SUPPORT}, or in fewer than {MIN_ARTICLES} articles: too few to tell"

Item = TypeVar("Item")


def console() -> Console:
    """Return a console on standard output that never writes wider than WIDTH."""
    plain = Console()
    return Console(width=min(plain.width, WIDTH) if plain.is_terminal else WIDTH, highlight=False, markup=False, emoji=False)


def say(text: str) -> None:
    """Print a line as it is, unwrapped, so that paths in it can be copied."""
    print(text, flush=True)


def track(items: Iterable[Item], description: str, total: int | None = None) -> Iterator[Item]:
    """Yield `items` with a progress bar on standard error, where that is a terminal."""
    columns = (TextColumn(description), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, disable=not Console(stderr=True).is_terminal) as progress:
        yield from progress.track(items, total=total, description=description)


def percent(value: float | None) -> str:
    """Return a ratio times 100 with one decimal, or `n/a` where it is undefined."""
    return "n/a" if value is None else f"{100 * value:.1f}"


def metrics_table(metrics: dict[str, Any], title: str) -> Group:
    """Return precision, recall, F1 with its interval, and support per label, then the averages; what is too rare to tell is marked."""
    table = _table("label", ["precision", "recall", "F1", "95 %", "support"])
    strict = metrics["strict"]
    for label, counts in strict["per_label"].items():
        table.add_row(label, *_ratios(counts), f"{counts['support']}{RARE if counts['too_few'] else ' '}")
    table.add_section()
    table.add_row("micro", *_ratios(strict["micro"]), f"{strict['micro']['support']} ")
    for average in ("macro", "weighted"):
        table.add_row(average, *_ratios(strict[average]), "")
    if "example_f1" in metrics:
        for name, shown in (("example_f1", "example F1"), ("subset_accuracy", "all labels right")):
            table.add_row(shown, "", "", percent(metrics[name]), bounds(metrics[f"{name}_interval"]), f"{metrics['n_articles']} ")
    if ranked := metrics.get("average_precision"):
        table.add_row("average precision", "", "", percent(ranked["micro"]["value"]), bounds(ranked["micro"]["interval"]), "")
    notes = [Text(RARE_NOTE)] if any(counts["too_few"] for counts in strict["per_label"].values()) else []
    return Group(*_titled(title, table).renderables, *notes)


def bounds(interval: Sequence[float] | None) -> str:
    """Return an interval in percent, `81.2-88.9`, or nothing where there is none."""
    return "" if interval is None else "-".join(percent(end) for end in interval)


def comparison_legend(comparison: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that say which runs stand behind each letter."""
    for group in comparison["groups"]:
        heading = group["letter"]
        for run in group["runs"]:
            yield f"{heading}  {run['path']}  (seed {run['seed']}, {run['seconds']:.0f} s)"
            heading = " " * len(heading)
        if group["repeats"]:
            yield f"{heading}  (config and seed are those of a run in {group['repeats']}: kept apart)"


def comparison_table(comparison: dict[str, Any]) -> Group:
    """Return F1 per label with a column a group of runs, or, where they would not fit, micro and macro with a row a group."""
    groups = comparison["groups"]
    title = f"strict F1 on {comparison['name']!r} ({comparison['n_articles']} articles)"
    averages = [name for name in groups[0]["f1"] if name not in comparison["labels"]]
    if any(len(group["runs"]) > 1 for group in groups):
        title += ", mean ± standard deviation over seeds"
    if len(groups) > MAX_COLUMNS:
        table = _table("runs", averages)
        for group in groups:
            table.add_row(group["letter"], *(mean_and_deviation(group["f1"][name]) for name in averages))
        return _titled(title, table)
    table = _table("label", [*(group["letter"] for group in groups), *(["B - A"] if len(groups) == 2 else []), "support"])
    for label in comparison["labels"]:
        table.add_row(label, *_f1_cells(groups, label), str(comparison["support"][label]))
    table.add_section()
    for name in averages:
        table.add_row(name, *_f1_cells(groups, name), str(sum(comparison["support"].values())) if name == "micro" else "")
    return _titled(title, table)


def count_table(title: str, first: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[int]]]) -> Group:
    """Return a table of whole numbers."""
    table = _table(first, columns)
    for name, numbers in rows:
        table.add_row(name, *(f"{number:,}" for number in numbers))
    return _titled(title, table)


def _table(first: str, columns: Sequence[str]) -> Table:
    table = Table()
    table.add_column(first)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _titled(title: str, table: Table) -> Group:
    return Group(Text(title, style="bold"), table)  # a Table's own title would be wrapped to the table's width


def _ratios(counts: dict[str, Any]) -> list[str]:
    return [*(percent(counts[ratio]) for ratio in ("precision", "recall", "f1")), bounds(counts["f1_interval"])]


def _f1_cells(groups: Sequence[dict[str, Any]], name: str) -> list[str]:
    shown = [mean_and_deviation(group["f1"][name]) for group in groups]
    if len(groups) == 2:
        first, second = (group["f1"][name]["mean"] for group in groups)
        shown.append("n/a" if None in (first, second) else f"{100 * (second - first):+.1f}")
    return shown


def mean_and_deviation(value: dict[str, float | None]) -> str:
    """Return a mean with its deviation where there is one: `83.2 ± 0.4`, in percent."""
    return percent(value["mean"]) + (f" ± {100 * value['sd']:.1f}" if value["sd"] is not None else "")
