import statistics

import pytest
from factories import LABELS, make_article, make_run, refused

from sitrep.articles import fingerprint
from sitrep.comparison import compare_runs
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
        strict = score(gold, pred, run.config().task)["strict"]
        run.save_evaluation({"name": "test", "n_articles": len(gold), "data_sha256": fingerprint(gold), "strict": strict}, gold, pred)
        run.finish(seconds=2.0)
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
        ("A", [{"path": str(runs[0].path), "seed": 1, "seconds": 2.0}], {"mean": pytest.approx(2 / 3), "sd": None}),
        ("B", [{"path": str(runs[1].path), "seed": 1, "seconds": 2.0}], {"mean": 1.0, "sd": None}),
    ]
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
    assert groups[0]["f1"]["micro"] == {"mean": pytest.approx(statistics.fmean(f1s)), "sd": pytest.approx(statistics.stdev(f1s))}
    assert groups[0]["f1"]["LOCATION"]["mean"] == pytest.approx(2 / 3)
    assert groups[0]["f1"]["ARMED_GROUP"] == {"mean": None, "sd": None}


@pytest.mark.parametrize("facts", [{"commit": "f" * 40}, {"data_sha256": "f" * 64}, {"resumed": [{"commit": "f" * 40}]}])
def test_runs_of_another_commit_or_data_stand_apart(scored_run, facts):
    runs = [scored_run(str(seed), seed=seed) for seed in (1, 2, 3)]
    runs[1].finish(**facts)
    groups = compare_runs(runs, "test")["groups"]
    assert members(groups) == [["1", "3"], ["2"]]
    assert [group["repeats"] for group in groups] == [None, None]


def test_example_f1_of_classes_has_a_mean(scored_run):
    runs = [scored_run("1"), scored_run("2", seed=2)]
    for run, value in zip(runs, (0.5, 0.7), strict=True):
        run.save_evaluation({**run.metrics("test"), "example_f1": value}, GOLD, GOOD)
    (group,) = compare_runs(runs, "test")["groups"]
    assert group["f1"]["example F1"] == {"mean": pytest.approx(0.6), "sd": pytest.approx(statistics.stdev([0.5, 0.7]))}


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
    encoder = {"model__kind": "encoder", "model__path": "x"}
    topics = {
        "task__kind": "multi-label",
        "task__field": "topics",
        "task__labels": ["bombing"],
        "task__thresholds": "fixed",
        "task__pooling": "mean",
    }
    with refused("their task differ", "topics (multi-label)", "named entities"):
        compare_runs([scored_run("a"), scored_run("b", [article], [article], **encoder, **topics)], "test")
