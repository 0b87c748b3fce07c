"""The tables of scores in docs/results.md: trains each row, scores dev and test, prints Markdown.

python benchmarks/quality.py [ROW ...] [benchmarks_dir=DIR] [reuse=true]

ROW is a name in ROWS, all if none is given. Rows of public data need `benchmarks_dir=`, a folder that holds the folders ROWS names
(docs/train.md says where their files come from); a row whose data is not there is skipped, and a row that fails does not stop the
others. F1 x 100, strict, means and sample standard deviations over the row's seeds. A finished run below models/ of the same
config, seed and articles is not trained again if both it and this checkout are the same commit without changes; `reuse=true` takes
it from any commit, changed or not (a * after the commit in the table says that there were changes).
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import hydra

from sitrep.articles import fingerprint
from sitrep.comparison import mean_and_sd
from sitrep.config import TrainConfig, load
from sitrep.corpus import load_corpus
from sitrep.errors import InputError
from sitrep.finding import finished_runs
from sitrep.provenance import provenance
from sitrep.runs import Run
from sitrep.shell import CONFIGS, quote_path
from sitrep.terminal import mean_and_deviation


@dataclass(frozen=True)
class Row:
    """What is trained for one row of a table: arguments of train.py, once a seed."""

    arguments: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (1,)
    data: str | None = None  # a folder in benchmarks_dir; None for the articles of this repository


THREE = (1, 2, 3)
ROWS = {
    "ner-lookup": Row(("model=lookup",)),
    "ner-quickstart": Row(("experiment=quickstart",)),
    "ner": Row(seeds=THREE),
    "topics-tfidf": Row(("task=topics", "model=tfidf")),
    "topics-quickstart": Row(("task=topics", "experiment=quickstart")),
    "topics": Row(("task=topics",), THREE),
    "region-tfidf": Row(("task=region", "model=tfidf")),
    "region": Row(("task=region",)),
    "re3d-conflibert": Row(("experiment=re3d_conflibert",), THREE, "re3d-conflibert"),
    "re3d-span": Row(("data=re3d", "trainer.epochs=25", "model.head=span"), data="re3d-raw"),
    "re3d-crf": Row(("data=re3d", "trainer.epochs=25", "model.head=crf"), data="re3d-raw"),
    "insightcrime": Row(("task=topics", "data=insightcrime", "trainer.epochs=4"), data="insightcrime"),  # half an hour
    "satp": Row(("task=topics", "data=satp"), data="satp-relevant"),
}


def main(arguments: Sequence[str]) -> int:
    """Train and score what the rows named still lack, print the tables of those that are finished, and return the exit code."""
    options = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    names = [argument for argument in arguments if "=" not in argument] or [*ROWS]
    if unknown := [*(set(names) - ROWS.keys()), *(options.keys() - {"benchmarks_dir", "reuse"})]:
        sys.exit(f"unknown: {', '.join(sorted(unknown))}; rows: {', '.join(ROWS)}; options: benchmarks_dir=DIR reuse=true")
    if options.get("reuse", "false") not in ("true", "false"):
        sys.exit(f"reuse={options['reuse']}: true or false")
    finished, failed = {}, False
    try:
        for name in names:
            try:
                if lines := train_lines(name, options.get("benchmarks_dir")):
                    finished[name] = [find_or_train(line, reuse=options.get("reuse") == "true") for line in lines]
            except (subprocess.CalledProcessError, InputError) as error:
                failed = True
                _say(f"{name}: failed: {error}")
    except KeyboardInterrupt:
        failed = True
    print_tables(finished)
    return int(failed)


def train_lines(name: str, benchmarks_dir: str | None) -> list[list[str]]:
    """Return the arguments of train.py, one list a seed; none, with a line that says why, if the row's data is not there."""
    row = ROWS[name]
    own = []
    if row.data:
        folder = Path(benchmarks_dir or ".") / row.data
        if not benchmarks_dir or not folder.is_dir():
            _say(f"{name}: skipped, " + (f"no folder {folder}" if benchmarks_dir else f"benchmarks_dir=DIR says where {row.data} is"))
            return []
        own = [f"data.path={folder}"]
    return [[*row.arguments, *own, f"seed={seed}"] for seed in row.seeds]


