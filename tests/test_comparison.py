import statistics

import pytest
from factories import LABELS, make_article, make_run, refused

from sitrep.articles import fingerprint
from sitrep.comparison import compare_runs
from sitrep.formats import jsonl
from sitrep.scoring import score

GOLD = [make_article("1", "[Amina](PERSON) in [Gao](LOCATION).")]
GOOD, BAD = GOLD, [make_article("1", "[Amina](PERSON) in Gao.")]


def members(groups):
    return [[row["path"].rpartition("/")[2] for row in group["runs"]] for group in groups]


@pytest.fixture
def scored_run(tmp_path):
    """Return a function that makes a finished run, scored on `gold`."""

    def make(name, pred=GOOD, gold=GOLD, **changes):
        run = make_run(tmp_path / name, **changes)
        facts = {"name": "test", "n_articles": len(gold), "data_sha256": fingerprint(gold), "seconds": 0.5}
        run.save_evaluation({**facts, **score(gold, pred, run.config().task)}, gold, pred)
        run.finish(seconds=2.0, n_parameters=7)
        return run

    return make


def test_scores_stand_beside_each_other_in_the_order_given(scored_run):
    runs = [scored_run("b", BAD), scored_run("a")]
    comparison = compare_runs(runs, "test")
    assert {key: comparison[key] for key in ("name", "task", "labels", "n_articles")} == {
        "name": "test", "task": "ner", "labels": list(LABELS), "n_articles": 1,
    }  # fmt: skip
    rows = [(group["letter"], group["runs"], group["f1"]["micro"]) for group in comparison["groups"]]
    assert rows == [
        ("A", [{"path": str(runs[0].path), "seed": 1, "seconds": 2.0}], {"mean": pytest.approx(2 / 3), "sd": None, "interval": None}),
        ("B", [{"path": str(runs[1].path), "seed": 1, "seconds": 2.0}], {"mean": 1.0, "sd": None, "interval": None}),
    ]  # one article has no interval
    assert comparison["groups"][0]["cost"] == {"seconds": 2.0, "n_parameters": 7, "articles_per_second": 2.0}
    assert comparison["support"] == {"PERSON": 1, "LOCATION": 1, "ARMED_GROUP": 0}


def test_runs_that_differ_only_by_seed_stand_together(scored_run):
    runs = [
        scored_run("1", BAD, seed=1), scored_run("other", model__name="other", seed=2), scored_run("2", GOOD, seed=2),
        scored_run("again", GOOD, seed=1), scored_run("3", GOOD, seed=3),
    ]  # fmt: skip
    groups = compare_runs(runs, "test")["groups"]
    assert members(groups) == [["1", "2", "3"], ["other"], ["again"]]
    assert [row["seed"] for row in groups[0]["runs"]] == [1, 2, 3]
    assert [(group["letter"], group["repeats"]) for group in groups] == [("A", None), ("B", None), ("C", "A")]
    f1s = [2 / 3, 1, 1]
    expected = {"mean": pytest.approx(statistics.fmean(f1s)), "sd": pytest.approx(statistics.stdev(f1s)), "interval": None}
    assert groups[0]["f1"]["micro"] == expected
    assert groups[0]["f1"]["LOCATION"]["mean"] == pytest.approx(2 / 3)
    assert groups[0]["f1"]["ARMED_GROUP"] == {"mean": None, "sd": None, "interval": None}


@pytest.mark.parametrize(
    "facts",
    [
        {"commit": "f" * 40},
        {"data_sha256": "f" * 64},
        {"resumed": [{"commit": "f" * 40}]},
        {"dirty": "another"},
        {"versions": {"torch": "0.1"}},
        {"resumed": [{"versions": {"torch": "0.1"}}]},
    ],
)
def test_runs_of_another_code_or_data_stand_apart(scored_run, facts):
    runs = [scored_run(str(seed), seed=seed) for seed in (1, 2, 3)]
    runs[1].finish(**facts)
    comparison = compare_runs(runs, "test")
    assert members(comparison["groups"]) == [["1", "3"], ["2"]]
    assert [group["repeats"] for group in comparison["groups"]] == [None, None]
    (difference,) = comparison["differences"]
    expected = {"versions": ["versions.torch"], "resumed": []}.get(*facts, [*facts])
    assert set(expected) <= difference["config"].keys()


