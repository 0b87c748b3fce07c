"""Fixtures: a tiny encoder, a tiny corpus, and finished runs, made once a session by the real jobs."""

import os

os.environ["HF_HUB_OFFLINE"] = "1"  # before transformers is imported: no test may reach for the network

import shutil
from pathlib import Path

import hypothesis
import pytest
import torch
from tiny import SMALL, compose, own_data, write_corpus, write_encoder

from sitrep import jobs
from sitrep.exporting import export_network
from sitrep.models import load_model
from sitrep.runs import Run

torch.set_num_threads(1)
hypothesis.settings.register_profile("any machine", deadline=None)
hypothesis.settings.load_profile("any machine")


@pytest.fixture(scope="session")
def encoder(tmp_path_factory) -> Path:
    """A folder with an untrained encoder and its tokenizer."""
    return write_encoder(tmp_path_factory.mktemp("encoder") / "tiny")


@pytest.fixture(scope="session")
def corpus(tmp_path_factory) -> Path:
    """A folder of labelled articles with their split; not to be changed (see `corpus_copy`)."""
    folder = write_corpus(tmp_path_factory.mktemp("corpus") / "articles")
    jobs.annotate(compose("annotate", "action=split", *own_data(folder)))
    return folder


@pytest.fixture
def corpus_copy(corpus, tmp_path) -> Path:
    """The labelled articles without a split, to be changed."""
    return shutil.copytree(corpus, tmp_path / "corpus", ignore=shutil.ignore_patterns("splits.csv"))


@pytest.fixture(scope="session")
def train(encoder, corpus):
    """Return a function that trains into a folder, on the tiny corpus unless told otherwise."""

    def run_training(folder: Path, *arguments: str) -> Run:
        model = () if {"model=lookup", "model=tfidf"} & set(arguments) else ("model=hub", f"model.path={encoder}", *SMALL)
        assert jobs.train(compose("train", *own_data(corpus), *model, *arguments), folder) == 0
        return Run(folder)

    return run_training


@pytest.fixture(scope="session")
def models(tmp_path_factory) -> Path:
    """The folder that takes the place of models/."""
    return tmp_path_factory.mktemp("home") / "models"


NER = ("trainer.epochs=12", "trainer.learning_rate=2e-2", "trainer.head_learning_rate=2e-2")
TOPICS = ("trainer.learning_rate=5e-3", "trainer.head_learning_rate=5e-3")


@pytest.fixture(scope="session")
def ner_run(train, models) -> Run:
    """A finished NER run; not to be changed (see `copy_run`)."""
    return train(models / "own-ner-hub" / "1", *NER)


@pytest.fixture(scope="session")
def topics_run(train, models) -> Run:
    """A finished run of the multi-label task; not to be changed."""
    return train(models / "own-topics-hub" / "1", "task=topics", "trainer.epochs=20", *TOPICS)


@pytest.fixture(scope="session")
def lookup_run(train, models) -> Run:
    """A finished run of the baseline; not to be changed."""
    return train(models / "own-ner-lookup" / "1", "model=lookup")


@pytest.fixture(scope="session")
def tfidf_run(train, models) -> Run:
    """A finished run of the baseline for class fields; not to be changed."""
    return train(models / "own-topics-tfidf" / "1", "model=tfidf", "task=topics")


@pytest.fixture(scope="session")
def ner_export(ner_run, tmp_path_factory) -> Path:
    """The network of `ner_run` as an ONNX file; not to be changed."""
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_network(load_model(ner_run.checkpoint_path).network, path)
    return path


@pytest.fixture
def copy_run(tmp_path):
    """Return a function that copies a run, to be evaluated or changed."""
    return lambda run: Run(shutil.copytree(run.path, tmp_path / "models" / run.path.parent.name / "1"))