def find_or_train(line: Sequence[str], *, reuse: bool) -> Run:
    """Return the finished and scored run of these arguments; training scores dev, and test is scored here, once."""
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = load(TrainConfig, hydra.compose("train", [quote_path(argument) for argument in line]))
    data_sha256 = fingerprint(load_corpus(config.data, config.task).articles)
    run = find_run(config, data_sha256, None if reuse else provenance())
    if not run:
        _say(f"python train.py {' '.join(line)}")
        subprocess.run([sys.executable, "train.py", *line], check=True, stdout=sys.stderr)
        run = find_run(config, data_sha256, None)
        assert run is not None, "the run that has just finished is there"
    if not run.metrics_path("test").exists():
        subprocess.run([sys.executable, "evaluate.py", f"run={run.path}"], check=True, stdout=sys.stderr)
    return run


def find_run(config: TrainConfig, data_sha256: str, checkout: dict[str, Any] | None) -> Run | None:
    """Return the newest finished run of this config, seed and articles, made from the code of `checkout` (None: from any)."""
    wanted = _comparable(asdict(config))
    for run in reversed(finished_runs()):
        info = run.info()
        same_code = checkout is None or {_code(start) for start in [checkout, *run.starts()]} == {(checkout["commit"], False)}
        if same_code and info["data_sha256"] == data_sha256 and _comparable(info["config"]) == wanted:
            return run
    return None


def _comparable(config: dict[str, Any]) -> dict[str, Any]:
    """Return a config as JSON holds it, without the place of the data: its fingerprint is compared."""
    plain = json.loads(json.dumps(config))
    return {**plain, "data": {**plain["data"], "path": None}}


def _code(start: dict[str, Any]) -> tuple[str | None, bool]:
    return start["commit"], bool(start["dirty"])


def print_tables(rows: dict[str, list[Run]]) -> None:
    """Print one table with a line a row, then F1 per label of each."""
    columns = ("row", "seeds", "commit", "minutes", "dev micro", "dev macro", "test micro", "test macro", "test example F1")
    print(f"| {' | '.join(columns)} |\n{'|---' * len(columns)}|")
    for name, runs in rows.items():
        print(f"| {' | '.join(_cells(name, runs))} |")
    for name, runs in rows.items():
        print(f"\n{name}, F1 per label (support):\n\n| label | dev | test |\n|---|---|---|")
        for label in runs[0].metrics("dev")["strict"]["per_label"]:
            print(f"| `{label}` | " + " | ".join(_label_cell(runs, split, label) for split in ("dev", "test")) + " |")


def _cells(name: str, runs: Sequence[Run]) -> list[str]:
    infos = [run.info() for run in runs]
    codes = {_code(start) for run in runs for start in run.starts()}
    commits = {(commit or "none")[:7] + ("*" if dirty else "") for commit, dirty in codes}
    cells = [name, ", ".join(str(info["config"]["seed"]) for info in infos), " ".join(f"`{commit}`" for commit in sorted(commits))]
    cells.append(f"{statistics.fmean(info['seconds'] for info in infos) / 60:.1f}")
    for split in ("dev", "test"):
        scores = [run.metrics(split)["strict"] for run in runs]
        cells += [_mean([score[average]["f1"] for score in scores]) for average in ("micro", "macro")]
    tests = [run.metrics("test") for run in runs]
    return [*cells, _mean([test["example_f1"] for test in tests]) if "example_f1" in tests[0] else ""]


def _label_cell(runs: Sequence[Run], split: str, label: str) -> str:
    counts: list[dict[str, Any]] = [run.metrics(split)["strict"]["per_label"][label] for run in runs]
    return f"{_mean([count['f1'] for count in counts])} ({counts[0]['support']})"


def _mean(values: Sequence[float | None]) -> str:
    return mean_and_deviation(mean_and_sd(values))


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)  # standard output holds the tables


if __name__ == "__main__":
    if not Path("train.py").exists():
        sys.exit("run it from the project's top folder")
    sys.exit(main(sys.argv[1:]))
