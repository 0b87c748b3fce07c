"""The commands as a user starts them: exit codes, messages, Ctrl-C."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import ROOT, SMALL, own_data

COMMANDS = ("train", "evaluate", "predict", "compare", "annotate")


def line(command: str, *arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / f"{command}.py"), *arguments]


def run(command: str, *arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(line(command, *arguments), cwd=cwd, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_lists_the_options_and_runs_nothing(command, tmp_path):
    done = run(command, "--help", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert {"train": "trainer:", "annotate": "action:"}.get(command, "run") in done.stdout
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("command", "arguments", "message"),
    [
        ("train", ["data=own", "data.path=nowhere", "data.labels.entities=[A]"], "nowhere: no such file"),
        ("evaluate", ["run=nowhere"], "run=nowhere: no run there"),
        ("predict", ["run=latest", "input=x", "output=y.jsonl"], "no finished run"),
        ("compare", ["runs=[a,b]"], "run=a: no run there"),
        ("annotate", ["data.path=nowhere"], "nowhere: no such file"),
        ("predict", ["input=x", "output=y.jsonl"], "run= is missing"),
        ("train", ["trainer.epoch=3"], "did you mean 'trainer.epochs'"),
        ("train", ["seed=-1"], "seed=-1 must lie between 0 and"),
    ],
)
def test_bad_input_ends_with_a_message_and_no_traceback(command, arguments, message, tmp_path):
    done = run(command, *arguments, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ") and message in done.stderr and "Traceback" not in done.stderr
    assert done.stdout == ""
    assert [path.name for path in tmp_path.rglob("*")] in ([], ["models"])


def test_a_folder_that_is_not_ours_is_never_removed(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    bad = ["data=own", "data.path=nowhere", "data.labels.entities=[A]"]
    for folder in ("mine", "."):
        done = run("train", *bad, f"hydra.run.dir={folder}", cwd=tmp_path)
        assert done.returncode == 1 and "Traceback" not in done.stderr
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"


def test_the_commands_one_after_the_other_in_folders_of_any_name(corpus, tmp_path):
    home = tmp_path / "é, [1] = 'a'"
    data = shutil.copytree(corpus, home / "data ${x} \\{2}")
    for seed in (1, 2):
        assert run("train", *own_data(data), "model=lookup", f"seed={seed}", cwd=home).returncode == 0
    done = run("evaluate", "run=latest", cwd=home)
    assert done.returncode == 0, done.stderr
    one, other = (path.relative_to(home) for path in sorted(home.glob("models/*/*")))
    assert run("evaluate", f"run={one}", cwd=home).returncode == 0
    done = run("compare", f"runs=[{one},{other}]", cwd=home)
    assert done.returncode == 0 and f"A  {one}" in done.stdout
    done = run("predict", "run=latest", f"input={data}", "output=out, [1] ${x}.jsonl", "backend=torch", cwd=home)
    assert done.returncode == 0, done.stderr
    assert len((home / "out, [1] ${x}.jsonl").read_text().splitlines()) == 20
    done = run("annotate", "action=counts", *own_data(data), cwd=home)
    assert done.returncode == 0 and "topics=bombing" in done.stdout
    assert sorted(path.name for path in home.iterdir()) == sorted([data.name, "models", "out, [1] ${x}.jsonl"])


def test_standard_input_is_read(lookup_run, tmp_path):
    command = line("predict", f"run={lookup_run.path}", "input=-", "output=out.jsonl", "text_field=the text (full)")
    given = '{"the text (full)": "Envoys met in Gao.", "id": "é"}\n{}\n'
    done = subprocess.run(command, cwd=tmp_path, input=given.encode(), capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    (row,) = map(json.loads, (tmp_path / "out.jsonl").read_text(encoding="utf-8").splitlines())
    assert (row["id"], row["text"]) == ("é", "Envoys met in Gao.")
    rejected = json.loads((tmp_path / "out.jsonl.rejected.jsonl").read_text())
    assert (rejected["file"], rejected["line"]) == ("<stdin>", 2)


@pytest.mark.slow
def test_seeds_of_one_sweep_share_a_column(corpus, encoder, tmp_path):
    arguments = [*own_data(corpus), "model=hub", f"model.path={encoder}", *SMALL, "trainer.epochs=1"]
    done = run("train", "-m", "seed=1,2", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    folders = sorted(
        (path.parent.relative_to(tmp_path) for path in tmp_path.glob("models/own-ner-hub/*/run.json")), key=lambda f: f.name[-1]
    )
    assert [re.fullmatch(r"\d{8}-\d{6}-(s\d-\d)", folder.name)[1] for folder in folders] == ["s1-0", "s2-1"]
    done = run("compare", "runs=models/own-ner-hub/*", "name=dev", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"A  {folders[0]}  (seed 1, ") and lines[1].startswith(f"   {folders[1]}  (seed 2, ")
    assert " ± " in lines[2] and "over seeds" in lines[2] and lines[3].startswith("strict F1 on 'dev'")


@pytest.mark.slow
def test_a_task_of_ones_own_is_one_yaml(corpus, encoder, tmp_path):
    folder = tmp_path / "own" / "task"
    folder.mkdir(parents=True)
    (folder / "attack.yaml").write_text(
        "defaults:\n  - override /trainer@_global_.trainer: classification\n\n"
        "name: attack\nkind: binary\nfield: attack\nlabels: [attack]\n"
        "windows: {max_tokens: 48, overlap: 8}\npooling: max\nthresholds: dev\n"
    )
    arguments = [*own_data(corpus), "model=hub", f"model.path={encoder}", "device=cpu", "trainer.epochs=1", "task=attack"]
    done = run("train", "--config-dir", str(tmp_path / "own"), *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (metrics,) = tmp_path.glob("models/own-attack-hub/*/metrics/dev.json")
    assert list(json.loads(metrics.read_text())["strict"]["per_label"]) == ["attack"]


def interrupt(command: str, *arguments: str, cwd: Path, when: str) -> tuple[int, str]:
    """Start a command, send it Ctrl-C as soon as it writes a line that holds `when`, and return its exit code and messages."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pipes = {"stderr": subprocess.PIPE, "stdout": subprocess.DEVNULL, "text": True}
    with subprocess.Popen(line(command, *arguments), cwd=cwd, env=environment, **pipes) as process:
        seen = []
        for text in process.stderr:
            seen.append(text)
            if when in text:
                process.send_signal(signal.SIGINT)
                break
        else:
            pytest.fail(f"{command} never wrote {when!r}: {''.join(seen)}")
        _, rest = process.communicate(timeout=120)
    return process.returncode, rest


