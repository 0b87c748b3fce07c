"""Backends by themselves; that they score alike is tested where they are exported."""

import ctypes
import resource
import shutil
import threading
from pathlib import Path

import pytest
import torch
from exports import uneven_batch

from sitrep.backends import OnnxBackend, TorchBackend, keep_freed_memory
from sitrep.models import load_model


@pytest.fixture(scope="module")
def network(ner_run):
    return load_model(ner_run.checkpoint_path).network


@pytest.fixture(scope="module")
def backend(ner_export, tmp_path_factory) -> OnnxBackend:
    path = Path(shutil.copy(ner_export, tmp_path_factory.mktemp("copy")))
    found = OnnxBackend(path, threads=2)
    path.unlink()  # it is not needed any more
    return found


def test_torch_scores_without_dropout_and_leaves_the_mode(network):
    scorer = TorchBackend(network, torch.device("cpu"))
    batch, _ = uneven_batch(network)
    network.train()
    assert torch.equal(scorer.score(batch), scorer.score(batch)) and network.training
    network.eval()


def test_threads_share_a_session(network, backend):
    batch, _ = uneven_batch(network)
    expected, found = backend.score(batch), []
    threads = [threading.Thread(target=lambda: found.extend(backend.score(batch) for _ in range(20))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 60 and all(torch.equal(scores, expected) for scores in found)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="this C library decides by itself")
def test_memory_of_a_batch_is_there_for_the_next():
    keep_freed_memory()
    faults = []
    for _ in range(4):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        torch.zeros(4_000_000)  # 16 MB, some 4,000 pages
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    assert faults[-1] < 200
