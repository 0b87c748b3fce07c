"""The case of words: told to encoders whose tokenizer drops it, by token types that begin as what the encoder knows."""

import json
from dataclasses import replace

import pytest
import torch
from factories import refused
from tiny import KINDS, SMALL, compose, own_data, project_sentences, train_tokenizer
from transformers import DistilBertConfig, DistilBertModel

from sitrep.articles import Article
from sitrep.casing import drops_case
from sitrep.heads.base import pad_windows
from sitrep.models import build_model, load_model

TEXT = "Gao fell; US and us, McCain, A and a, 62nd G7, 350 ."


@pytest.fixture
def config(corpus, encoder):
    return compose("train", *own_data(corpus), "model=hub", f"model.path={encoder}", *SMALL)


@pytest.mark.parametrize("kind", KINDS)
def test_whether_a_tokenizer_drops_the_case(kind):
    assert drops_case(train_tokenizer(kind, project_sentences())) == (kind == "wordpiece")


def read(model, text):
    """Return the scores of a text of one window, special tokens included."""
    windower = model.network.windower
    (encoded,) = windower.encode([Article("a", text)])
    with torch.inference_mode():
        return model.network.eval().score(**pad_windows([windower.inputs(encoded, encoded.windows[0])], windower.pad_id))


def test_every_token_of_a_word_has_the_type_of_its_case(config):
    windower = build_model(config.model, config.task).network.windower
    (encoded,) = windower.encode([Article("a", TEXT)])
    types, (lower, title, upper, mixed) = encoded.types, windower.case_types
    assert lower == 0 and len({lower, title, upper, mixed}) == 4
    told = {TEXT[start:end]: type for start, end, type in zip(encoded.starts, encoded.ends, types, strict=True)}
    assert [told[piece] for piece in ("US", "us", "A", "a")] == [upper, lower, title, lower]
    start = TEXT.index("McCain")
    inside = [index for index, token in enumerate(encoded.starts) if start <= token < start + 6]
    assert len(inside) > 1 and {types[index] for index in inside} == {mixed}
    inputs = windower.inputs(encoded, encoded.windows[0])
    assert inputs["token_type_ids"] == [0, *types, 0] and len(inputs["input_ids"]) == len(types) + 2


def test_an_encoder_reads_as_before_until_it_has_learnt_the_case(config):
    told = build_model(config.model, config.task)
    plain = build_model(replace(config.model, case=False), config.task)
    plain.network.load_state_dict({name: value[:2] if "token_type" in name else value for name, value in told.network.state_dict().items()})
    assert torch.equal(read(told, TEXT), read(plain, TEXT))
    assert torch.equal(read(plain, "the US"), read(plain, "the us"))
    table = told.network.body.base_model.embeddings.token_type_embeddings
    assert table.num_embeddings == told.network.body.config.type_vocab_size == 5
    torch.nn.init.normal_(table.weight)
    assert not torch.allclose(read(told, "the US"), read(told, "the us"), atol=1e-3)


def test_class_fields_are_not_told_the_case_unless_asked(config):
    topics = replace(config.task, kind="multi-label", field="topics", labels=["bombing"], pooling="mean", thresholds="fixed")
    assert build_model(config.model, topics).network.windower.case_types is None
    model = build_model(replace(config.model, case=True), topics)
    assert model.network.windower.case_types == [0, 2, 3, 4]
    assert [name for name, _ in model.network.named_parameters() if model.tells_case(name)] == [
        "body.embeddings.token_type_embeddings.weight"
    ]


def test_what_was_learnt_is_saved_and_handed_on(config, tmp_path, ner_run):
    trained = load_model(ner_run.checkpoint_path)
    assert trained.network.windower.case_types == [0, 2, 3, 4]
    table = trained.network.body.base_model.embeddings.token_type_embeddings.weight
    assert not torch.allclose(table[2], table[0])
    heir = build_model(replace(config.model, init_from=str(ner_run.path)), config.task)
    assert torch.equal(heir.network.body.base_model.embeddings.token_type_embeddings.weight, table)
    classes = replace(config.task, kind="multi-label", field="topics", labels=["bombing"], pooling="mean", thresholds="fixed")
    assert build_model(replace(config.model, init_from=str(ner_run.path)), classes).network.windower.case_types == [0, 2, 3, 4]
    deaf = build_model(replace(config.model, init_from=str(ner_run.path), case=False), config.task)
    deaf.save(tmp_path / "deaf")
    assert load_model(tmp_path / "deaf").network.windower.case_types is None
    assert json.loads((tmp_path / "deaf" / "config.json").read_text())["type_vocab_size"] == 5


def test_an_encoder_without_token_types_cannot_be_told(config, encoder, tmp_path):
    tokenizer = train_tokenizer("wordpiece", project_sentences())
    folder = tmp_path / "distil"
    DistilBertModel(DistilBertConfig(vocab_size=len(tokenizer), dim=32, n_layers=1, n_heads=2, hidden_dim=32)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    without = replace(config.model, path=str(folder))
    assert build_model(without, config.task).network.windower.case_types is None
    with refused("model.case=true", str(folder), "set model.case=null"):
        build_model(replace(without, case=True), config.task)
