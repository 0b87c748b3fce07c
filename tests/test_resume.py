"""Trainings that were killed and go on: real processes, and weights that are those of an undisturbed training to the bit."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from factories import refused
from tiny import ROOT, SMALL, compose, own_data

from sitrep import jobs
from sitrep.finding import open_unfinished
from sitrep.runs import Run
from sitrep.training import ArticleTrainer

RATES = ("trainer.learning_rate=1e-2", "trainer.head_learning_rate=1e-2")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}


@pytest.fixture
def arguments(corpus, encoder) -> list[str]:
    return [*own_data(corpus), "model=hub", f"model.path={encoder}", *SMALL, *RATES, "trainer.epochs=6"]


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "train.py"), *arguments]


def finish(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    done = subprocess.run(command(*arguments), cwd=cwd, env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    return done


def kill_after(line: str, *arguments: str, cwd: Path) -> None:
    """Start a training and kill it without warning as soon as it writes `line`."""
    with subprocess.Popen(
        command(*arguments), cwd=cwd, env=ENVIRONMENT, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    ) as it:
        for text in it.stderr:
            if line in text:
                it.send_signal(signal.SIGKILL)
                break
        else:
            pytest.fail(f"the training never wrote {line!r}")


def only_run(home: Path) -> Run:
    (path,) = home.glob("models/*/*")
    return Run(path)


def history(run: Run) -> list[dict]:
    return [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]


def outcome(run: Run) -> dict:
    """Return all that must be the same: weights, history without seconds, scores, predictions."""
    return {
        "weights": [(run.checkpoint_path / name).read_bytes() for name in ("model.safetensors", "head.safetensors")],
        "history": [{**row, "seconds": 0} for row in history(run)],
        "scores": run.metrics("dev")["strict"],
        "predictions": (run.path / "predictions" / "dev.jsonl").read_text(),
        "files": sorted(path.name for path in run.path.iterdir()),
    }


@pytest.mark.parametrize("taught", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_killed_training_ends_with_the_weights_of_an_undisturbed_one(arguments, ner_run, tmp_path, taught):
    arguments += [f"distil_from={ner_run.path}", f"model.init_from={ner_run.path}", "model.layers=[1]"] if taught else []
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for home in (whole, killed):
        home.mkdir()
    finish(*arguments, cwd=whole)
    kill_after("epoch 3", *arguments, cwd=killed)
    run = only_run(killed)
    assert run.info()["status"] == "running" and not run.checkpoint_path.exists()
    done = finish(f"resume={run.path.relative_to(killed)}", "trainer.epochs=6", cwd=killed)
    assert "going on from" in done.stderr and f"run: {run.path.relative_to(killed)}" in done.stdout
    assert outcome(run) == outcome(only_run(whole))
    assert [set(leg) for leg in run.info()["resumed"]] == [{"started", "commit", "dirty", "versions"}]
    assert "going on from" in (run.path / "train.log").read_text()


def test_what_a_resume_refuses(arguments, corpus_copy, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    arguments = [argument if not argument.startswith("data.path=") else f"data.path={corpus_copy}" for argument in arguments]
    kill_after("epoch 1", *arguments, cwd=home)
    run = only_run(home)

    def refusal(*more: str) -> str:
        done = subprocess.run(command(f"resume={run.path}", *more), cwd=home, env=ENVIRONMENT, capture_output=True, text=True, check=False)
        assert done.returncode == 1 and "Traceback" not in done.stderr
        return done.stderr

    assert "trainer.epochs=9 (was 6)" in refusal("trainer.epochs=9")
    with run.lock():
        assert "another process is writing to this run" in refusal()
    (corpus_copy / "art-00.md").write_text((corpus_copy / "art-00.md").read_text() + "One more line.\n")
    assert "have changed since it began; train anew" in refusal()


def test_runs_that_cannot_be_resumed(ner_run, tmp_path):
    with refused("no run began there"):
        open_unfinished(str(tmp_path))
    with refused("the run has finished", "evaluate.py"):
        open_unfinished(str(ner_run.path))


def test_a_state_that_was_cut_off_is_not_gone_on_from(tmp_path):
    run = Run(tmp_path)
    for step, state in ((4, '{"global_step": 4}'), (8, '{"global_step": 8}'), (12, '{"global'), (16, None)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        for name in ("model.safetensors", "optimizer.pt", "scheduler.pt"):
            (folder / name).write_bytes(b"x")
        if state:
            (folder / "trainer_state.json").write_text(state)
    assert run.last_state() == tmp_path / "checkpoint-8"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint-4", "checkpoint-8"]
    assert Run(tmp_path / "nothing").last_state() is None
    (tmp_path / "checkpoint-8" / "model.safetensors").unlink()  # a removal that was cut off
    assert run.last_state() == tmp_path / "checkpoint-4"


def test_the_history_is_cut_where_the_training_goes_on(tmp_path):
    run = Run(tmp_path)
    for step in (4, 8, 12):
        run.append_history({"step": step})
    with (tmp_path / "history.jsonl").open("a") as history:
        history.write('{"step": 4, "half')
    run.cut_history(8)
    assert (tmp_path / "history.jsonl").read_text() == '{"step": 4}\n{"step": 8}\n'


def test_a_line_that_was_cut_off_does_not_count_as_time(tmp_path):
    run = Run(tmp_path)
    assert run.seconds_so_far() == 0
    run.append_history({"step": 4, "seconds": 7.5})
    with (tmp_path / "history.jsonl").open("a") as history:
        history.write('{"step": 8, "seco')
    assert run.seconds_so_far() == 7.5


def test_patience_counts_on_after_a_kill(arguments, tmp_path):
    """With rates of nearly zero the first epoch stays the best: two more, and training ends, killed in between or not."""
    still = ("trainer.learning_rate=1e-9", "trainer.head_learning_rate=1e-9", "trainer.patience=3", "trainer.epochs=9")
    kill_after("epoch 3", *arguments, *still, cwd=tmp_path)
    run = only_run(tmp_path)
    assert jobs.resume(run) == 0
    assert len((run.path / "history.jsonl").read_text().splitlines()) == 4


@pytest.mark.parametrize("patience", [None, 2])
def test_a_moved_run_that_has_learnt_all_epochs_ends_with_the_best(patience, arguments, tmp_path, monkeypatch):
    config = compose("train", *arguments, f"trainer.patience={patience or 'null'}", "trainer.learning_rate=3e-1")
    assert jobs.train(config, tmp_path / "whole") == 0
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(ArticleTrainer, "_load_best_model", interrupt)
        jobs.train(config, tmp_path / "killed")
    (tmp_path / "killed").rename(tmp_path / "moved")
    whole, moved = Run(tmp_path / "whole"), Run(tmp_path / "moved")
    rows = history(moved)
    assert jobs.resume(moved) == 0
    assert outcome(moved) == outcome(whole)
    assert history(moved) == rows and len(rows) == (patience + 1 if patience else config.trainer.epochs)
    assert rows[0]["micro_f1"] == max(row["micro_f1"] for row in rows)  # none is good at such a rate, so the first is the best


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.slow
def test_seconds_go_on_where_they_were(arguments, tmp_path):
    kill_after("epoch 3", *arguments, cwd=tmp_path)
    run = only_run(tmp_path)
    finish(f"resume={run.path}", cwd=tmp_path)
    seconds = [row["seconds"] for row in history(run)]
    assert seconds == sorted(seconds) and run.info()["seconds"] >= seconds[-1]


@pytest.mark.slow
def test_kills_at_random_moments(arguments, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    for home in (whole, killed):
        home.mkdir()
    began = time.monotonic()
    finish(*arguments, cwd=whole)
    usual = time.monotonic() - began
    draw = random.Random(1)
    kill_after("epoch 1", *arguments, cwd=killed)
    run = only_run(killed)
    n_killed = 0
    for _ in range(8):
        try:
            subprocess.run(
                command(f"resume={run.path}"),
                cwd=killed,
                env=ENVIRONMENT,
                capture_output=True,
                check=False,
                timeout=draw.uniform(0.4, 1) * usual,
            )
        except subprocess.TimeoutExpired:  # which kills it
            n_killed += 1
        if run.info()["status"] == "finished":
            break
    if run.info()["status"] != "finished":
        finish(f"resume={run.path}", cwd=killed)
    assert n_killed
    assert outcome(run) == outcome(only_run(whole))
