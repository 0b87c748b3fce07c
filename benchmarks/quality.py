"""The README's table of scores: trains every task with its defaults, scores dev and test, and prints Markdown.

python benchmarks/quality.py                     trains, evaluates, prints (about 45 minutes on two cores)
python benchmarks/quality.py RUN [RUN ...]       prints the table of runs that exist and have been evaluated
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sitrep.runs import Run, open_run
from sitrep.terminal import percent

TRAININGS = (["model=lookup"], ["experiment=quickstart"], [], ["experiment=quickstart", "task=topics"], ["task=topics"], ["task=region"])


def main(references: list[str]) -> None:
    """Print the tables of the runs named, or of fresh ones."""
    runs = [open_run(reference) for reference in references] or [_train(options) for options in TRAININGS]
    print("| run | commit | minutes | dev micro | dev macro | test micro | test macro |\n|---|---|---|---|---|---|---|")
    for run in runs:
        print(_row(run))
    for run in runs:
        print(f"\n{_name(run)}, F1 per label (support):\n\n| label | dev | test |\n|---|---|---|")
        splits = [run.metrics(name)["strict"]["per_label"] for name in ("dev", "test")]
        for label in splits[0]:
            print(f"| `{label}` | " + " | ".join(f"{percent(split[label]['f1'])} ({split[label]['support']})" for split in splits) + " |")


def _train(options: list[str]) -> Run:
    """Train and score test once; dev was scored by the training."""
    subprocess.run([sys.executable, "train.py", *options], check=True, stdout=sys.stderr)
    run = open_run("latest")
    subprocess.run([sys.executable, "evaluate.py", f"run={run.path}"], check=True, stdout=sys.stderr)
    return run


def _row(run: Run) -> str:
    info = run.info()
    cells = [_name(run), f"`{(info['commit'] or 'none')[:7]}`" + (" (dirty)" if info["dirty"] else ""), f"{info['seconds'] / 60:.1f}"]
    for name in ("dev", "test"):
        strict = run.metrics(name)["strict"]
        cells += [percent(strict["micro"]["f1"]), percent(strict["macro"]["f1"])]
    return f"| {' | '.join(cells)} |"


def _name(run: Run) -> str:
    """Return the options that make the run, as Hydra wrote them down."""
    overrides = (run.path / ".hydra" / "overrides.yaml").read_text().split("\n")
    options = [line.removeprefix("- ") for line in overrides if line.startswith("- ")]
    return f"`train.py {' '.join(options)}`".replace(" `", "`")


if __name__ == "__main__":
    if not Path("train.py").exists():
        sys.exit("run it from the project's top folder")
    main(sys.argv[1:])
