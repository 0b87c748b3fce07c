"""Prediction jobs that were killed and go on: real processes, and the bytes of an undisturbed job."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from tiny import ROOT

from sitrep.shards import SHARD_ARTICLES

ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
N_ARTICLES = 5 * SHARD_ARTICLES + 10
HELD = {1: 2, 2: 4}  # shards to be given, by the number of workers, before the first is written; two workers hold four
TEXT = "Envoy {} of the Red Banner met Paul Okoro in Gao."
ROWS = [json.dumps({"id": str(number), "text": TEXT.format(number)}) + "\n" for number in range(N_ARTICLES)]
ROWS[200] = "{not json}\n"


def start(run, *arguments, cwd):
    command = [sys.executable, str(ROOT / "predict.py"), f"run={run.path}", "input=-", "output=out.jsonl", "backend=torch", "device=cpu"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([*command, *arguments], cwd=cwd, env=ENVIRONMENT, text=True, **pipes)


def finish(run, *arguments, cwd):
    with start(run, *arguments, cwd=cwd) as job:
        said, errors = job.communicate("".join(ROWS), timeout=300)
    assert job.returncode == 0, errors
    return said


def n_whole(folder):
    manifest = folder / "out.jsonl.partial.manifest.jsonl"
    return manifest.read_bytes().count(b"\n") - 1 if manifest.exists() else 0


def wait_for(job, condition):
    """Return when `condition` holds; the job must not end before, nor take for ever."""
    until = time.monotonic() + 300
    while not condition():
        assert job.poll() is None and time.monotonic() < until, job.stderr.read()
        time.sleep(0.02)


@pytest.fixture(scope="module")
def undisturbed(ner_run, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    said = finish(ner_run, "threads=1", cwd=folder)
    assert f"{N_ARTICLES} read: {N_ARTICLES - 1} predicted, 1 rejected" in said
    return folder


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_killed_while_it_waits_for_more_it_ends_with_the_same_bytes(ner_run, undisturbed, tmp_path, workers):
    options = [f"workers={workers}", "threads=1"]
    with start(ner_run, *options, cwd=tmp_path) as job:
        job.stdin.writelines(ROWS[: HELD[workers] * SHARD_ARTICLES + 20])
        job.stdin.flush()
        wait_for(job, lambda: n_whole(tmp_path) > 0)
        job.send_signal(signal.SIGKILL)
        job.stdin.close()
        job.wait(timeout=60)
    n_done = n_whole(tmp_path)
    assert 0 < n_done <= HELD[workers]
    assert not (tmp_path / "out.jsonl").exists()
    said = finish(ner_run, *options, cwd=tmp_path)
    assert f"{N_ARTICLES} read: {N_ARTICLES - 1} predicted" + f" ({n_done * SHARD_ARTICLES} of them before" in said
    for name in ("out.jsonl", "out.jsonl.rejected.jsonl"):
        assert (tmp_path / name).read_bytes() == (undisturbed / name).read_bytes()
    assert {path.name for path in tmp_path.iterdir()} == {"out.jsonl", "out.jsonl.rejected.jsonl"}


def test_a_second_job_on_one_output_is_refused(lookup_run, tmp_path):
    with start(lookup_run, cwd=tmp_path) as first:
        wait_for(first, (tmp_path / "out.jsonl.partial.manifest.jsonl").exists)
        with start(lookup_run, cwd=tmp_path) as second:
            _, errors = second.communicate("", timeout=120)
        assert second.returncode == 1 and "another process is writing it" in errors
        first.communicate("".join(ROWS), timeout=120)
    assert first.returncode == 0
