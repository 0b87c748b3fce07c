"""One round of labelling, as the README shows it, each command a process of its own.

python benchmarks/labelling_round.py [folder=models/round] [new=sahel] [experiment=quickstart] [model=minilm] [seed=1]

The articles of data/articles/<new> play those that nobody has labelled yet: the corpus of the round is all others, in a copy below
`folder`. What people give back is played by the labels that they have, in the shape of Label Studio's export. New articles join
train, so that both models are scored on the same test articles.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
OPTIONS = {"folder": "models/round", "new": "sahel", "experiment": "quickstart", "model": "minilm", "seed": "1"}


def run(command: str, *arguments: str) -> None:
    """Run a command of the project, and show it with what it prints."""
    print(f"$ python {command}.py {' '.join(arguments)}", flush=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    subprocess.run([sys.executable, str(ROOT / f"{command}.py"), *arguments], check=True, stderr=subprocess.DEVNULL, env=environment)


def begin(folder: Path, new: str) -> None:
    """Part the project's articles into a corpus and new ones, in copies."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "data" / "articles", folder / "corpus")
    (folder / "corpus" / new).rename(folder / "labelled")


def newest() -> str:
    """Return the run that began last."""
    return str(max((ROOT / "models").glob("articles-ner-*/*/run.json"), key=lambda path: path.stat().st_mtime).parent.relative_to(ROOT))


def main() -> None:
    """Play the round."""
    options = {**OPTIONS, **dict(argument.split("=", 1) for argument in sys.argv[1:])}
    os.chdir(ROOT)
    folder = Path(options["folder"])
    begin(folder, options["new"])
    corpus = [f"data.path={folder / 'corpus'}", f"data.splits_path={folder / 'splits.csv'}"]
    learn = [f"{key}={options[key]}" for key in ("experiment", "model", "seed")]

    def train() -> str:
        run("train", *learn, *corpus)
        trained = newest()
        run("evaluate", f"run={trained}")
        return trained

    before = train()
    run("predict", f"run={before}", f"input={folder / 'labelled'}", f"output={folder / 'found.jsonl'}", "backend=torch")
    run("annotate", "action=convert", f"input={folder / 'found.jsonl'}", f"output={folder / 'tasks.json'}", f"predicted_by={before}")
    run("annotate", "action=convert", f"input={folder / 'labelled'}", f"output={folder / 'corrected.json'}", "fields=[topics,region]")
    given = [f"input={folder / 'corrected.json'}", f"predictions={folder / 'found.jsonl'}"]
    run("annotate", "action=import", *given, "split=train", *corpus)
    run("compare", f"runs=[{before},{train()}]")


if __name__ == "__main__":
    main()
