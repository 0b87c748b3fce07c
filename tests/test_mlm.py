"""Words learnt from articles without labels, by the real job, and the encoder that comes of it in other trainings."""

import json
import math
from dataclasses import replace

import pytest
import torch
import transformers
from factories import refused
from safetensors.torch import load_file
from tiny import SMALL, compose, own_data, write_encoder

from sitrep import jobs, learning
from sitrep.articles import Article
from sitrep.heads.mlm import MASKED
from sitrep.models import build_model, load_model
from sitrep.readers import open_reader_run
from sitrep.runs import Run
from sitrep.training import encode_training, parameter_groups, train_model
from sitrep.unlabelled import load_unlabelled
from sitrep.windows import IGNORED

RATES = ("trainer.learning_rate=1e-2", "trainer.head_learning_rate=1e-2", "trainer.epochs=6", "trainer.patience=null")


@pytest.fixture(scope="module")
def masked_encoder(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("encoder") / "masked", mask_token="[MASK]")


@pytest.fixture(scope="module")
def config(masked_encoder, corpus):
    """A config of task=mlm on the tiny corpus, whose split is kept."""
    return compose("train", "task=mlm", *own_data(corpus), "model=hub", f"model.path={masked_encoder}", *SMALL, *RATES)


@pytest.fixture(scope="module")
def start(config):
    def start(folder, **changes) -> Run:
        assert jobs.train(replace(config, **changes), folder) == 0
        return Run(folder)

    return start


@pytest.fixture(scope="module")
def mlm_run(start, tmp_path_factory) -> Run:
    return start(tmp_path_factory.mktemp("mlm") / "run")


@pytest.fixture
def model(config):
    return build_model(config.model, config.task)


def history(run) -> list[dict]:
    return [{**json.loads(line), "seconds": 0} for line in (run.path / "history.jsonl").read_text().splitlines()]


def weights(run) -> bytes:
    return (run.checkpoint_path / "model.safetensors").read_bytes()


def is_tied(body) -> bool:
    return body.get_input_embeddings().weight is body.get_output_embeddings().weight


def test_the_loss_falls_and_the_best_epoch_is_kept(mlm_run):
    rows = history(mlm_run)
    losses = [row["held_out_loss"] for row in rows]
    assert len(rows) == 6 and min(losses) < losses[0] < math.log(501) + 0.5
    assert list(rows[0]) == ["epoch", "step", "loss", "held_out_loss", "perplexity", "seconds"]
    assert rows[0]["perplexity"] == pytest.approx(math.exp(losses[0]), rel=1e-3)
    network = load_model(mlm_run.checkpoint_path).network
    dev = learning._load_corpus_once(mlm_run.config()).dev
    assert network.measure(dev, iter)["held_out_loss"] == pytest.approx(min(losses), abs=1e-4)
    assert mlm_run.info()["status"] == "finished"
    assert {entry["reason"] for entry in mlm_run.info()["left_out"]} <= {"the run's own dev", "the run's own test"}
    names = {path.relative_to(mlm_run.path).as_posix() for path in mlm_run.path.rglob("*") if path.is_file()}
    checkpoint = {"config.json", "model.safetensors", "sitrep.json", "tokenizer.json", "tokenizer_config.json"}
    assert names == {".lock", "run.json", "history.jsonl", "report.html", *(f"checkpoint/{name}" for name in checkpoint)}


def test_plain_transformers_opens_the_encoder(mlm_run):
    path = str(mlm_run.checkpoint_path)
    ours = load_model(mlm_run.checkpoint_path).network.body
    plain, whole = transformers.AutoModel.from_pretrained(path), transformers.AutoModelForMaskedLM.from_pretrained(path)
    tokens = transformers.AutoTokenizer.from_pretrained(path)("Gunmen left Gao.", return_tensors="pt")
    tokens = {name: tokens[name] for name in ("input_ids", "attention_mask")}
    with torch.inference_mode():
        hidden = ours.base_model(**tokens).last_hidden_state
        assert torch.equal(plain.eval()(**tokens).last_hidden_state, hidden)
        assert torch.equal(whole.eval()(**tokens).logits, ours(**tokens).logits)
    assert is_tied(whole) and is_tied(ours)
    assert len(transformers.pipeline("fill-mask", model=path, device="cpu")("Gunmen left [MASK].")) == 5


