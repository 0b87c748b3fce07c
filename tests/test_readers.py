"""Readers by kind of model, and trainings that run out of memory."""

from dataclasses import replace

import pytest
import torch
from factories import refused
from tiny import own_data

from sitrep.formats import jsonl, read_articles
from sitrep.heads.tags import CrfHead
from sitrep.readers import backend_of, count_reasons, load_reader
from sitrep.windows import Lost


@pytest.mark.parametrize(("fixture", "name"), [("ner_run", "EncoderReader"), ("lookup_run", "LookupReader"), ("tfidf_run", "TfidfReader")])
def test_a_run_is_read_by_the_kind_of_model_that_it_holds(request, fixture, name):
    reader = load_reader(request.getfixturevalue(fixture), "cpu")
    assert type(reader).__name__ == name
    assert backend_of(reader) == ("torch" if fixture == "ner_run" else "none")


def test_backends_are_for_networks(lookup_run, tfidf_run, ner_run):
    for run in (lookup_run, tfidf_run):
        assert backend_of(load_reader(run, "cpu", "int8")) == "none"
    with refused("backend='onx' is unknown; did you mean 'onnx'?"):
        load_reader(ner_run, "cpu", "onx")


def limit_memory(monkeypatch, n_tokens: int) -> list[int]:
    """Let the CRF fail as on a full GPU where a batch holds more tokens; return the sizes that were tried."""
    tried = []
    loss = CrfHead.loss

    def limited(self, scores, **targets):
        tried.append(scores.shape[0] * scores.shape[1])
        if tried[-1] > n_tokens:
            raise torch.OutOfMemoryError("no memory left")
        return loss(self, scores, **targets)

    monkeypatch.setattr(CrfHead, "loss", limited)
    return tried


def test_out_of_memory_starts_again_with_smaller_batches(train, tmp_path, monkeypatch, caplog):
    tried = limit_memory(monkeypatch, 120)
    run = train(tmp_path / "run", "trainer.epochs=2")
    assert max(tried) > 120 and run.info()["status"] == "finished"
    assert run.info()["batch_tokens"] == 96
    assert "out of memory with batches of 192 tokens: starting again with 96" in caplog.text
    assert len((run.path / "history.jsonl").read_text().splitlines()) == 2


@pytest.fixture
def nested(corpus_copy, tmp_path) -> list[str]:
    """The arguments for the labelled articles, each first mention of which holds another."""
    articles = []
    for article in read_articles(corpus_copy):
        first = article.spans[0]
        word = article.surface(first).split()[0]
        inner = replace(first, end=first.start + len(word), label="PERSON" if first.label != "PERSON" else "LOCATION")
        articles.append(replace(article, spans=(*article.spans, inner)))
    jsonl.write(articles, tmp_path / "nested.jsonl")
    return own_data(tmp_path / "nested.jsonl")


def test_mentions_that_the_head_cannot_hold_are_counted_or_refused(train, nested, tmp_path, caplog):
    with refused("training mentions do not fit the head crf", "overlapping", "of article art-", "choose model.head=span", "strict=false"):
        train(tmp_path / "strict", *nested, "strict=true", "trainer.epochs=1")
    assert not (tmp_path / "strict" / "run.json").exists()
    run = train(tmp_path / "run", *nested, "trainer.epochs=1")
    ledger = run.info()["train_ledger"]
    assert ledger and {entry["reason"] for entry in ledger} == {"overlapping"}
    assert f"{len(ledger)} training mentions do not fit the head crf and are not learnt: {len(ledger)} overlapping" in caplog.text
    assert (
        train(tmp_path / "span", *nested, "strict=true", "task.windows.overlap=24", "model.head=span", "trainer.epochs=1").info()[
            "train_ledger"
        ]
        == []
    )


def test_memory_for_no_window_at_all(train, tmp_path, monkeypatch):
    limit_memory(monkeypatch, 10)
    with refused("out of memory with batches of 48 tokens", "choose a smaller encoder"):
        train(tmp_path / "run", "trainer.epochs=2")


def test_a_checkpoint_of_another_label_set(ner_run, copy_run):
    run = copy_run(ner_run)
    path = run.checkpoint_path / "sitrep.json"
    path.write_text(path.read_text().replace("PERSON", "PEOPLE"))
    with refused(str(run.checkpoint_path), "other labels (PEOPLE, ARMED_GROUP", "config says (PERSON, ARMED_GROUP", "train again"):
        load_reader(run, "cpu")


def test_reasons_are_counted():
    lost = [Lost("a", 0, 1, "X", "x", reason) for reason in ("overlapping", "inside a word", "overlapping")]
    assert count_reasons(lost) == "2 overlapping, 1 inside a word"
