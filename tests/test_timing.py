"""Timing side by side, and who wins."""

import pytest
import torch
from tiny import torch_reader

from sitrep import timing
from sitrep.models import load_model
from sitrep.timing import describe_machine, measure_rates, pick, torch_threads


@pytest.mark.parametrize(
    ("rates", "winner"),
    [
        ({"torch": 10.0}, "torch"),
        ({"torch": 10.0, "onnx": 10.4, "int8": 9.0}, "torch"),  # within noise
        ({"torch": 10.0, "onnx": 10.6, "int8": 9.0}, "onnx"),
        ({"torch": 10.0, "onnx": 11.0, "int8": 19.0}, "int8"),
    ],
)
def test_another_backend_wins_by_more_than_noise(rates, winner):
    assert pick(rates) == winner


class Counting:
    """A reader that notes what it reads, and what the clock says by then: each article takes `seconds`."""

    def __init__(self, clock, seconds) -> None:
        self.clock, self.seconds, self.rounds = clock, seconds, []

    def read(self, articles):
        self.rounds.append(len(articles))
        for article in articles:
            self.clock[0] += self.seconds
            yield article


def test_rates_are_medians_of_rounds_in_turn_on_the_same_articles(ner_run, monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(timing.time, "perf_counter", lambda: clock[0])
    articles = [article for article in ner_run.articles("gold", "dev") for _ in range(20)]
    readers = {"torch": Counting(clock, 0.25), "onnx": Counting(clock, 0.125)}
    assert measure_rates(readers, articles) == {"torch": pytest.approx(4), "onnx": pytest.approx(8)}
    assert readers["torch"].rounds[2:] == readers["onnx"].rounds[1:]  # the first are to warm up
    assert len(readers["torch"].rounds) == 2 + timing.N_ROUNDS and readers["torch"].rounds[-1] >= 2
    slow = {"torch": Counting(clock, 10.0), "onnx": Counting(clock, 40.0)}
    measure_rates(slow, articles)
    assert slow["torch"].rounds == [2, 2, 2] and slow["onnx"].rounds == [2, 2]  # one round, however long


def test_a_real_reader_is_timed(ner_run):
    reader = torch_reader(load_model(ner_run.checkpoint_path))
    assert measure_rates({"torch": reader}, ner_run.articles("gold", "dev"))["torch"] > 0


def test_the_machine_is_told_with_its_threads(tmp_path, monkeypatch):
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name : Abacus 3000\nprocessor : 1\nmodel name : Abacus 3000\n")
    monkeypatch.setattr(timing, "CPU_INFO", tmp_path / "cpuinfo")
    monkeypatch.setattr(timing.os, "cpu_count", lambda: 2)
    assert describe_machine(1) == "Abacus 3000, 2 cores, 1 threads"
    monkeypatch.setattr(timing, "CPU_INFO", tmp_path / "none")
    assert describe_machine(1).endswith("2 cores, 1 threads")


def test_torch_gets_its_threads_back():
    before = torch.get_num_threads()
    with torch_threads(before + 1):
        assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
