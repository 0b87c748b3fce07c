"""What predict.py loses when it is killed, and what memory it takes as the input grows. Real processes.

python benchmarks/predict_resume.py run=RUN [kills=20] [articles=5000] [few=1000] [many=50000] [seed=1] [workers=1] [engine=local]

Kills: a job over `articles` short articles, among which every hundredth row is no JSON, is killed with SIGKILL at random moments,
`kills` times, and started again each time; then it is left to end. Its output and rejects must be those of a job that nothing disturbed,
byte for byte. A moment is drawn from the span that the start and some shards take, so that some kills fall into the start, some
into the work.

Memory: the greatest resident memory of a job over `few` and over `many` short articles, its workers not counted, by a lookup model that is
trained for it on the spot, so that the articles are what grows and not the network.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from sitrep.formats import read_articles
from sitrep.shards import SHARD_ARTICLES

ROOT = Path(__file__).parents[1]
SHORT = 200  # characters
OPTIONS = {"kills": "20", "articles": "5000", "few": "1000", "many": "50000", "seed": "1", "workers": "1", "engine": "local"}
WATCH = """import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True, stdout=2)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"""


def write_input(path: Path, n: int, bad_every: int | None = None) -> int:
    """Write `n` short articles, with rows that are no JSON among them, and return how many rows that are."""
    texts = [article.text[:SHORT] for article in read_articles(ROOT / "data" / "articles")]
    n_rows = 0
    with path.open("w", encoding="utf-8") as lines:
        for number, text in enumerate(islice(cycle(texts), n)):
            if bad_every and number % bad_every == bad_every - 1:
                lines.write("{no JSON}\n")
                n_rows += 1
            lines.write(json.dumps({"id": f"a{number}", "text": text}) + "\n")
            n_rows += 1
    return n_rows


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def measure_kills(options: dict[str, str], folder: Path) -> bool:
    """Print what became of a job that was killed again and again, beside one that was not; return whether it was the same."""

    def command(output: Path) -> list[str]:
        passed = [f"{key}={options[key]}" for key in ("run", "workers", "engine")]
        return [sys.executable, str(ROOT / "predict.py"), f"input={source}", f"output={output}", *passed]

    source, whole, cut = (folder / name for name in ("in.jsonl", "whole.jsonl", "cut.jsonl"))
    n_articles, n_kills = int(options["articles"]), int(options["kills"])
    n_rows = write_input(source, n_articles, bad_every=100)
    began = time.monotonic()
    subprocess.run(command(whole), check=True, capture_output=True)
    seconds = time.monotonic() - began
    moments = np.random.default_rng(int(options["seed"])).uniform(0, max(4.0, seconds * min(1, 6 * SHARD_ARTICLES / n_articles)), n_kills)
    n_killed = 0
    for moment in [*moments, None]:
        job = subprocess.Popen(command(cut), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        try:
            said, _ = job.communicate(timeout=moment)
            break
        except subprocess.TimeoutExpired:
            job.kill()
            job.communicate()
            n_killed += 1
    same = all(digest(folder / f"whole.jsonl{end}") == digest(folder / f"cut.jsonl{end}") for end in ("", ".rejected.jsonl"))
    ids = [json.loads(line)["id"] for line in cut.read_bytes().splitlines()]
    n_rejected = len((folder / "cut.jsonl.rejected.jsonl").read_text(encoding="utf-8").splitlines())
    print(f"undisturbed: {seconds:.1f} s; the last start: {said.splitlines()[0]}")
    print(f"{n_killed} kills: output and rejects {'byte-identical' if same else 'DIFFER'}")
    print(f"{n_rows} rows = {len(ids)} articles ({len(set(ids))} ids) + {n_rejected} rejected")
    return same and len(ids) == len(set(ids)) and len(ids) + n_rejected == n_rows


def measure_memory(options: dict[str, str], folder: Path) -> None:
    """Print the greatest resident memory of a job over few and over many articles."""
    run = folder / "lookup"
    train = [sys.executable, str(ROOT / "train.py"), "model=lookup", f"hydra.run.dir={run}"]
    subprocess.run(train, cwd=ROOT, check=True, capture_output=True)
    megabytes = []
    for name in ("few", "many"):
        source, output = folder / f"{name}.jsonl", folder / f"{name}.out.jsonl"
        write_input(source, int(options[name]))
        passed = [f"{key}={options[key]}" for key in ("workers", "engine")]
        job = [sys.executable, str(ROOT / "predict.py"), f"run={run}", f"input={source}", f"output={output}", *passed]
        done = subprocess.run([sys.executable, "-c", WATCH, *job], check=True, capture_output=True, text=True)
        megabytes.append(int(done.stdout) / 1024)
    few, many = megabytes
    print(f"resident memory: {few:.0f} MB for {options['few']} articles, {many:.0f} MB for {options['many']} ({many - few:+.0f} MB)")


def main(arguments: list[str]) -> None:
    """Run both measurements."""
    options = OPTIONS | dict(argument.split("=", 1) for argument in arguments)
    with tempfile.TemporaryDirectory() as folder:
        if not measure_kills(options, Path(folder)):
            sys.exit(1)
        measure_memory(options, Path(folder))


if __name__ == "__main__":
    main(sys.argv[1:])
