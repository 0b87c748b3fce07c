"""Training: what the network sees, at what rates, and that the best epoch is kept and can be had again."""

import json
from dataclasses import replace
from itertools import chain

import pytest
import torch
from sklearn.metrics import average_precision_score
from tiny import ENTITIES, SMALL, TOPICS, compose, own_data

from sitrep.articles import Article, Span
from sitrep.corpus import load_corpus
from sitrep.errors import InputError
from sitrep.models import build_model
from sitrep.runs import Run
from sitrep.training import CASE_RATE, CUTS, EpochLoader, encode_training, parameter_groups, tokens_per_second, use_bf16

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


def test_the_best_epoch_on_dev_is_kept(ner_run):
    f1s = [row["micro_f1"] for row in _history(ner_run)]
    assert len(f1s) == ner_run.config().trainer.epochs
    assert ner_run.metrics("dev")["strict"]["micro"]["f1"] == max(f1s) > 0.5
    assert len(set(f1s)) > 1


def test_the_kept_epoch_need_not_be_the_last(train, tmp_path):
    rising = ("trainer.epochs=8", "trainer.learning_rate=0.1", "trainer.head_learning_rate=0.1", "trainer.warmup=0.95")
    run = train(tmp_path / "run", *rising, "model.head=softmax")
    f1s = [row["micro_f1"] for row in _history(run)]
    assert f1s[-1] < max(f1s), "the rates were meant to rise until nothing is left"
    assert run.metrics("dev")["strict"]["micro"]["f1"] == max(f1s)


def test_patience_stops_training_early(train, tmp_path):
    run = train(tmp_path / "run", "trainer.epochs=9", "trainer.patience=2", "trainer.learning_rate=1e-9", "trainer.head_learning_rate=1e-9")
    assert len(_history(run)) == 3


def test_mentions_are_learnt_from_articles_cut_elsewhere_in_each_epoch(corpus, encoder):
    config = compose("train", *own_data(corpus), "model=hub", f"model.path={encoder}", *SMALL)
    model, articles = build_model(config.model, config.task), load_corpus(config.data, config.task).articles
    data, encoded = encode_training(model, articles), model.network.windower.encode(articles)
    assert len(data.cuts) == CUTS and len(data.rows) == sum(map(len, data.cuts))
    rows, seen = iter(data.rows), set()
    for cut in data.cuts:
        read = [next(rows)["input_ids"] for _ in cut]
        tokens = [row[1:-1] for row in read]
        assert list(chain.from_iterable(tokens)) == [token for article in encoded for token in article.token_ids]
        assert [(1, len(row)) for row in read] == cut and max(map(len, read)) <= config.task.windows.max_tokens
        seen.add(tuple(map(len, tokens)))
    assert len(seen) == CUTS
    assert (data.n_windows, data.n_tokens) == (len(data.cuts[0]), sum(length for _, length in data.cuts[0]))


def test_short_texts_are_cut_in_one_way(corpus, encoder):
    config = compose("train", *own_data(corpus), "model=hub", f"model.path={encoder}", *SMALL)
    data = encode_training(build_model(config.model, config.task), [Article(str(number), "Rain fell.") for number in range(3)])
    assert len(data.cuts) == 1 and len(data.rows) == 3


@pytest.mark.parametrize("config", ["topics", "region"], indirect=True)
def test_classes_are_learnt_from_every_article_whole(config, model):
    articles = load_corpus(config.data, config.task).articles
    data = encode_training(model, articles)
    encoded = model.network.windower.encode(articles)
    assert data.n_windows == sum(len(article.windows) for article in encoded) > len(articles)
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


def test_each_epoch_has_batches_of_its_own(train, monkeypatch, tmp_path):
    seen = []
    monkeypatch.setattr(EpochLoader, "set_epoch", lambda loader, epoch: (seen.append(epoch), loader.batch_sampler.set_epoch(epoch)))
    train(tmp_path / "run", *QUICK)
    assert seen == [0, 1]