def test_training_can_be_interrupted(corpus, encoder, tmp_path):
    arguments = [*own_data(corpus), "model=hub", f"model.path={encoder}", *SMALL, "trainer.epochs=10000"]
    code, message = interrupt("train", *arguments, cwd=tmp_path, when="epoch 2")
    assert code == 130
    assert "interrupted: go on with: python train.py resume=models/own-ner-hub/" in message and "Traceback" not in message
    (info,) = tmp_path.glob("models/*/*/run.json")
    assert json.loads(info.read_text())["status"] == "running"
    assert "not finished" in run("evaluate", f"run={info.parent}", cwd=tmp_path).stderr


def test_prediction_can_be_interrupted_and_goes_on(ner_run, tmp_path):
    texts = tmp_path / "in"
    texts.mkdir()
    for number in range(150):
        (texts / f"{number:03}.txt").write_text("Envoys met Amina Sow in Quetta on Monday. " * 5)
    (texts / "picture.png").write_bytes(b"")  # makes the command say that it has begun
    arguments = [f"run={ner_run.path}", f"input={texts}", "output=out.jsonl", "device=cpu", "backend=torch"]
    code, message = interrupt("predict", *arguments, cwd=tmp_path, when="unknown ending")
    assert code == 130
    assert "interrupted: the same command goes on where it stopped" in message and "Traceback" not in message
    assert not (tmp_path / "out.jsonl").exists()
    done = run("predict", *arguments, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == 150
    assert {path.name for path in tmp_path.iterdir()} == {"in", "out.jsonl"}
