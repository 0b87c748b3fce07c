"""One training in two real processes: one run folder, written by one of them, and scores like those of one process."""

import json
import os
import subprocess
import sys

import pytest
from tiny import ROOT, SMALL, own_data

from sitrep.processes import is_writer, n_processes, share
from sitrep.runs import Run

RATES = ("trainer.learning_rate=2e-2", "trainer.head_learning_rate=2e-2", "trainer.epochs=10")
TORCHRUN = ("-m", "torch.distributed.run", "--nproc-per-node=2", "--master-port=0", "--rdzv-backend=c10d", "--rdzv-endpoint=localhost:0")
ACCELERATE = (
    "-m",
    "accelerate.commands.launch",
    "--cpu",
    "--num_processes=2",
    "--num_machines=1",
    "--mixed_precision=no",
    "--main_process_port=0",
)


def test_one_process_is_the_writer_and_shares_with_nobody(monkeypatch):
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    assert (n_processes(), is_writer(), share("x")) == (1, True, "x")


def launch(launcher: tuple[str, ...], *arguments: str, cwd) -> Run:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    command = [sys.executable, *launcher, str(ROOT / "train.py"), *arguments]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    (path,) = cwd.glob("models/*/*")
    assert done.stdout.count(f"run: {path.relative_to(cwd)}") == 1
    return Run(path)


@pytest.mark.parametrize("launcher", [TORCHRUN, pytest.param(ACCELERATE, marks=pytest.mark.slow)], ids=["torchrun", "accelerate"])
def test_two_processes_train_one_model(launcher, train, encoder, corpus_copy, tmp_path):
    arguments = [*own_data(corpus_copy), "model=hub", f"model.path={encoder}", *SMALL, *RATES]
    run = launch(launcher, *arguments, cwd=tmp_path)
    assert run.info()["status"] == "finished"
    files = {path.name for path in run.path.iterdir()}
    assert files == {
        ".hydra",
        ".lock",
        "train.log",
        "run.json",
        "history.jsonl",
        "checkpoint",
        "metrics",
        "gold",
        "predictions",
        "errors",
        "surfaces.json",
        "report.html",
        "calibration.json",
    }
    history = [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]
    assert [row["epoch"] for row in history] == list(range(1, 11))
    one = train(tmp_path / "one", *RATES)
    assert 0.7 < history[-1]["step"] / _n_updates(one) < 1.4  # half the budget each, so about as many updates
    scores = [each.metrics("dev")["strict"]["micro"]["f1"] for each in (run, one)]
    assert min(scores) > 0.75 and abs(scores[0] - scores[1]) < 0.15


def _n_updates(run: Run) -> int:
    return json.loads((run.path / "history.jsonl").read_text().splitlines()[-1])["step"]
