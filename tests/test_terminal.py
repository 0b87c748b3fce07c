import numpy as np
import pytest
from factories import LABELS

from sitrep.scoring import Counts, summary
from sitrep.terminal import (
    WIDTH,
    comparison_legend,
    comparison_table,
    console,
    count_table,
    difference_table,
    metrics_table,
    percent,
    points,
    say,
    track,
)


def make_strict(**counts):
    """Return the scores of label -> (tp, fp, fn) in each of 30 articles, without intervals."""
    values = np.repeat(np.array([list(counts.values())]), 30, axis=0)
    return summary(Counts(tuple(counts), tuple(map(str, range(30))), values))


STRICT = make_strict(**dict.fromkeys(LABELS, (3, 1, 2)), DATE=(0, 0, 0))
BETTER = make_strict(**dict.fromkeys(LABELS, (5, 0, 0)), DATE=(0, 0, 0))


def make_metrics(strict=STRICT, **more):
    return {"strict": strict, "n_articles": 30, **more}


def make_comparison(*runs, labels=(*LABELS, "DATE")):
    """Return a comparison of one group a run."""
    groups = []
    for index, strict in enumerate(runs):
        rows = {
            **{label: strict["per_label"][label] for label in labels},
            **{name: strict[name] for name in ("micro", "macro", "weighted")},
        }
        f1 = {name: {"mean": row["f1"], "sd": None, "interval": row["f1_interval"]} for name, row in rows.items()}
        groups.append({"letter": chr(65 + index), "f1": f1, "runs": [{}]})
    support = {label: runs[0]["per_label"][label]["support"] for label in labels}
    return {"name": "test", "n_articles": 30, "labels": list(labels), "support": support, "groups": groups}


@pytest.fixture
def printed(capsys):
    """Return a function that prints a table and gives its rows as lists of cells, after checking its width."""

    def show(table):
        console().print(table)
        lines = capsys.readouterr().out.splitlines()
        assert max(map(len, lines)) <= WIDTH == 100
        return [[cell.strip() for cell in line.strip("│┃").replace("┃", "│").split("│")] for line in lines if line[:1] in ("│", "┃")]

    return show


def test_metrics_table_shows_every_label_micro_and_macro(printed):
    rows = printed(metrics_table(make_metrics(), "ner on dev"))
    assert rows == [
        ["label", "precision", "recall", "F1", "95 %", "support"],
        *([label, "75.0", "60.0", "66.7", "66.7-66.7", "150"] for label in LABELS),
        ["DATE", "n/a", "n/a", "n/a", "", "0?"],
        ["micro", "75.0", "60.0", "66.7", "66.7-66.7", "450"],
        ["macro", "75.0", "60.0", "66.7", "66.7-66.7", ""],
        ["weighted", "75.0", "60.0", "66.7", "66.7-66.7", ""],
    ]


@pytest.mark.parametrize(("hits", "n_articles", "marked"), [(1, 19, True), (1, 20, False), (5, 9, True), (2, 10, False)])
def test_labels_of_few_mentions_or_articles_are_marked(capsys, hits, n_articles, marked):
    values = np.zeros((30, 1, 3), dtype=int)
    values[:n_articles, 0, 0] = hits
    strict = summary(Counts(("DATE",), tuple(map(str, range(30))), values), intervals=True)
    console().print(metrics_table(make_metrics(strict), "ner on dev"))
    printed = capsys.readouterr().out
    assert (f"{hits * n_articles}?" in printed, "too few to tell" in printed) == (marked, marked)


def test_metrics_table_of_classes(printed):
    measures = {"example_f1": None, "example_f1_interval": None, "subset_accuracy": 0.5, "subset_accuracy_interval": [0.3, 0.7]}
    ranked = {"micro": {"value": 0.61, "interval": [0.5, 0.72]}}
    rows = printed(metrics_table(make_metrics(**measures, average_precision=ranked), "topics on dev"))
    assert rows[-3:] == [
        ["example F1", "", "", "n/a", "", "30"],
        ["all labels right", "", "", "50.0", "30.0-70.0", "30"],
        ["average precision", "", "", "61.0", "50.0-72.0", ""],
    ]


def test_comparison_shows_f1_with_intervals(printed):
    rows = printed(comparison_table(make_comparison(STRICT, BETTER)))
    assert rows[0] == ["label", "A", "B", "support"]
    assert rows[1] == ["PERSON", "66.7 66.7-66.7", "100.0 100.0-100.0", "150"]
    assert rows[4] == ["DATE", "n/a", "n/a", "0"]
    assert rows[-3] == ["micro", "66.7 66.7-66.7", "100.0 100.0-100.0", "450"]
    assert rows[-1][0] == "weighted"


