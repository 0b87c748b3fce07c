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
MAX_COLUMNS = 3  # groups of runs beside each other that fit into WIDTH

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
        name = "average precision" + (", mean of folds" if "folds" in metrics else "")
        table.add_row(name, "", "", percent(ranked["micro"]["value"]), bounds(ranked["micro"]["interval"]), "")
    notes = [Text(RARE_NOTE)] if any(counts["too_few"] for counts in strict["per_label"].values()) else []
    return Group(*_titled(title, table).renderables, *notes)


def bounds(interval: Sequence[float] | None) -> str:
    """Return an interval in percent, `81.2-88.9`, or nothing where there is none."""
    return "" if interval is None else "-".join(percent(end) for end in interval)


def comparison_legend(comparison: dict[str, Any]) -> Iterator[str]:
    """Yield the lines that say which runs stand behind each letter, and what they cost."""
    for group in comparison["groups"]:
        heading = group["letter"]
        for run in group["runs"]:
            seconds = "n/a" if run["seconds"] is None else f"{run['seconds']:.0f} s"
            yield f"{heading}  {run['path']}  (seed {run['seed']}, {seconds})"
            heading = " " * len(heading)
        if group["repeats"]:
            yield f"{heading}  (config and seed are those of a run in {group['repeats']}: kept apart)"
        micro, cost = group["f1"]["micro"], group["cost"]
        facts = [f"micro F1 {mean_and_deviation(micro)} over seeds"] if micro["sd"] is not None else []
        facts += [f"{cost['n_parameters']:,.0f} parameters"] if cost["n_parameters"] else []
        facts += [f"reads {cost['articles_per_second']:.1f} articles/s"] if cost["articles_per_second"] else []
        if facts:
            yield f"{heading}  {', '.join(facts)}"


def comparison_table(comparison: dict[str, Any]) -> Group:
    """Return F1 and its interval per label, a column a group of runs, or, where they would not fit, micro and macro with a row a group."""
    groups = comparison["groups"]
    title = f"strict F1 on {comparison['name']!r} ({comparison['n_articles']} articles)"
    averages = [name for name in groups[0]["f1"] if name not in comparison["labels"]]
    if any(len(group["runs"]) > 1 for group in groups):
        title += ", mean over seeds"
    if len(groups) > MAX_COLUMNS:
        table = _table("runs", averages)
        for group in groups:
            table.add_row(group["letter"], *(_f1_cell(group["f1"][name]) for name in averages))
        return _titled(title, table)
    table = _table("label", [*(group["letter"] for group in groups), "support"])
    for label in comparison["labels"]:
        table.add_row(label, *(_f1_cell(group["f1"][label]) for group in groups), str(comparison["support"][label]))
    table.add_section()
    for name in averages:
        support = str(sum(comparison["support"].values())) if name == "micro" else ""
        table.add_row(name, *(_f1_cell(group["f1"][name]) for group in groups), support)
    return _titled(title, table)


def difference_table(comparison: dict[str, Any], difference: dict[str, Any]) -> Group:
    """Return how far a group of runs lies from the first, in points of F1, and how likely chance alone makes as much of it."""
    a, b = difference["a"], difference["b"]
    table = _table("label", [f"{b} - {a}", "95 %", "p", "p (Holm)"])
    for name, row in difference["rows"].items():
        if name == "micro":
            table.add_section()
        table.add_row(name, points(row["value"]), " to ".join(map(points, row["interval"] or ())), _p(row["p"]), _p(row["p_holm"]))
    changed = ", ".join(f"{key}: {old} | {new}" for key, (old, new) in difference["config"].items())
    return Group(
        *_titled(f"F1 of {b} minus F1 of {a}, in points", table).renderables,
        Text(f"{b} mends {difference['n_fixed']:.0f} mistakes of {a} and makes {difference['n_broken']:.0f} that {a} does not"),
        Text(f"differences ({a} | {b}): {changed}" if changed else f"{a} and {b} have the same config, code and data"),
    )


def points(value: float | None) -> str:
    """Return a difference of ratios times 100, signed."""
    return "n/a" if value is None else f"{100 * value:+.1f}"


