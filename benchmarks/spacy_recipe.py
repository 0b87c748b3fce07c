"""spaCy's own recipe for NER, trained from scratch, to compare with: hashed words, a convolutional encoder, transitions.

python benchmarks/spacy_recipe.py [seed=1] [data=...] [data.path=...]

Needs spaCy: pip install 'sitrep[spacy]'. Same split, labels and scorer as `train.py`. The settings are those of
`spacy init config --lang en --pipeline ner --optimize efficiency`, the best step on dev is kept. A mention whose ends are not those
of spaCy's tokens is not learnt, and counted. Prints F1 on dev and test and the seconds of training, and leaves
models/spacy-<data>/<time>-s<seed>/: a run without a model, which `compare.py` takes. Its `settings` are what spaCy trained by; of its
`config` spaCy takes task, data and seed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import spacy
from plain_recipe import compose, finish, recipe_run
from spacy.cli.init_config import init_config
from spacy.cli.train import train
from spacy.language import Language
from spacy.tokens import DocBin
from spacy.util import filter_spans

from sitrep.articles import Article, Span

INIT = "spacy init config --lang en --pipeline ner --optimize efficiency"


def write_docs(articles: Sequence[Article], path: Path) -> int:
    """Write labelled articles as spaCy reads them, and return how many mentions its tokens and flat spans cannot hold."""
    tokenize, docs, n_lost = spacy.blank("en"), DocBin(), 0
    for article in articles:
        doc = tokenize.make_doc(article.text)
        found = [doc.char_span(span.start, span.end, label=span.label) for span in article.spans]
        doc.ents = filter_spans([span for span in found if span is not None])
        n_lost += len(article.spans) - len(doc.ents)
        docs.add(doc)
    docs.to_disk(path)
    return n_lost


def train_pipeline(train_articles: Sequence[Article], dev: Sequence[Article], seed: int) -> Language:
    """Return the pipeline of the best step on dev."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        paths = {"paths.train": str(folder / "train.spacy"), "paths.dev": str(folder / "dev.spacy")}
        for path, articles in zip(paths.values(), (train_articles, dev), strict=True):
            n_lost = write_docs(articles, Path(path))
            print(f"{Path(path).stem}: {n_lost} mentions do not fit spaCy's tokens", file=sys.stderr)
        init_config(lang="en", pipeline=["ner"], optimize="efficiency", silent=True).to_disk(folder / "config.cfg")
        train(folder / "config.cfg", folder / "out", overrides={**paths, "training.seed": seed, "system.seed": seed})
        return spacy.load(folder / "out" / "model-best")


def predict(pipeline: Language, articles: Sequence[Article]) -> list[Article]:
    """Return the articles with the mentions found in them."""
    docs = pipeline.pipe(article.text for article in articles)
    return [
        replace(article.bare(), spans=tuple(Span(found.start_char, found.end_char, found.label_) for found in doc.ents))
        for article, doc in zip(articles, docs, strict=True)
    ]


def n_parameters(pipeline: Language) -> int:
    """Return the number of weights of all components."""
    nodes = [node for _, pipe in pipeline.pipeline for node in pipe.model.walk()]
    return sum(node.get_param(name).size for node in nodes for name in node.param_names if node.has_param(name))


def main(arguments: Sequence[str]) -> Path:
    """Train, score dev and test, and return the folder of the run."""
    config = compose([*arguments, "device=cpu"])
    config = replace(config, model=replace(config.model, name="spacy", package=None, sha256=None, path=INIT))
    with recipe_run("benchmarks/spacy_recipe.py", f"spacy-{config.data.name}", config) as (run, corpus):
        began = time.monotonic()
        pipeline = train_pipeline(corpus.train, corpus.dev, config.seed)
        facts = {"device": "cpu", "n_parameters": n_parameters(pipeline), "settings": pipeline.config["training"]}
        finish(run, corpus, lambda articles: predict(pipeline, articles), seconds=round(time.monotonic() - began, 1), **facts)
    return run.path


if __name__ == "__main__":
    main(sys.argv[1:])
