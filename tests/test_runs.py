import json
from pathlib import Path

import pytest
from factories import make_article, make_run, refused, train_options

from sitrep.config import TrainConfig, load
from sitrep.runs import Run, describe_task, finished_runs, open_run, open_unfinished, read_json, replacing, write_json


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The working folder, whose models/ is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def finished_run(name, started="2024-01-01T00:00:00+0000", **changes):
    run = make_run(Path("models", name), **changes)
    run.finish(started=started)
    return run


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


def test_open_run_by_folder():
    assert open_run(str(finished_run("a/1").path)) == Run(Path("models/a/1"))


def test_missing_run_names_the_nearest():
    finished_run("own-ner-minilm/1")
    with refused("run=models/own-ner-minlm/1: no run there", "did you mean 'models/own-ner-minilm/1'?"):
        open_run("models/own-ner-minlm/1")


def test_unfinished_run_is_refused():
    make_run(Path("models/a/1"))
    with refused("run=models/a/1: the run has not finished (status 'running')", "train.py resume="):
        open_run("models/a/1")


@pytest.mark.parametrize(("content", "line"), [('{"status":\n "finish', 2), ("", 1)])
def test_damaged_run_is_refused(content, line):
    path = finished_run("a/1").path / "run.json"
    path.write_text(content)
    with refused(f"{path}:{line}: not JSON", "damaged or edited by hand"):
        open_run("models/a/1")


def test_latest_is_the_newest_finished_run():
    new = finished_run("a/new", "2024-03-01T00:00:00+0000")
    old = finished_run("b/old", "2024-02-01T00:00:00+0000", task__name="topics")
    make_run(Path("models/c/unfinished"))
    Path("models/c/killed").mkdir()
    Path("models/c/killed/run.json").touch()
    assert finished_runs() == [old, new]
    assert open_run("latest") == open_run("latest:ner") == new
    assert open_run("latest:topics") == old


@pytest.mark.parametrize("status", ["running", "finished"])
def test_a_run_without_a_model_is_taken_for_its_scores_only(status):
    own, other = finished_run("a/1"), Run(Path("models/b/1"))
    other.begin(own.config(), "0" * 64, recipe="benchmarks/x.py")
    other.note(started="2025-01-01T00:00:00+0000", status=status)
    assert finished_runs() == [own] and open_run("latest") == own
    for opened, word in ((open_run, "run"), (open_unfinished, "resume")):
        with refused(f"{word}=models/b/1: was made by benchmarks/x.py", "no model"):
            opened("models/b/1")
    if status == "finished":
        assert open_run("models/b/1", with_model=False) == other


def test_finished_runs_are_listed_oldest_first():
    months = (3, 1, 5, 2, 4, 6)
    runs = {month: finished_run(f"a/{number}", f"2024-0{month}-01T00:00:00+0000") for number, month in enumerate(months)}
    assert finished_runs() == [runs[month] for month in sorted(months)]


@pytest.mark.parametrize(
    ("reference", "problem"),
    [("latest", "run=latest: no finished run below models/"), ("latest:topics", "run=latest:topics: no finished run of task topics")],
)
def test_latest_without_a_run(reference, problem):
    with refused(problem, "train one first"):
        open_run(reference)


def test_a_folder_called_latest_goes_first():
    make_run(Path("latest")).finish()
    finished_run("a/1")
    assert open_run("latest") == Run(Path("latest"))


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