@pytest.mark.parametrize("task", ["ner", "topics", "mlm"])
@pytest.mark.parametrize("how", ["model.path", "model.init_from"])
def test_other_trainings_start_from_the_encoder(mlm_run, corpus, task, how):
    source = mlm_run.checkpoint_path if how == "model.path" else mlm_run.path
    config = compose("train", f"task={task}", *own_data(corpus), "model=hub", f"{how}={source}", *SMALL)
    body = build_model(config.model, config.task).network.body
    trained = load_model(mlm_run.checkpoint_path).network.body
    theirs, inherited = (network.base_model.state_dict() for network in (trained, body))
    layers = [name for name in theirs if "pooler" not in name]
    assert len(layers) > 20 and all(torch.equal(inherited[name], theirs[name]) for name in layers)
    if task == "mlm":
        assert all(torch.equal(one, other) for one, other in zip(body.parameters(), trained.parameters(), strict=True))


def test_ner_trains_on_from_it(mlm_run, corpus, tmp_path):
    config = compose("train", *own_data(corpus), "model=hub", f"model.init_from={mlm_run.path}", *SMALL, "trainer.epochs=1")
    assert jobs.train(config, tmp_path / "ner") == 0


@pytest.mark.slow
def test_the_same_seed_gives_the_same_encoder(start, mlm_run, tmp_path):
    same, other = start(tmp_path / "same"), start(tmp_path / "other", seed=2)
    assert weights(same) == weights(mlm_run) != weights(other)
    assert history(same) == history(mlm_run) != history(other)


@pytest.mark.slow
def test_a_resumed_training_ends_as_an_undisturbed_one(start, mlm_run, tmp_path, monkeypatch):
    run, append = Run(tmp_path / "run"), Run.append_history

    def interrupt(self, row):
        if row["epoch"] == 3:
            raise KeyboardInterrupt
        append(self, row)

    monkeypatch.setattr(Run, "append_history", interrupt)
    with pytest.raises(KeyboardInterrupt):
        start(run.path)
    monkeypatch.undo()
    assert run.last_state() and len(history(run)) == 2
    assert jobs.resume(run) == 0
    assert weights(run) == weights(mlm_run) and history(run) == history(mlm_run)


def test_masks_are_as_bert_s(model):
    head = model.network
    words = torch.tensor([[*head.windower.prefix, *head.word_ids[:400].tolist(), *head.windower.suffix, head.windower.pad_id]] * 100)
    torch.manual_seed(0)
    batch, again = head.mask({"input_ids": words}), head.mask({"input_ids": words})
    assert not torch.equal(batch["labels"], again["labels"])
    chosen = batch["labels"] != IGNORED
    assert torch.equal(batch["labels"][chosen], words[chosen]) and torch.equal(batch["input_ids"][~chosen], words[~chosen])
    assert not chosen[torch.isin(words, head.special_ids)].any()
    assert chosen.sum() / (100 * 400) == pytest.approx(MASKED, abs=0.01)
    seen = batch["input_ids"][chosen]
    shares = [(seen == head.mask_id).float().mean(), (seen == words[chosen]).float().mean()]
    assert shares == [pytest.approx(0.8, abs=0.02), pytest.approx(0.1, abs=0.02)]
    assert set(seen.tolist()) <= {head.mask_id, *head.word_ids.tolist()}


def test_only_masked_tokens_are_scored_and_the_loss_is_that_of_transformers(model):
    rows = encode_training(model, [Article("a", "Gunmen of the Red Banner left Gao on Friday. " * 9), Article("b", "Rain.")]).rows
    head = model.network.eval()
    torch.manual_seed(0)
    batch = head.collate(list(rows))
    with torch.inference_mode():
        assert head(**batch).item() == pytest.approx(head.body(**batch).loss.item(), rel=1e-5)
        assert head(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).shape[:2] == batch["input_ids"].shape
    empty = head(**{**batch, "labels": torch.full_like(batch["labels"], IGNORED)})
    assert empty.item() == 0
    empty.backward()


