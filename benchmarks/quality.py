"""The README's tables of scores: trains each row, scores dev and test, prints Markdown.

python benchmarks/quality.py [ROW ...] [seeds=1,2,3] [benchmarks=DIR]

ROW is a name in ROWS (all of data/articles if none is given). A run with the same options that stands below models/, finished and
scored, is reused: delete it to train it again. Rows of public data need `benchmarks=`, the folder that holds re3d-conflibert,
re3d-raw, insightcrime and satp-relevant (docs/train.md says where they come from). Means and sample standard deviations over seeds.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from sitrep.runs import Run, finished_runs
from sitrep.terminal import percent

OWN = {
    "ner-lookup": ["model=lookup"],
    "ner-quickstart": ["experiment=quickstart"],
    "ner": [],
    "topics-tfidf": ["model=tfidf", "task=topics"],
    "topics-quickstart": ["experiment=quickstart", "task=topics"],
    "topics": ["task=topics"],
    "region-tfidf": ["model=tfidf", "task=region"],
    "region": ["task=region"],
}
PUBLIC = {
    "re3d-conflibert": ["experiment=re3d_conflibert", "data.path={}/re3d-conflibert"],
    "re3d-crf": ["data=re3d", "data.path={}/re3d-raw"],
    "re3d-span": ["data=re3d", "data.path={}/re3d-raw", "model.head=span"],
    "satp": ["data=satp", "data.path={}/satp-relevant", "task=topics"],
    "insightcrime": ["data=insightcrime", "data.path={}/insightcrime", "task=topics"],
}
ROWS = OWN | PUBLIC


def main(arguments: Sequence[str]) -> None:
    """Print the table of the rows named, then F1 per label of each on dev and test."""
    options = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
    names = [argument for argument in arguments if "=" not in argument] or [*OWN]
    if unknown := set(names) - ROWS.keys():
        sys.exit(f"unknown rows: {', '.join(sorted(unknown))}; known: {', '.join(ROWS)}")
    if "benchmarks" not in options and (without_data := [name for name in names if name in PUBLIC]):
        sys.exit(f"{', '.join(without_data)}: say where the data is: benchmarks=DIR")
    seeds = options.get("seeds", "1").split(",")
    rows = {name: [_run(name, seed, options.get("benchmarks", "")) for seed in seeds] for name in names}
    print("| row | options | commit | minutes | dev micro | dev macro | test micro | test macro | test example F1 |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name, runs in rows.items():
        print(_row(name, runs))
    for name, runs in rows.items():
        print(f"\n{name}, F1 per label (support):\n\n| label | dev | test |\n|---|---|---|")
        for label in runs[0].metrics("dev")["strict"]["per_label"]:
            print(f"| `{label}` | " + " | ".join(_label_cell(runs, split, label) for split in ("dev", "test")) + " |")


def _run(name: str, seed: str, benchmarks: str) -> Run:
    """Return the finished and scored run of a row; dev is scored by training, test once, here."""
    options = [option.format(benchmarks) for option in ROWS[name]] + ([f"seed={seed}"] if seed != "1" else [])
    run = _find(options)
    if not run:
        subprocess.run([sys.executable, "train.py", *options], check=True, stdout=sys.stderr)
        run = _find(options)
        assert run is not None
    if not run.metrics_path("test").exists():
        subprocess.run([sys.executable, "evaluate.py", f"run={run.path}"], check=True, stdout=sys.stderr)
    return run


def _find(options: Sequence[str]) -> Run | None:
    """Return the newest finished run that was started with these options."""
    return next((run for run in reversed(finished_runs()) if set(_options(run)) == set(options)), None)


def _options(run: Run) -> list[str]:
    overrides = run.path / ".hydra" / "overrides.yaml"
    written = yaml.safe_load(overrides.read_text(encoding="utf-8")) if overrides.exists() else []
    return [str(option).replace("'", "") for option in written if not str(option).startswith("hydra.")]


def _row(name: str, runs: Sequence[Run]) -> str:
    infos = [run.info() for run in runs]
    commits = {(info["commit"] or "none")[:7] + ("*" if info["dirty"] else "") for info in infos}
    options = " ".join(option for option in ROWS[name] if not option.startswith("data.path")) or "(defaults)"
    cells = [name, f"`{options}`", " ".join(f"`{commit}`" for commit in sorted(commits))]
    cells.append(f"{statistics.fmean(info['seconds'] for info in infos) / 60:.1f}")
    for split in ("dev", "test"):
        scores = [run.metrics(split)["strict"] for run in runs]
        cells += [_mean([score[average]["f1"] for score in scores]) for average in ("micro", "macro")]
    cells.append(_mean([run.metrics("test")["example_f1"] for run in runs]) if "example_f1" in runs[0].metrics("test") else "")
    return f"| {' | '.join(cells)} |"


def _label_cell(runs: Sequence[Run], split: str, label: str) -> str:
    counts: list[dict[str, Any]] = [run.metrics(split)["strict"]["per_label"][label] for run in runs]
    return f"{_mean([count['f1'] for count in counts])} ({counts[0]['support']})"


def _mean(values: Sequence[float | None]) -> str:
    defined = [value for value in values if value is not None]
    if len(defined) < len(values):
        return "n/a"
    return percent(statistics.fmean(defined)) + (f" ± {100 * statistics.stdev(defined):.1f}" if len(defined) > 1 else "")


if __name__ == "__main__":
    if not Path("train.py").exists():
        sys.exit("run it from the project's top folder")
    main(sys.argv[1:])
