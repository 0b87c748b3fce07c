"""Training: what the network sees, at what rates, and that the best epoch is kept and can be had again."""

import json

import pytest
import torch
from tiny import ENTITIES, SMALL, TOPICS, compose, own_data

from sitrep.articles import Article, Span
from sitrep.calibration import decide
from sitrep.corpus import load_corpus
from sitrep.models import build_model
from sitrep.scoring import score
from sitrep.training import Collator, encode_training, mean_by_owner, parameter_groups, tokens_per_second
from sitrep.windows import IGNORED

QUICK = ("trainer.epochs=2",)


@pytest.fixture(params=["ner", "topics", "region"])
def config(request, corpus, encoder):
    return compose("train", *own_data(corpus), f"task={request.param}", "model=hub", f"model.path={encoder}", *SMALL)


@pytest.fixture
def model(config):
    return build_model(config.model, config.task)


def test_the_same_seed_gives_the_same_model(train, tmp_path):
    one, same, other = (train(tmp_path / str(number), *QUICK, f"seed={seed}") for number, seed in enumerate((7, 7, 8)))
    weights = [(run.checkpoint_path / "model.safetensors").read_bytes() for run in (one, same, other)]
    assert weights[0] == weights[1] != weights[2]
    assert one.metrics("dev")["strict"] == same.metrics("dev")["strict"]
    assert _history(one) == _history(same) != _history(other)


def _history(run) -> list[dict]:
    rows = [json.loads(line) for line in (run.path / "history.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def f1_at_one_half(run) -> float:
    """Return the micro F1 on dev without the thresholds that are fitted after training."""
    task = run.config().task
    pred = run.articles("predictions", "dev")
    if task.field:
        pred = [decide(article, task, list(article.scores[task.field].values()), {}) for article in pred]
    return score(run.articles("gold", "dev"), pred, task)["strict"]["micro"]["f1"]


@pytest.mark.parametrize("fixture", ["ner_run", "topics_run"])
def test_the_best_epoch_on_dev_is_kept(request, fixture):
    run = request.getfixturevalue(fixture)
    f1s = [row["micro_f1"] for row in _history(run)]
    assert len(f1s) == run.config().trainer.epochs
    assert f1_at_one_half(run) == max(f1s) > 0.5
    assert len(set(f1s)) > 1


def test_the_kept_epoch_need_not_be_the_last(train, tmp_path):
    rising = ("trainer.epochs=8", "trainer.learning_rate=0.4", "trainer.head_learning_rate=0.4", "trainer.warmup=0.95")
    run = train(tmp_path / "run", *rising)
    f1s = [row["micro_f1"] for row in _history(run)]
    assert f1s[-1] < max(f1s), "the rates were meant to rise until nothing is left"
    assert run.metrics("dev")["strict"]["micro"]["f1"] == max(f1s)


def test_patience_stops_training_early(train, tmp_path):
    run = train(tmp_path / "run", "trainer.epochs=9", "trainer.patience=2", "trainer.learning_rate=1e-9", "trainer.head_learning_rate=1e-9")
    assert len(_history(run)) == 3


def test_ner_learns_from_every_window_and_classes_from_every_article(model, config):
    articles = load_corpus(config.data, config.task).articles
    data = encode_training(model, articles)
    encoded = model.windower().encode(articles)
    assert data.n_windows == sum(len(article.windows) for article in encoded) > len(articles)
    if config.task.kind == "ner":
        assert len(data.rows) == data.n_windows
        assert data.n_tokens == sum(map(len, data.rows["input_ids"]))
        return
    assert list(map(len, data.rows["windows"])) == [len(article.windows) for article in encoded]
    expected = [article.labels[config.task.field] for article in articles]
    if config.task.kind == "multi-class":
        assert [(config.task.labels[index],) for index in data.rows["labels"]] == expected
    else:
        assert [tuple(label for label, on in zip(TOPICS, row, strict=True) if on) for row in data.rows["labels"]] == expected


def test_training_mentions_that_do_not_fit_are_in_the_ledger(corpus, encoder):
    config = compose("train", *own_data(corpus), "model=hub", f"model.path={encoder}", *SMALL)
    article = Article("a", "Gao city", (Span(0, 3, ENTITIES[0]), Span(0, 8, ENTITIES[0])))
    (lost,) = encode_training(build_model(config.model, config.task), [article]).ledger
    assert (lost.article_id, lost.text, lost.reason) == ("a", "Gao", "overlapping")


def test_the_collator_pads_tokens_and_labels_of_windows():
    rows = [{"input_ids": [5, 6, 7], "labels": [IGNORED, 1, IGNORED]}, {"input_ids": [8, 9], "labels": [IGNORED, 2]}]
    batch = {name: tensor.tolist() for name, tensor in Collator("ner", 4)(rows).items()}
    assert batch == {
        "input_ids": [[5, 6, 7], [8, 9, 4]],
        "attention_mask": [[1, 1, 1], [1, 1, 0]],
        "labels": [[IGNORED, 1, IGNORED], [IGNORED, 2, IGNORED]],
    }


@pytest.mark.parametrize(("kind", "labels"), [("multi-label", [[1.0, 0.0], [0.0, 0.0]]), ("multi-class", [1, 0])])
def test_the_collator_says_which_article_a_window_belongs_to(kind, labels):
    rows = [{"windows": [[5, 6], [7]], "labels": labels[0]}, {"windows": [[8]], "labels": labels[1]}]
    batch = {name: tensor.tolist() for name, tensor in Collator(kind, 4)(rows).items()}
    assert batch == {
        "input_ids": [[5, 6], [7, 4], [8, 4]],
        "attention_mask": [[1, 1], [1, 0], [1, 0]],
        "window_owner": [0, 0, 1],
        "labels": labels,
    }


def test_mean_by_owner_is_the_mean_of_each_owners_rows():
    owner = torch.tensor([0, 0, 0, 1, 2, 2])
    logits = torch.randn(6, 4, generator=torch.Generator().manual_seed(0), requires_grad=True)
    by_loop = torch.stack([logits[owner == number].mean(dim=0) for number in range(3)])
    assert torch.allclose(mean_by_owner(logits, owner, 3), by_loop)
    gradients = [torch.autograd.grad((mean**2).sum(), logits)[0] for mean in (mean_by_owner(logits, owner, 3), by_loop)]
    assert torch.allclose(*gradients)


def test_encoder_and_head_have_their_own_rates_and_only_matrices_decay(model, config):
    groups = parameter_groups(model, config.trainer)
    settings = {id(parameter): (group["lr"], group["weight_decay"]) for group in groups for parameter in group["params"]}
    assert len(settings) == sum(len(group["params"]) for group in groups) == len(list(model.network.parameters()))
    for name, parameter in model.network.named_parameters():
        rate = config.trainer.head_learning_rate if name.startswith("classifier") else config.trainer.learning_rate
        is_matrix = name.endswith("weight") and "LayerNorm" not in name
        assert settings[id(parameter)] == (rate, config.trainer.weight_decay if is_matrix else 0), name


def test_timing_changes_neither_weights_nor_chance(model, config):
    data = encode_training(model, load_corpus(config.data, config.task).train)
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    state = torch.get_rng_state()
    assert tokens_per_second(model, data, 4, torch.device("cpu")) > 0
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.network.state_dict().items())
    assert all(parameter.grad is None for parameter in model.network.parameters())