def test_held_out_masks_do_not_depend_on_chance(model):
    dev = [Article("a", "Gunmen of the Red Banner left Gao on Friday. " * 9)]
    first = model.network.measure(dev, iter)
    torch.manual_seed(5)
    state = torch.get_rng_state()
    assert model.network.measure(dev, iter) == first
    assert torch.equal(state, torch.get_rng_state())  # nor chance on them
    with refused("too short to measure"):
        model.network.measure([Article("b", "")], iter)


def test_the_tied_weights_learn_as_embeddings(model, config):
    depths = model.depths()
    assert depths["body.bert.embeddings.word_embeddings.weight"] == 2
    assert depths["body.cls.predictions.transform.dense.weight"] is None
    groups = parameter_groups(model, config.trainer)
    n_listed = sum(len(group["params"]) for group in groups)
    assert n_listed == len({id(parameter) for group in groups for parameter in group["params"]}) == len(depths)


def test_the_default_encoder_is_tied_when_built_saved_and_loaded(tmp_path):
    config = compose("train", "task=mlm")
    built = build_model(config.model, config.task)
    built.save(tmp_path / "checkpoint")
    loaded = load_model(tmp_path / "checkpoint")
    assert is_tied(built.network.body) and is_tied(loaded.network.body)
    for (name, one), (_, other) in zip(built.network.state_dict().items(), loaded.network.state_dict().items(), strict=True):
        assert torch.equal(one, other), name


def test_weights_stay_tied_through_the_states_of_the_trainer(config, corpus, tmp_path):
    """Its last and its best state hold the shared tensor twice; read back, one parameter stands for both."""
    model, run = build_model(config.model, config.task), Run(tmp_path)
    loaded = load_unlabelled(config.data, config.task)
    rows = encode_training(model, loaded.train)
    train_model(model, replace(config.trainer, epochs=2), rows, loaded.dev, run, seed=1, device=torch.device("cpu"))
    assert is_tied(model.network.body)
    state = load_file(run.last_state() / "model.safetensors")
    embeddings, decoder = (state[f"body.{name}.weight"] for name in ("bert.embeddings.word_embeddings", "cls.predictions.decoder"))
    assert torch.equal(embeddings, decoder)
    fresh = build_model(config.model, config.task)
    assert not torch.equal(fresh.network.body.get_input_embeddings().weight, embeddings)
    fresh.network.load_state_dict(state)
    assert is_tied(fresh.network.body) and torch.equal(fresh.network.body.get_output_embeddings().weight, decoder)


def test_its_runs_are_refused_where_something_is_to_be_found(mlm_run, tmp_path):
    message = ("is a run of task=mlm", f"model.init_from={mlm_run.path}")
    for call in (
        lambda: open_reader_run(str(mlm_run.path)),
        lambda: jobs.evaluate(compose("evaluate", f"run={mlm_run.path}")),
        lambda: jobs.predict(compose("predict", f"run={mlm_run.path}", "input=x", f"output={tmp_path / 'y.jsonl'}")),
        lambda: jobs.compare(compose("compare", f"runs=[{mlm_run.path},{mlm_run.path}]")),
    ):
        with refused(*message):
            call()


def test_a_tokenizer_without_mask_token_says_which_encoders_have_one(config, encoder):
    with refused(f"model.path={encoder}", "no mask token", "BERT, RoBERTa"):
        build_model(replace(config.model, path=str(encoder)), config.task)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("model=tfidf",), "goes on training an encoder"),
        (("task.leave_out=null",), "give paths, or [] for none"),
        (("task.labels=[A]",), "mlm learns without labels"),
        (("task.pooling=mean",), "task.pooling=mean does not fit"),
        (("task=ner", "+task.leave_out=[x]"), "task.leave_out is for kind mlm"),
        (("model.head=crf",), None),
    ],
)
def test_configs_that_do_not_fit(arguments, message):
    if message:
        with refused(message):
            compose("train", "task=mlm", *arguments)
    else:
        config = compose("train", "task=mlm", *arguments)
        with refused("model.head=crf is no head for task mlm"):
            build_model(config.model, config.task)