def test_each_layer_and_the_head_have_their_own_rates_and_only_matrices_decay(model, config):
    trainer = replace(config.trainer, layer_decay=0.5)
    groups = parameter_groups(model, trainer)
    settings = {id(parameter): (group["lr"], group["weight_decay"]) for group in groups for parameter in group["params"]}
    assert len(settings) == sum(len(group["params"]) for group in groups) == len(list(model.network.parameters()))
    shares = {"embeddings": 1 / 4, "layer.0.": 1 / 2, "layer.1.": 1, "pooler": 1}
    for name, parameter in model.network.named_parameters():
        share = next((share for part, share in shares.items() if part in name), None)
        rate = trainer.learning_rate * share if share else trainer.head_learning_rate
        if "token_type" in name and config.task.kind == "ner":
            rate = trainer.learning_rate * CASE_RATE
        is_matrix = parameter.ndim == 2 and "LayerNorm" not in name
        assert settings[id(parameter)] == (rate, trainer.weight_decay if is_matrix else 0), name
    heads = {name for name, depth in model.depths().items() if depth is None}
    ner = {"body.classifier.weight", "body.classifier.bias", "transitions"}
    assert heads == (ner if config.task.kind == "ner" else {"classifier.weight", "classifier.bias"})


@pytest.mark.slow
def test_where_thresholds_are_fitted_the_best_epoch_is_that_of_the_highest_average_precision(train, tmp_path):
    run = train(tmp_path / "run", "task=topics", "trainer.epochs=8", "trainer.learning_rate=5e-3", "trainer.head_learning_rate=5e-2")
    rows = _history(run)
    gold, pred = run.articles("gold", "dev"), run.articles("predictions", "dev")
    right = [label in article.labels["topics"] for article in gold for label in TOPICS]
    scores = [article.scores["topics"][label] for article in pred for label in TOPICS]
    assert average_precision_score(right, scores) == pytest.approx(max(row["average_precision"] for row in rows))
    assert len({row["average_precision"] for row in rows}) > 1 and {"micro_f1", "macro_f1"} <= rows[0].keys()


def test_a_loss_that_is_not_finite_ends_the_training(train, tmp_path):
    broken = ("trainer.learning_rate=1e30", "trainer.head_learning_rate=1e30", "trainer.max_grad_norm=1e30", "trainer.warmup=0")
    with pytest.raises(InputError, match=r"the loss became (nan|inf) after \d+ updates; .* Lower trainer.learning_rate \(now 1e\+30\)"):
        train(tmp_path / "run", *QUICK, *broken)
    assert not list((tmp_path / "run").glob("*.json*")) and not (tmp_path / "run" / "checkpoint").exists()


def test_precision_is_as_told_or_what_the_hardware_multiplies():
    cpu = torch.device("cpu")
    assert use_bf16("bf16", cpu) is True and use_bf16("fp32", cpu) is False
    abilities = torch.cpu.get_capabilities()
    assert use_bf16("auto", cpu) == (abilities.get("avx512_bf16", False) or abilities.get("amx_bf16", False))


def test_nothing_is_pickled_beside_the_weights_of_a_state(train, tmp_path, monkeypatch):
    monkeypatch.setattr(Run, "drop_states", lambda run: None)  # leave the states behind
    run = train(tmp_path / "run", *QUICK)
    states = list(run.path.glob("checkpoint-*"))
    assert states and all((state / "trainer_state.json").exists() for state in states)
    assert not list(run.path.rglob("training_args.bin"))


def test_timing_changes_neither_weights_nor_chance(model, config):
    data = encode_training(model, load_corpus(config.data, config.task).train)
    before = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    state = torch.get_rng_state()
    assert tokens_per_second(model, data, config.trainer, torch.device("cpu")) > 0
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.network.state_dict().items())
    assert all(parameter.grad is None for parameter in model.network.parameters())