def _p(value: float | None) -> str:
    return "" if value is None else "<0.001" if value < 0.001 else f"{value:.3f}"


def count_table(title: str, first: str, columns: Sequence[str], rows: Iterable[tuple[str, Sequence[int]]]) -> Group:
    """Return a table of whole numbers."""
    table = _table(first, columns)
    for name, numbers in rows:
        table.add_row(name, *(f"{number:,}" for number in numbers))
    return _titled(title, table)


def findings_table(rows: Iterable[tuple[str, str, int, int, str, str]]) -> Table:
    """Return a table of (rule, severity, cases, articles, where the first is, what it says); of the last two what fits on a line."""
    cells = [(rule, severity, f"{n:,}", f"{m:,}" if m else "", where, " ".join(said.split())) for rule, severity, n, m, where, said in rows]
    names = ("rule", "severity", "count", "articles")
    table = Table()
    for index, name in enumerate(names):
        table.add_column(name, justify="left" if index < 2 else "right", no_wrap=True)
    room = console().width - sum(max(map(len, (name, *(row[index] for row in cells)))) + 3 for index, name in enumerate(names)) - 4
    table.add_column("first example", no_wrap=True)
    for *row, where, said in cells:
        place = where if len(where) <= room else f"…{where[1 - room :]}"
        table.add_row(*row, f"{place}\n{said if len(said) <= room else f'{said[: room - 1]}…'}")
    return table


def agreement_table(measured: dict[str, Any]) -> Group:
    """Return F1 and kappa per label and for all, then the kappa of each class field."""
    strict, partial = (measured["f1"].get(name) for name in ("strict", "partial"))
    words = measured["kappa"]
    table = _table("label", ["F1 strict", "95 %", "F1 partial", "kappa", "a", "b"])
    for label in measured["labels"]:
        row = strict["per_label"][label]
        counts = [f"{measured['n_mentions'][side].get(label, 0):,}" for side in ("a", "b")]
        f1s = [percent(row["f1"]), bounds(row["f1_interval"]), percent(partial["per_label"][label]["f1"])]
        table.add_row(label, *f1s, _kappa(words["per_label"][label]), *counts)
    if strict:
        table.add_section()
        totals = [f"{sum(measured['n_mentions'][side].values()):,}" for side in ("a", "b")]
        micro = [percent(strict["micro"]["f1"]), bounds(strict["micro"]["f1_interval"]), percent(partial["micro"]["f1"])]
        table.add_row("all", *micro, _kappa(words["words"]), *totals)
        table.add_row("of marked words", "", "", "", _kappa(words["marked_words"]), "", "")
    for name, of in measured["fields"].items():
        table.add_section()
        table.add_row(f"{name} (equal in {of['n_equal']} of {of['n_articles']})", "", "", "", _kappa(of["kappa"]), "", "")
    return _titled(f"{measured['n_articles']:,} articles, {words['n_words']:,} words", table)


def _kappa(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.3f}"


def loss_table(title: str, rows: Iterable[tuple[str, int, str]]) -> Group:
    """Return a table of what was lost: kind, how often, and the first of it."""
    table = Table()
    table.add_column("what")
    table.add_column("n", justify="right")
    table.add_column("first", overflow="fold")
    for what, n, first in rows:
        table.add_row(what, f"{n:,}", first)
    return _titled(title, table)


def text_table(title: str, columns: Sequence[str], rows: Iterable[Iterable[str]]) -> Group:
    """Return a table of words, the last column the widest; what does not fit is wrapped."""
    table = Table()
    for column in columns[:-1]:
        table.add_column(column, overflow="fold")
    table.add_column(columns[-1], overflow="fold", ratio=1)
    for row in rows:
        table.add_row(*row)
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


def _f1_cell(value: dict[str, Any]) -> str:
    return f"{percent(value['mean'])} {bounds(value['interval'])}".rstrip()


def mean_and_deviation(value: dict[str, float | None]) -> str:
    """Return a mean with its deviation where there is one: `83.2 ± 0.4`, in percent."""
    return percent(value["mean"]) + (f" ± {100 * value['sd']:.1f}" if value["sd"] is not None else "")
