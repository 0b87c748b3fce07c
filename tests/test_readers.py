"""Readers by kind of model, and trainings that run out of memory."""

import pytest
import torch
from factories import refused

from sitrep.heads.tags import CrfHead
from sitrep.readers import count_reasons, load_reader
from sitrep.windows import Lost


@pytest.mark.parametrize(("fixture", "name"), [("ner_run", "EncoderReader"), ("lookup_run", "LookupReader"), ("tfidf_run", "TfidfReader")])
def test_a_run_is_read_by_the_kind_of_model_that_it_holds(request, fixture, name):
    assert type(load_reader(request.getfixturevalue(fixture), "cpu")).__name__ == name


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


def test_memory_for_no_window_at_all(train, tmp_path, monkeypatch):
    limit_memory(monkeypatch, 10)
    with refused("out of memory with batches of 48 tokens", "choose a smaller encoder"):
        train(tmp_path / "run", "trainer.epochs=2")


def test_reasons_are_counted():
    lost = [Lost("a", 0, 1, "X", "x", reason) for reason in ("overlapping", "inside a word", "overlapping")]
    assert count_reasons(lost) == "2 overlapping, 1 inside a word"
