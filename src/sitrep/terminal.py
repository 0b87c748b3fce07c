"""What a person sees in a terminal: tables of at most 100 columns, and a progress bar for long work."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, TypeVar

from rich.console import Console, Group
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

WIDTH = 100
MAX_COLUMNS = 8  # runs beside each other that fit into WIDTH

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
    """Return precision, recall, F1 and support per label, then micro and macro."""
    table = _table("label", ["precision", "recall", "F1", "support"])
    strict = metrics["strict"]
    for label, counts in strict["per_label"].items():
        table.add_row(label, *_ratios(counts), str(counts["support"]))
    table.add_section()
    table.add_row("micro", *_ratios(strict["micro"]), str(strict["micro"]["support"]))
    table.add_row("macro", *_ratios(strict["macro"]), "")
    if "example_f1" in metrics:
        table.add_row("example F1", "", "", percent(metrics["example_f1"]), "")
        table.add_row("all labels right", "", "", percent(metrics["subset_accuracy"]), str(metrics["n_articles"]))
    return _titled(title, table)


def comparison_table(comparison: dict[str, Any]) -> Group:
    """Return F1 per label with a column a run, or, where they would not fit, micro and macro with a row a run."""
    runs = comparison["runs"]
    title = f"strict F1 on {comparison['name']!r} ({comparison['n_articles']} articles)"
    if len(runs) > MAX_COLUMNS:
        table = _table("run", ["micro P", "micro R", "micro F1", "macro F1"])
        for run in runs:
            table.add_row(run["letter"], *_ratios(run["strict"]["micro"]), percent(run["strict"]["macro"]["f1"]))
        return _titled(title, table)
    difference = len(runs) == 2
    table = _table("label", [*(run["letter"] for run in runs), *(["B - A"] if difference else []), "support"])
    for label in comparison["labels"]:
        cells = [run["strict"]["per_label"][label] for run in runs]
        table.add_row(label, *_f1s(cells, difference), str(cells[0]["support"]))
    table.add_section()
    table.add_row("micro", *_f1s([run["strict"]["micro"] for run in runs], difference), str(runs[0]["strict"]["micro"]["support"]))
    table.add_row("macro", *_f1s([run["strict"]["macro"] for run in runs], difference), "")
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
    return [percent(counts[ratio]) for ratio in ("precision", "recall", "f1")]


def _f1s(cells: Sequence[dict[str, Any]], difference: bool) -> list[str]:
    values = [cell["f1"] for cell in cells]
    shown = [percent(value) for value in values]
    if difference:
        shown.append("n/a" if None in values else f"{100 * (values[1] - values[0]):+.1f}")
    return shown
