"""The gate: what gives the same passes, what goes wrong with padding, in long articles or by a little is refused with figures."""

import pytest
import torch
from exports import export_carelessly

from sitrep.articles import Article
from sitrep.backends import OnnxBackend, TorchBackend
from sitrep.models import load_model
from sitrep.parity import N_ARTICLES, RefusedError, check_loss, check_parity, probe_articles


@pytest.fixture(scope="module", params=["ner_run", "topics_run"])
def tried(request):
    """Return a function that holds a backend, made from the torch backend and a folder, against torch."""
    run = request.getfixturevalue(request.param)
    model = load_model(run.checkpoint_path)
    reference = TorchBackend(model.network, torch.device("cpu"))
    articles = probe_articles(run.articles("gold", "dev"), model.task.windows.max_tokens)
    return lambda make: check_parity(model, reference, make(reference), articles)


@pytest.mark.parametrize("tried", ["ner_run"], indirect=True)
def test_an_export_passes_unless_it_ignores_the_mask(tried, ner_export, tmp_path):
    parity = tried(lambda _: OnnxBackend(ner_export, threads=1))
    assert parity.greatest_difference < 1e-4
    assert parity.n_articles > 3 and parity.n_windows > 12

    def careless(reference):
        export_carelessly(reference.network, tmp_path / "careless.onnx")
        return OnnxBackend(tmp_path / "careless.onnx", threads=1)

    with pytest.raises(RefusedError, match=r"article .*, window \d+ of \d+ \(\d+ tokens, .*padded to \d+\): scores differ by up to"):
        tried(careless)


class Changed:
    """Torch whose scores are changed in batches of more than `from_windows` windows."""

    name = "changed"
    batch_tokens = 4096

    def __init__(self, reference, change, from_windows=0) -> None:
        self.reference, self.change, self.from_windows = reference, change, from_windows

    def score(self, inputs):
        scores = self.reference.score(inputs)
        return self.change(scores) if len(scores) > self.from_windows else scores


@pytest.mark.parametrize(
    ("change", "from_windows", "message"),
    [
        (lambda scores: scores + 0.002, 0, "scores differ by up to 0.002; 0.001 is allowed"),
        (lambda scores: scores * float("nan"), 0, "scores differ by up to nan"),
        (lambda scores: scores[..., :1], 0, "scores differ by up to inf"),
        # only where articles are read
        (lambda scores: 1 - scores, 12, "article '.*': (torch alone finds|it alone finds|torch gives|scores differ)"),
    ],
)
def test_a_backend_that_differs_is_refused(tried, change, from_windows, message):
    with pytest.raises(RefusedError, match=message):
        tried(lambda reference: Changed(reference, change, from_windows))


def test_what_a_backend_is_tried_on():
    dev = [Article(str(number), f"Word {number}. " * number) for number in range(100)]
    joined, empty, word, *others = probe_articles(dev, max_tokens=256)
    assert len(joined.text) > 256 * 20 and empty.text == "" and word.text == "Word"
    assert N_ARTICLES / 2 < len(others) <= N_ARTICLES
    with pytest.raises(RefusedError, match="holds no text"):
        probe_articles([Article("a", " \n")], max_tokens=256)


def test_a_loss_is_refused_with_both_figures():
    check_loss(0.9, 0.8951)
    with pytest.raises(RefusedError, match=r"from 90.0 to 89.4, by 0.6 points; 0.5 are allowed"):
        check_loss(0.9, 0.894)