@pytest.mark.parametrize("is_dirty", [True, False])
def test_seeds_of_uncommitted_code_are_averaged_with_a_warning(scored_run, tmp_path, caplog, is_dirty):
    runs = [scored_run(str(seed), seed=seed) for seed in (1, 2)] + [scored_run("b", model__name="b")]
    for run in runs:
        run.finish(dirty=is_dirty)
    assert members(compare_runs(runs, "test")["groups"]) == [["1", "2"], ["b"]]
    said = f"belong to no commit, perhaps not the same ones: {tmp_path / '1'}, {tmp_path / '2'}; commit and train anew"
    assert (said in caplog.text) is is_dirty


TOPICS = {
    "model__kind": "encoder", "model__path": "x", "task__kind": "multi-label", "task__field": "topics",
    "task__labels": ["bombing", "arrest"], "task__thresholds": "fixed", "task__pooling": "mean",
}  # fmt: skip


def topical(*labels):
    """Return an article for each of the sets of topics."""
    return [make_article(str(number), labels={"topics": tuple(names)}) for number, names in enumerate(labels)]


def test_class_fields_are_compared_by_example_f1_too(scored_run):
    gold = topical(["bombing"], ["arrest"], [], ["bombing", "arrest"])
    poor, fair, good = topical([], ["arrest"], [], ["bombing"]), topical(["bombing"], [], [], ["bombing"]), gold
    runs = [scored_run("1", poor, gold, **TOPICS), scored_run("2", fair, gold, seed=2, **TOPICS)]
    comparison = compare_runs([*runs, scored_run("b", good, gold, model__name="b", **TOPICS)], "test")
    a, b = (group["f1"]["example F1"] for group in comparison["groups"])
    assert a["mean"] == pytest.approx((0 + 1 + 2 / 3) / 3) and b["mean"] == 1.0  # the third article is empty on both sides
    low, high = a["interval"]
    assert 0 <= low <= a["mean"] <= high <= 1
    (difference,) = comparison["differences"]
    row = difference["rows"]["example F1"]
    assert row["value"] == pytest.approx(1 - a["mean"]) and row["interval"][1] == pytest.approx(1 - low) and 0 < row["p"] < 1
    assert (difference["a"], difference["b"], difference["config"]) == ("A", "B", {"model.name": ["lookup", "b"]})
    assert [(row["id"], row["kind"], row["label"], row["a"]) for row in difference["fixed"]] == [
        ("0", "missed", "bombing", 0.5), ("1", "missed", "arrest", 0.5), ("3", "missed", "arrest", 1.0),
    ]  # fmt: skip


def mentions(*marked):
    return [make_article(str(number), text) for number, text in enumerate(marked)]


