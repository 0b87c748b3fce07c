"""Every YAML in configs/ composes and loads. A new one needs a line in CASES."""

import re
from collections import Counter

import hydra
import pytest
import yaml
from factories import refused
from tiny import compose

from sitrep.annotate_config import action_schema
from sitrep.config import SPLITS
from sitrep.formats import FORMATS
from sitrep.shell import CONFIGS, SCHEMAS, check_arguments
from sitrep.splits import read_splits

OWN = ("data=own", "data.path=x", "data.labels.entities=[A]")
CASES = {
    "train": ("train",),
    "evaluate": ("evaluate", "run=latest"),
    "predict": ("predict", "run=latest", "input=x", "output=y.jsonl"),
    "compare": ("compare", "runs=[a,b]"),
    "annotate": ("annotate",),
    "quiet": ("annotate",),
    "action/convert": ("annotate", "action=convert", "input=x", "output=y.jsonl"),
    "action/split": ("annotate", "action=split"),
    "action/counts": ("annotate", "action=counts"),
    "action/import": ("annotate", "action=import", "input=x"),
    "action/check": ("annotate", "action=check", "input=x"),
    "action/agreement": ("annotate", "action=agreement", "a=x", "b=y"),
    "action/suspects": ("annotate", "action=suspects"),
    "action/next": ("annotate", "action=next", "run=latest", "input=x"),
    "data/articles": ("train", "data=articles"),
    "data/own": ("train", *OWN),
    "data/re3d": ("train", "data=re3d", "data.path=x"),
    "data/re3d_conflibert": ("train", "data=re3d_conflibert", "data.path=x"),
    "data/insightcrime": ("train", "data=insightcrime", "data.path=x", "task=topics"),
    "data/satp": ("train", "data=satp", "data.path=x", "task=topics"),
    "model/minilm": ("train", "model=minilm"),
    "model/minilm3": ("train", "model=minilm3"),
    "model/hub": ("train", "model=hub", "model.path=x"),
    "model/lookup": ("train", "model=lookup"),
    "model/tfidf": ("train", "model=tfidf", "task=topics"),
    "task/ner": ("train", "task=ner"),
    "task/topics": ("train", "task=topics"),
    "task/region": ("train", "task=region"),
    "task/mlm": ("train", "task=mlm"),
    "trainer/mlm": ("train", "task=mlm"),
    "trainer/ner": ("train", "trainer=ner", "task=ner"),
    "trainer/classification": ("train", "task=region"),
    "experiment/quickstart": ("train", "experiment=quickstart"),
    "experiment/re3d_conflibert": ("train", "experiment=re3d_conflibert", "data.path=x"),
    "hydra/job_logging/run": ("train",),
    "hydra/job_logging/stderr": ("evaluate", "run=latest"),
}


def test_every_config_is_a_case():
    assert {path.relative_to(CONFIGS).with_suffix("").as_posix() for path in CONFIGS.rglob("*.yaml")} == CASES.keys()


@pytest.mark.parametrize("name", CASES)
def test_a_config_composes_and_loads(name):
    command, *arguments = CASES[name]
    check_arguments(command, arguments)
    config = compose(command, *arguments)
    assert isinstance(config, action_schema(config.action.name) if command == "annotate" else SCHEMAS[command])
    group, _, option = name.rpartition("/")
    if group in ("action", "data", "model", "task"):
        assert getattr(config, group).name == option


@pytest.mark.parametrize(
    ("task", "name"),
    [("ner", "trainer/ner"), ("topics", "trainer/classification"), ("region", "trainer/classification"), ("mlm", "trainer/mlm")],
)
def test_a_task_chooses_its_trainer(task, name):
    expected = yaml.safe_load((CONFIGS / f"{name}.yaml").read_text())
    trainer = compose("train", f"task={task}").trainer
    assert (trainer.epochs, trainer.batch_tokens) == (expected["epochs"], expected["batch_tokens"])


@pytest.mark.parametrize("task", ["ner", "topics", "region"])
def test_the_labels_of_a_task_are_those_of_its_data(task):
    config = compose("train", f"task={task}")
    assert config.task.labels == config.data.labels[config.task.field or "entities"]
    assert set(config.data.split_shares) == set(SPLITS)


def test_mlm_holds_back_the_articles_that_models_are_measured_on():
    task = compose("train", "task=mlm", *OWN).task
    assert task.held_back == compose("train").data
    assert compose("train", "task=mlm", "task.held_back=null").task.held_back is None


BENCHMARKS = {"re3d": ("ner", 14, 14), "re3d_conflibert": ("ner", 10, 3), "insightcrime": ("topics", 7, 3), "satp": ("topics", 4, 3)}


@pytest.mark.parametrize(("name", "task", "n_labels", "n_files"), [(name, *facts) for name, facts in BENCHMARKS.items()])
def test_a_public_benchmark_says_where_its_files_come_from(name, task, n_labels, n_files):
    config = compose("train", f"data={name}", f"task={task}", "data.path=x")
    assert len(config.task.labels) == n_labels
    assert len(config.data.sha256) == n_files
    assert "at commit" in config.data.upstream
    assert config.data.format in FORMATS
    with refused("data.path= is missing"):
        compose("train", f"data={name}", f"task={task}")


@pytest.mark.parametrize(("name", "task"), [("re3d", "topics"), ("satp", "ner")])
def test_a_benchmark_without_labels_for_the_task_says_so(name, task):
    with refused(f"task {task!r} has no labels"):
        compose("train", f"data={name}", f"task={task}", "data.path=x")


def test_the_split_of_re3d_holds_ids_only():
    path = compose("train", "data=re3d", "data.path=x").data.splits_path
    splits = read_splits(CONFIGS.parent / path)
    assert Counter(splits.values()) == {"train": 64, "dev": 15, "test": 19}
    assert all(re.fullmatch("[0-9A-F]{32}", article_id) for article_id in splits)


@pytest.mark.parametrize("command", ["evaluate", "predict", "compare", "annotate"])
def test_commands_that_are_no_runs_leave_nothing_behind(command, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        settings = hydra.compose(command, return_hydra_config=True).hydra
    assert (settings.output_subdir, settings.run.dir) == (None, ".")
    assert list(settings.job_logging.root.handlers) == ["console"]
    assert settings.job_logging.handlers.console.stream == "ext://sys.stderr"
