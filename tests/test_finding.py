"""Which run a reference names."""

from pathlib import Path

import pytest
from factories import make_run, refused

from sitrep.finding import finished_runs, open_run, open_unfinished
from sitrep.runs import Run


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """The working folder, whose models/ is empty."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def finished_run(name, started="2024-01-01T00:00:00+0000", **changes):
    run = make_run(Path("models", name), **changes)
    run.finish(started=started)
    return run


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
