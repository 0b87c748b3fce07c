import json
from pathlib import Path

import pytest
from factories import make_article, make_run, refused, train_options

from sitrep.config import TrainConfig, load
from sitrep.runs import Run, describe_task, read_json, replacing, write_json


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The working folder, whose models/ is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_run_holds_its_config_and_provenance():
    run = make_run(Path("models/a/1"))
    info = run.info()
    assert (info["schema_version"], info["status"]) == (1, "running")
    assert {"started", "commit", "dirty", "versions"} <= info.keys()
    assert {"python", "torch", "transformers"} <= info["versions"].keys()
    assert run.config() == load(TrainConfig, train_options())
    run.finish(seconds=1.5)
    assert run.info() == {**info, "seconds": 1.5, "status": "finished"}
    assert [path.name for path in run.path.iterdir()] == ["run.json"]


def test_two_runs_cannot_begin_in_one_folder():
    run = make_run(Path("models/a/1"))
    with refused("models/a/1: already holds a run", "another folder"):
        run.begin(run.config(), "0" * 64)


def test_a_run_is_held_by_one_writer():
    run = make_run(Path("models/a/1"))
    with run.lock(), refused("models/a/1: another process is writing to this run"), Run(run.path).lock():
        pass
    with run.lock():
        pass


def test_evaluation_is_written_and_read_back_and_replaced():
    run = make_run(Path("models/a/1"))
    gold, pred = [make_article("1", "In [Gao](LOCATION).")], [make_article("1", "In Gao.")]
    for n_articles in (2, 1):
        run.save_evaluation({"name": "dev", "n_articles": n_articles}, gold, pred, [{"id": "1", "kind": "missed"}] * n_articles)
    assert run.metrics("dev") == {"schema_version": 2, "name": "dev", "n_articles": 1}
    assert (run.path / "errors/dev.jsonl").read_text() == '{"id": "1", "kind": "missed"}\n'
    assert run.evaluations() == ["dev"]
    assert (run.articles("gold", "dev"), run.articles("predictions", "dev")) == (gold, pred)
    files = [str(path.relative_to(run.path)) for path in sorted(run.path.rglob("*")) if path.is_file()]
    assert files == ["errors/dev.jsonl", "gold/dev.jsonl", "metrics/dev.json", "predictions/dev.jsonl", "run.json"]


@pytest.mark.parametrize(("name", "way_out"), [("test", "run=models/a/1"), ("mine", "run=models/a/1 name=mine articles=...")])
def test_missing_scores_name_the_command_that_makes_them(name, way_out):
    run = make_run(Path("models/a/1"))
    run.save_evaluation({"name": "dev"}, [], [])
    with refused(f"models/a/1: has no scores named {name!r} (there are: dev)", f"python evaluate.py {way_out}"):
        run.metrics(name)


@pytest.mark.parametrize("version", [1, 3, None])
def test_scores_of_another_version_are_refused(version):
    run = make_run(Path("models/a/1"))
    run.save_evaluation({"name": "dev"}, [], [])
    write_json(run.metrics_path("dev"), {"schema_version": version, "name": "dev"})
    with refused("models/a/1/metrics/dev.json", f"schema_version {version}, here 2", "python evaluate.py run=models/a/1 split=dev"):
        run.metrics("dev")


def test_surfaces_are_kept():
    run = make_run(Path("models/a/1"))
    assert run.surfaces() is None
    run.save_surfaces(["gao", "kidal"])
    assert run.surfaces() == ["gao", "kidal"]


def test_damaged_scores_are_refused():
    run = make_run(Path("models/a/1"))
    run.save_evaluation({"name": "dev"}, [], [])
    run.metrics_path("dev").write_text('{"name": "dev"')
    with refused("models/a/1/metrics/dev.json:1: not JSON"):
        run.metrics("dev")


def test_history_grows_by_a_line():
    run = make_run(Path("models/a/1"))
    for epoch in (1, 2):
        run.append_history({"epoch": epoch})
    assert [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()] == [{"epoch": 1}, {"epoch": 2}]


def test_json_round_trip(home):
    value = {"é": [1, 0.1, None, True, "🚁\u2028"]}
    write_json(home / "x.json", value)
    assert read_json(home / "x.json") == value


def test_a_failed_write_leaves_the_old_file_and_nothing_else(home):
    write_json(home / "x.json", 1)
    with pytest.raises(TypeError):
        write_json(home / "x.json", object())
    with pytest.raises(ZeroDivisionError), replacing(home / "x.json") as temporary:
        temporary.write_text("half")
        _ = 1 / 0
    assert read_json(home / "x.json") == 1
    assert [path.name for path in home.iterdir()] == ["x.json"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, "named entities"),
        (
            {
                "task__kind": "multi-label",
                "task__field": "topics",
                "task__thresholds": "fixed",
                "task__pooling": "mean",
                "model__kind": "encoder",
                "model__path": "x",
            },
            "topics (multi-label)",
        ),
    ],
)
def test_describe_task(changes, words):
    assert describe_task(load(TrainConfig, train_options(**changes)).task) == words


def test_metrics_that_are_no_scores_are_refused(tmp_path):
    run = make_run(tmp_path / "run")
    run.metrics_path("test").parent.mkdir()
    run.metrics_path("test").write_text("[]")
    with refused("metrics/test.json: holds no scores", "score again: python evaluate.py"):
        run.metrics("test")