def test_differences_are_those_of_f1_and_p_values_are_corrected(scored_run):
    gold = mentions(*["[Amina](PERSON) met [Sow](PERSON) in [Gao](LOCATION)."] * 12)
    worse = mentions(*["[Amina](PERSON) met Sow in [Gao](LOCATION)."] * 10, *["[Amina](PERSON) met [Sow](PERSON) in Gao."] * 2)
    comparison = compare_runs([scored_run("a", worse, gold), scored_run("b", gold, gold, model__name="b")], "test")
    (difference,) = comparison["differences"]
    f1s = [group["f1"] for group in comparison["groups"]]
    for name, row in difference["rows"].items():
        if name == "ARMED_GROUP":
            assert row == {"value": None, "interval": None, "p": None, "p_holm": None}
            continue
        assert row["value"] == pytest.approx(f1s[1][name]["mean"] - f1s[0][name]["mean"])
        assert row["interval"][0] <= row["value"] <= row["interval"][1]
    person, location = difference["rows"]["PERSON"], difference["rows"]["LOCATION"]
    assert person["p"] < 0.01 < location["p"]
    assert (person["p_holm"], location["p_holm"]) == (2 * person["p"], max(2 * person["p"], location["p"]))
    assert difference["rows"]["micro"]["p_holm"] is None
    assert [(row["id"], row["text"]) for row in difference["fixed"]] == [
        *((str(n), "Sow") for n in range(10)),
        ("10", "Gao"),
        ("11", "Gao"),
    ]
    assert (difference["n_fixed"], difference["n_broken"]) == (12, 0)
    assert difference["fixed"][0] == {
        "a": 1.0, "b": 0.0,
        "id": "0", "kind": "missed", "label": "PERSON", "start": 10, "end": 13, "text": "Sow", "before": "Amina met ", "after": " in Gao.",
    }  # fmt: skip
    assert difference["broken"] == []


def test_every_later_group_is_held_against_the_first(scored_run):
    runs = [scored_run("a"), scored_run("b", BAD, model__name="b"), scored_run("c", model__name="c")]
    differences = compare_runs(runs, "test")["differences"]
    assert [(row["a"], row["b"], len(row["fixed"]), len(row["broken"])) for row in differences] == [("A", "B", 0, 1), ("A", "C", 0, 0)]


def test_predictions_that_do_not_fit_the_gold_are_refused(scored_run, tmp_path):
    runs = [scored_run("a"), scored_run("b")]
    jsonl.write([make_article("2", "Rain.")], runs[1].path / "predictions/test.jsonl")
    with refused(f"{tmp_path / 'b'}/predictions/test.jsonl", "missing in the prediction: 1"):
        compare_runs(runs, "test")
    jsonl.write([make_article("1", "Rain.")], runs[0].path / "gold/test.jsonl")
    with refused(f"{tmp_path / 'a'}/gold/test.jsonl", "not what the scores were made with"):
        compare_runs(runs, "test")


def test_runs_after_z_are_numbered(scored_run):
    letters = [row["letter"] for row in compare_runs([scored_run("a")] * 28, "test")["groups"]]
    assert letters[24:] == ["Y", "Z", "#27", "#28"]


@pytest.mark.parametrize("n", [0, 1])
def test_one_run_is_no_comparison(scored_run, n):
    with refused(f"runs: {n} given", "two or more", "runs=[A,B]"):
        compare_runs([scored_run("a")] * n, "test")


def test_run_without_the_scores_is_named(scored_run, tmp_path):
    with refused(f"{tmp_path / 'a'}: has no scores named 'dev' (there are: test)", "python evaluate.py"):
        compare_runs([scored_run("a"), scored_run("b")], "dev")


@pytest.mark.parametrize(
    ("changes", "what", "values"),
    [
        ({"task__labels": [*LABELS, "DATE"]}, "labels", ["PERSON, LOCATION, ARMED_GROUP, DATE"]),
        ({"gold": [make_article("1", "Amina in [Gao](LOCATION).")]}, "data of 'test'", []),
    ],
)
def test_what_differs_cannot_be_compared(scored_run, tmp_path, changes, what, values):
    with refused(f"{tmp_path / 'b'} and {tmp_path / 'a'} cannot be compared, their {what} differ", *values, "same articles"):
        compare_runs([scored_run("a"), scored_run("b", **{"pred": BAD, **changes})], "test")


def test_runs_of_different_tasks_cannot_be_compared(scored_run):
    article = make_article("1", labels={"topics": ("bombing",)})
    with refused("their task differ", "topics (multi-label)", "named entities"):
        compare_runs([scored_run("a"), scored_run("b", [article], [article], **TOPICS)], "test")
