"""The shell of the entry scripts: paths of any kind, misspelt options, run folders."""

import sys
from pathlib import Path

import hydra
import pytest
from factories import command_options
from hydra.core.override_parser.overrides_parser import OverridesParser
from hypothesis import assume, example, given
from hypothesis import strategies as st
from omegaconf import OmegaConf
from tiny import compose, own_data

from sitrep import shell
from sitrep.config import PredictConfig, load
from sitrep.errors import InputError

PATHS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1) | st.lists(
    st.sampled_from(
        ["é", "🚁", "=", ",", "[", "]", "{", "}", "'", '"', "\\", "${x}", "$", "${", " ", "(", ":", "~", "+", "null", "x", "/", "#", "\n"]
    ),
    min_size=1,
).map("".join)


def load_predict(*arguments: str) -> PredictConfig:
    """Return what Hydra and the schema make of arguments, without the time that a full compose takes."""
    overrides = OverridesParser.create().parse_overrides([shell.quote_path(argument) for argument in arguments])
    values = {"run": "x", "input": "x", "output": "x"} | {override.key_or_group: override.value() for override in overrides}
    return load(PredictConfig, OmegaConf.create(command_options("predict", **values)))


@example("data/é/🚁 [1], (2) = 'a' \"b\" \\ ${x} \\${y} \\\\${z} \\\\'")
@example("ends in \\")
@example("ends in \\\\")
@example("\\\\\\${x}")
@example("???x")
@given(path=PATHS)
def test_a_path_may_hold_anything(path):
    assume(path not in ("null", "???"))
    config = load_predict(f"input={path}", f"output={path}")
    assert (config.input, config.output) == (path, path)


@example(["a=b", "[c]", "d'e", "${x}", "f\\"])
@given(paths=st.lists(PATHS.filter(lambda path: path.strip() == path and "," not in path and path[0] not in "'\""), min_size=1, max_size=3))
def test_a_list_of_runs_may_hold_anything_but_commas(paths):
    assert load_predict(f"run=[{','.join(paths)}]").run == paths


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("run=models/a,b", ["models/a,b"]), ("run=[a, b]", ["a", "b"]), ("run=['a,b',c]", ["a,b", "c"])],
)
def test_a_single_run_is_a_list_of_one(argument, expected):
    assert compose("predict", argument, "input=x", "output=y.jsonl").run == expected


@pytest.mark.parametrize(
    ("argument", "expected"),
    [("task.leave_out=a=b (c)", ["a=b (c)"]), ("task.leave_out=[conll:a b, c=d]", ["conll:a b", "c=d"]), ("task.leave_out=[]", [])],
)
def test_paths_to_leave_out_are_a_list(argument, expected):
    assert compose("train", "task=mlm", argument).task.leave_out == expected


def test_an_empty_list_of_runs_is_refused():
    with pytest.raises(InputError, match=r"names no run"):
        compose("predict", "run=[]", "input=x", "output=y.jsonl")


def test_a_folder_whose_name_looks_like_a_list_is_one_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("[a,b]").mkdir()
    assert compose("predict", "run=[a,b]", "input=x", "output=y.jsonl").run == ["[a,b]"]


def test_other_arguments_are_left_to_hydra():
    for argument in ("trainer.epochs=3", "seed=1,2", "--help", "data.labels.entities=[A,B]", "text_dir=null", "-m"):
        assert shell.quote_path(argument) == argument


