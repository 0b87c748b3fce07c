"""Every command that the README and the pages beside it show parses and composes."""

import re
import shlex

import pytest
from factories import ROOT
from tiny import compose

from sitrep.formats import FORMATS
from sitrep.shell import check_arguments, quote_path

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), ROOT / "data" / "README.md"]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
COMMAND = re.compile(r"^(?:\$ )?python (train|evaluate|predict|compare|annotate)\.py *(.*)$", re.MULTILINE)
OWN_FIELD = "task=severity"  # docs/train.md shows its YAML


def shown_commands() -> list[tuple[str, str, str]]:
    """Return (page, command, arguments as written), the remark behind two spaces left off."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        blocks = [block for _, block in FENCE.findall(text)] + re.findall(r"`(python [^`\n]+)`", FENCE.sub("", text))
        found += [(page.name, *match) for block in blocks for match in COMMAND.findall(block)]
    return [(page, command, re.split(r"\s{2,}", arguments)[0]) for page, command, arguments in found]


def spellings(arguments: str) -> list[list[str]]:
    """Return the argument lists that a line with `[optional]` parts and `a|b` alternatives stands for, each alternative once."""
    choices = []
    for argument in shlex.split(arguments):
        optional = re.fullmatch(r"\[([\w.]+=.*)\]", argument)
        key, equals, values = (optional[1] if optional else argument).partition("=")
        options = [f"{key}={value}" for value in values.split("|") if value not in ("...", "value...")] if equals else [key]
        choices.append([None, *options] if optional else options)
    required = [options[0] for options in choices]
    lines = [[*required[:i], option, *required[i + 1 :]] for i, options in enumerate(choices) for option in options] or [[]]
    return [[argument for argument in line if argument is not None] for line in lines]


def test_a_line_with_options_is_spelt_out():
    assert spellings("run=R [a=1|2] [key=value...]") == [["run=R"], ["run=R"], ["run=R", "a=1"], ["run=R", "a=2"], ["run=R"]]
    assert spellings("") == [[]]


def test_all_commands_are_shown():
    assert {command for _, command, _ in shown_commands()} == {"train", "evaluate", "predict", "compare", "annotate"}
    assert len(shown_commands()) >= 20


@pytest.mark.parametrize(("page", "command", "arguments"), shown_commands())
def test_a_command_that_is_shown_composes(page, command, arguments, tmp_path):
    folder = tmp_path / "task"
    folder.mkdir()
    (example,) = [body for language, body in FENCE.findall((ROOT / "docs" / "train.md").read_text()) if language == "yaml"]
    (folder / "severity.yaml").write_text(example)
    for line in spellings(arguments):
        if any(word.startswith("resume=") for word in line):  # composes from the run, see test_resume.py
            continue
        own = ["--config-dir", str(tmp_path)] if OWN_FIELD in line else []
        check_arguments(command, [*own, *map(quote_path, line)])


def test_the_example_of_own_articles_loads():
    shown = {arguments for _, command, arguments in shown_commands() if command == "train" and "data=own data.path=" in arguments}
    whole = [line for line in map(shlex.split, shown) if OWN_FIELD not in line]
    assert len(whole) >= 2
    for line in whole:
        assert compose("train", *line).data.name == "own"


def test_the_examples_of_public_benchmarks_load():
    shown = [shlex.split(arguments) for _, command, arguments in shown_commands() if command == "train" and "data.path=" in arguments]
    names = {compose("train", *line).data.name for line in shown if OWN_FIELD not in line}
    assert names == {"own", "re3d", "re3d_conflibert", "insightcrime", "satp"}


def test_the_page_of_formats_lists_them_all_and_says_which_are_written():
    rows = re.findall(r"^\| (`.*?)\|", (ROOT / "docs" / "formats.md").read_text().partition("\n## ")[0], re.MULTILINE)
    lines = [line.split("|") for line in (ROOT / "docs" / "formats.md").read_text().splitlines() if line.startswith("| `")]
    table = {name: cells for cells in lines[: len(rows)] for name in re.findall(r"`(\w+)`", cells[1])}
    assert table.keys() == FORMATS.keys()
    assert {name for name, cells in table.items() if cells[4].strip() != "no"} == {
        name for name in FORMATS if hasattr(FORMATS[name], "write")
    }