def test_difference_shows_interval_and_both_p(capsys):
    row = {"value": -0.0123, "interval": [-0.03, 0.002], "p": 0.0004, "p_holm": 0.0012}
    undefined = {"value": None, "interval": None, "p": None, "p_holm": None}
    difference = {"a": "A", "b": "C", "rows": {"PERSON": row, "DATE": undefined, "micro": {**row, "p": 0.25, "p_holm": None}}}
    console().print(difference_table({}, {**difference, "config": {"model.head": ["crf", "span"]}, "n_fixed": 3, "n_broken": 0.6}))
    printed = capsys.readouterr().out
    assert [[cell.strip() for cell in line.split("│")[1:-1]] for line in printed.splitlines() if line.startswith("│")] == [
        ["PERSON", "-1.2", "-3.0 to +0.2", "<0.001", "0.001"],
        ["DATE", "n/a", "", "", ""],
        ["micro", "-1.2", "-3.0 to +0.2", "0.250", ""],
    ]
    assert "F1 of C minus F1 of A" in printed and "C mends 3 mistakes of A and makes 1 that A does not" in printed
    assert "differences (A | C): model.head: crf | span" in printed


@pytest.mark.parametrize(("value", "shown"), [(None, "n/a"), (0.0, "+0.0"), (-0.1, "-10.0"), (0.00049, "+0.0")])
def test_points(value, shown):
    assert points(value) == shown


def test_legend_lists_the_runs_behind_each_letter():
    runs = [{"path": f"models/x/{seed}", "seed": seed, "seconds": 61.4} for seed in (1, 2)]
    cost = {"seconds": 61.4, "n_parameters": 22_000_000.0, "articles_per_second": 7.6}
    unknown = dict.fromkeys(cost)
    groups = [
        {"letter": "A", "runs": runs, "repeats": None, "f1": {"micro": {"mean": 0.5, "sd": 0.01}}, "cost": cost},
        {"letter": "B", "runs": runs[:1], "repeats": "A", "f1": {"micro": {"mean": 0.5, "sd": None}}, "cost": unknown},
    ]
    assert list(comparison_legend({"groups": groups})) == [
        "A  models/x/1  (seed 1, 61 s)",
        "   models/x/2  (seed 2, 61 s)",
        "   micro F1 50.0 ± 1.0 over seeds, 22,000,000 parameters, reads 7.6 articles/s",
        "B  models/x/1  (seed 1, 61 s)",
        "   (config and seed are those of a run in A: kept apart)",
    ]


def test_a_run_whose_seconds_are_not_known_is_listed():
    group = {"letter": "A", "repeats": None, "runs": [{"path": "models/x/1", "seed": 1, "seconds": None}]}
    group |= {"f1": {"micro": {"mean": 0.5, "sd": None}}, "cost": dict.fromkeys(("seconds", "n_parameters", "articles_per_second"))}
    assert list(comparison_legend({"groups": [group]})) == ["A  models/x/1  (seed 1, n/a)"]


@pytest.mark.parametrize(("n_runs", "n_columns", "n_rows"), [(2, 4, 8), (3, 5, 8), (4, 4, 5), (60, 4, 61)])
def test_comparison_of_many_fits(printed, n_runs, n_columns, n_rows):
    rows = printed(comparison_table(make_comparison(*[STRICT] * n_runs)))
    assert (len(rows), {len(row) for row in rows}) == (n_rows, {n_columns})


@pytest.mark.parametrize("label", ["A_LABEL_OF_MANY_PARTS_" * 8, "words " * 40, "标签" * 60])
def test_long_labels_and_titles_fit(printed, label):
    strict = make_strict(**{label: (41152, 1, 1)})
    printed(metrics_table(make_metrics(strict), "title " * 40))
    printed(comparison_table(make_comparison(*[strict] * 3, labels=[label])))


def test_counts_are_grouped_by_thousands(printed):
    assert printed(count_table("data", "", ["train", "all"], [("mentions", [1234, 10256])])) == [
        ["", "train", "all"],
        ["mentions", "1,234", "10,256"],
    ]


def test_names_are_printed_as_they_are(capsys):
    console().print(count_table("data/[old] :bomb:", "", ["n"], [("[red]x[/red]", [1]), ("[/y]", [2])]))
    printed = capsys.readouterr().out
    assert all(name in printed for name in ("data/[old] :bomb:", "[red]x[/red]", "[/y]"))


@pytest.mark.parametrize(("value", "shown"), [(None, "n/a"), (0.0, "0.0"), (1, "100.0"), (0.66666, "66.7")])
def test_percent(value, shown):
    assert percent(value) == shown


def test_lines_are_not_wrapped(capsys):
    path = "models/" + "x" * 200
    say(path)
    assert capsys.readouterr().out == f"{path}\n"


def test_tracking_passes_everything_on_and_keeps_standard_output_clean(capsys):
    assert list(track(iter(range(5)), "reading", total=5)) == [0, 1, 2, 3, 4]
    assert capsys.readouterr().out == ""