@pytest.mark.parametrize(
    ("command", "argument", "message"),
    [
        ("train", "trainer.epoch=3", "unknown option trainer.epoch; did you mean 'trainer.epochs'"),
        ("train", "traner.epochs=3", "unknown option traner.epochs; did you mean 'trainer.epochs'"),
        ("train", "epochs=3", "unknown option epochs; did you mean 'trainer.epochs'"),
        ("train", "model=minilmm", "model=minilmm is unknown; did you mean 'minilm'"),
        ("train", "task=toppics", "task=toppics is unknown; did you mean 'topics'"),
        ("evaluate", "splt=dev", "unknown option splt; did you mean 'split'"),
        ("predict", "imput=x", "unknown option imput; did you mean 'input'"),
        ("annotate", "action=splits", "action=splits is unknown; did you mean 'split'"),
        ("train", "nonsense", "'nonsense': arguments are written key=value"),
        ("train", "trainer.epochs=[", "cannot be parsed"),
    ],
)
def test_a_misspelt_option_is_answered_with_the_nearest(command, argument, message):
    with pytest.raises(InputError) as caught:
        shell.check_arguments(command, [argument])
    assert message in str(caught.value)


def test_a_misspelt_key_that_is_added_is_answered_too():
    with pytest.raises(InputError, match=r"unknown option trainer.epoch; did you mean 'trainer.epochs'"):
        compose("train", "+trainer.epoch=3")


@pytest.mark.parametrize(
    "arguments",
    [
        ["seed=1,2,3", "-m"],
        ["task=ner,topics"],
        ["trainer.epochs=range(1,4)", "-m"],
        ["+data.labels.extra=[a]"],
        ["~experiment"],
        ["hydra.job.name=x"],
    ],
)
def test_right_arguments_pass(arguments):
    assert shell.check_arguments("train", arguments).task.name == "ner"


def test_two_starts_in_one_second_get_two_folders(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    composed = shell.check_arguments("train", [])
    with hydra.initialize_config_dir(str(shell.CONFIGS), version_base="1.3"):
        claims = [hydra.compose("train", shell._claim_run_folder(composed, []), return_hydra_config=True) for _ in range(3)]
    folders = [claim.hydra.run.dir for claim in claims]
    assert len(set(folders)) == 3 and all(Path(folder).is_dir() for folder in folders)


@pytest.fixture
def start(tmp_path, monkeypatch):
    """Return a function that runs a command in this process, in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run_command(name: str, *arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", [f"{name}.py", *arguments])
        return shell.main(name)

    return run_command


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data=own", "data.path=nowhere", "data.labels.entities=[A]"], "nowhere: no such file, folder or glob match"),
        (["+trainer.epoch=3"], "did you mean 'trainer.epochs'"),
        (["trainer.epochs=0"], "trainer.epochs=0 must be positive"),
        (["trainer.epochs=many"], "trainer.epochs"),
        (["data=own"], "data.path= is missing"),
    ],
)
def test_a_failed_start_leaves_no_folder(start, capsys, arguments, message):
    assert start("train", *arguments) == 1
    assert message in capsys.readouterr().err
    assert [path.name for path in Path.cwd().rglob("*")] in ([], ["models"])


def test_a_device_that_is_missing_leaves_no_folder(start, corpus, encoder, capsys):
    model = ("model=hub", f"model.path={encoder}", "task.windows.max_tokens=48", "task.windows.overlap=8")
    assert start("train", *own_data(corpus), *model, "device=cuda:7") == 1
    assert "device=cuda:7: not on this machine" in capsys.readouterr().err
    assert [path.name for path in Path.cwd().rglob("*")] in ([], ["models"])


def test_a_run_holds_its_log_and_its_config(start, corpus, capsys):
    assert start("train", *own_data(corpus), "model=lookup") == 0
    (run,) = Path("models/own-ner-lookup").iterdir()
    assert {path.name for path in run.iterdir()} >= {".hydra", "train.log", "run.json", "checkpoint", "metrics"}
    assert "train, " in (run / "train.log").read_text()
    assert f"python evaluate.py run={run}" in capsys.readouterr().out


def test_a_sweep_makes_a_run_a_job(start, corpus):
    assert start("train", *own_data(corpus), "model=lookup", "seed=1,2", "-m") == 0
    assert sorted(run.name.split("-", 2)[2] for run in Path("models/own-ner-lookup").iterdir()) == ["s1-0", "s2-1"]
