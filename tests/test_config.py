from dataclasses import FrozenInstanceError, asdict

import pytest
from factories import refused, train_options
from omegaconf import OmegaConf

from sitrep.config import CompareConfig, EvaluateConfig, PredictConfig, TrainConfig, load

EVALUATE = {
    "run": "latest", "split": None, "articles": None, "name": None, "format": None, "text_dir": None, "drop_labels": [], "device": "cpu",
}  # fmt: skip
PREDICT = {"input": "in", "output": "out.jsonl", "format": None, "overwrite": False, "strict": False, "device": "cpu"}
COMPARE = {"runs": ["a", "b"], "name": "test"}


def test_load_gives_the_values_as_they_are():
    assert asdict(load(TrainConfig, train_options())) == train_options()


def test_loaded_configs_are_frozen_all_the_way_down():
    config = load(TrainConfig, train_options())
    with pytest.raises(FrozenInstanceError):
        config.seed = 2
    with pytest.raises(FrozenInstanceError):
        config.task.windows.overlap = 2


def test_references_are_resolved():
    composed = OmegaConf.create(train_options(task__labels="${data.labels.entities}"))
    config = load(TrainConfig, composed)
    assert config.task.labels == config.data.labels["entities"]


def test_hydra_part_is_left_out():
    assert load(CompareConfig, {**COMPARE, "hydra": {"job": {"name": "x"}}}) == CompareConfig(["a", "b"], "test")


@pytest.mark.parametrize(("schema", "options", "key"), [(CompareConfig, COMPARE, "runs"), (PredictConfig, PREDICT, "run")])
def test_a_single_run_is_a_list_of_one(schema, options, key):
    assert getattr(load(schema, {**options, key: "models/a"}), key) == ["models/a"]


def test_evaluate_takes_one_run_not_a_list():
    assert load(EvaluateConfig, EVALUATE).run == "latest"
    with refused("run: "):
        load(EvaluateConfig, {**EVALUATE, "run": ["a", "b"]})


@pytest.mark.parametrize("path", ["models/${x}", r"models\${x}", r"a\\${b}", "${", "$", "\\"])
def test_a_plain_value_is_no_reference_and_a_resolved_one_is_not_read_again(path):
    assert load(CompareConfig, {"runs": [path], "name": "test"}).runs == [path]
    composed = OmegaConf.create({"runs": [r"models/\${x}"], "name": "test"})
    assert load(CompareConfig, composed).runs == ["models/${x}"]


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"trainer__epoch": 3}, ["unknown option trainer.epoch", "did you mean 'trainer.epochs'?"]),
        ({"sed": 3}, ["unknown option sed", "did you mean 'seed'?"]),
        ({"task__windows__max_token": 3}, ["unknown option task.windows.max_token", "'task.windows.max_tokens'"]),
        ({"data__path": "???"}, ["data.path= is missing; give it on the command line"]),
        ({"trainer__epochs": "many"}, ["trainer.epochs: ", "'many'"]),
        ({"seed": None}, ["seed: "]),
        ({"task__labels": "PERSON"}, ["task"]),
        ({"seed": "${sede}"}, ["seed: ", "sede"]),
    ],
)
def test_misspelt_missing_and_mistyped_options(changes, problems):
    with refused(*problems):
        load(TrainConfig, OmegaConf.create(train_options(**changes)))


@pytest.mark.parametrize("key", ["seed", "task__windows__overlap", "trainer__warmup"])
def test_a_key_left_out_is_missing_and_has_no_default(key):
    options = train_options()
    *parents, last = key.split("__")
    node = options
    for parent in parents:
        node = node[parent]
    del node[last]
    with refused(f"{key.replace('__', '.')}= is missing"):
        load(TrainConfig, options)


TOPICS = {"task__kind": "multi-label", "task__field": "topics", "model__kind": "encoder", "model__path": "x"}


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"task__windows": {"max_tokens": 7, "overlap": 0}}, ["task.windows.max_tokens=7 must be at least 8"]),
        ({"task__windows__overlap": 17}, ["task.windows.overlap=17 must lie between 0 and half of max_tokens=32"]),
        ({"task__windows__overlap": -1}, ["task.windows.overlap=-1"]),
        ({"task__kind": "nre"}, ["task.kind='nre' is no kind", "did you mean 'ner'?"]),
        ({"task__field": "topics"}, ["task 'ner'", "NER has none"]),
        ({**TOPICS, "task__field": None}, ["a class task names its field"]),
        ({"task__labels": []}, ["task 'ner' has no labels", "'data.labels.entities=[LABEL,...]'"]),
        ({**TOPICS, "task__labels": ["a", "b", "a"]}, ["data.labels.topics holds a label twice: a, b, a"]),
        ({**TOPICS, "task__kind": "binary"}, ["data.labels.topics: a binary field declares its one positive label"]),
        ({**TOPICS, "model__kind": "lookup"}, ["model=lookup is a baseline for task=ner only"]),
        ({"data__split_by": "dates"}, ["data.split_by='dates' is unknown", "did you mean 'date'?"]),
        ({"data__split_by": "files"}, ["data.split_by='files' is unknown", "did you mean 'file'?"]),
        ({"data__sha256": {"a.txt": "0abc"}}, ["data.sha256 of a.txt: '0abc' is no SHA-256 (64 hex digits)"]),
        ({"data__split_shares": {"train": 0.8, "test": 0.2}}, ["data.split_shares must name train, dev, test, found train, test"]),
        ({"data__split_shares__dev": 0.2}, ["data.split_shares must be positive and add up to 1", "'dev': 0.2"]),
        ({"data__split_shares": {"train": 0.8, "dev": 0.0, "test": 0.2}}, ["data.split_shares must be positive"]),
        ({"model__kind": "loookup"}, ["model.kind='loookup' is unknown", "did you mean 'lookup'?"]),
        ({"model__kind": "encoder"}, ["an encoder needs model.path or model.package"]),
        ({"model__kind": "encoder", "model__path": "a", "model__package": "b"}, ["an encoder needs model.path or model.package"]),
        ({"trainer__epochs": 0}, ["trainer.epochs=0 must be positive"]),
        ({"trainer__learning_rate": -0.1}, ["trainer.learning_rate=-0.1 must be positive"]),
        ({"trainer__warmup": 1.0}, ["trainer.warmup=1.0"]),
        ({"trainer__patience": 0}, ["trainer.patience=0 must be positive or null"]),
    ],
)
def test_rules_between_training_options(changes, problems):
    with refused(*problems):
        load(TrainConfig, train_options(**changes))


@pytest.mark.parametrize(
    ("changes", "problems"),
    [
        ({"split": "dev", "articles": "x"}, ["give split= or articles=, not both"]),
        ({"split": "tset"}, ["split='tset' is no split", "did you mean 'test'?"]),
        ({"name": "mine"}, ["name=mine needs articles="]),
        ({"name": "test", "articles": "x"}, ["name=test is reserved for the split"]),
        ({"name": "../mine", "articles": "x"}, ["name='../mine' must be a plain file name"]),
        ({"name": ".mine", "articles": "x"}, ["name='.mine' must be a plain file name"]),
    ],
)
def test_rules_between_evaluation_options(changes, problems):
    with refused(*problems):
        load(EvaluateConfig, {**EVALUATE, **changes})
