from dataclasses import FrozenInstanceError, asdict

import pytest
from factories import command_options, refused, train_options
from omegaconf import OmegaConf

from sitrep.config import CompareConfig, EvaluateConfig, PredictConfig, TrainConfig
from sitrep.loading import load

EVALUATE = command_options("evaluate", run="latest")
PREDICT = command_options("predict", input="in", output="out.jsonl")
COMPARE = {"runs": ["a", "b"], "name": "test", "output": None, "fail_below": None}


def test_load_gives_the_values_as_they_are():
    assert asdict(load(TrainConfig, train_options())) == train_options()


def test_what_only_mlm_and_students_have_need_not_be_given():
    options = train_options()
    for key in ("held_back", "leave_out"):  # as in runs and YAML files written before there was mlm
        del options["task"][key]
    del options["model"]["layers"], options["distil"], options["distil_from"]
    assert asdict(load(TrainConfig, options)) == train_options()


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
    assert load(CompareConfig, {**COMPARE, "hydra": {"job": {"name": "x"}}}) == CompareConfig(["a", "b"], "test", None, None)


@pytest.mark.parametrize(("schema", "options", "key"), [(CompareConfig, COMPARE, "runs"), (PredictConfig, PREDICT, "run")])
def test_a_single_run_is_a_list_of_one(schema, options, key):
    assert getattr(load(schema, {**options, key: "models/a"}), key) == ["models/a"]


def test_evaluate_takes_one_run_not_a_list():
    assert load(EvaluateConfig, EVALUATE).run == "latest"
    with refused("run: "):
        load(EvaluateConfig, {**EVALUATE, "run": ["a", "b"]})


@pytest.mark.parametrize("path", ["models/${x}", r"models\${x}", r"a\\${b}", "${", "$", "\\"])
def test_a_plain_value_is_no_reference_and_a_resolved_one_is_not_read_again(path):
    assert load(CompareConfig, {**COMPARE, "runs": [path]}).runs == [path]
    composed = OmegaConf.create({**COMPARE, "runs": [r"models/\${x}"], "name": "test"})
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
