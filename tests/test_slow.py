"""What make run promises, with the real encoder and the real articles (make test-slow)."""

import subprocess
import sys

import pytest
from tiny import ROOT

from sitrep.formats import read_articles
from sitrep.runs import Run

pytestmark = pytest.mark.slow


def run(command: str, *arguments: str, cwd) -> str:
    done = subprocess.run([sys.executable, str(ROOT / f"{command}.py"), *arguments], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_quickstart_learns_the_articles_and_reads_new_ones(tmp_path):
    data = [f"data.path={ROOT / 'data' / 'articles'}", f"data.splits_path={ROOT / 'data' / 'splits.csv'}"]
    run("train", "experiment=quickstart", *data, cwd=tmp_path)
    (path,) = tmp_path.glob("models/articles-ner-minilm/*")
    scores = Run(path).metrics("dev")["strict"]
    assert scores["micro"]["f1"] > 0.84 and scores["macro"]["f1"] > 0.81  # 0.88 and 0.86 were seen
    run("predict", "run=latest", f"input={ROOT / 'data' / 'samples'}", "output=out.jsonl", cwd=tmp_path)
    found = {
        article.id: {(article.surface(span), span.label) for span in article.spans} for article in read_articles(tmp_path / "out.jsonl")
    }
    assert len(found) == 4 and all(found.values())
    assert {("Gao", "LOCATION"), ("Idlib", "LOCATION")} & set().union(*found.values())
