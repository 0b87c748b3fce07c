"""What the entry scripts share: arguments -> checked config -> job -> exit code.

Hydra composes; before it does, values of path keys are quoted (a path may hold `=`, `,`, brackets) and a dry compose finds
misspelt keys and options, so that the answer can name the nearest right one.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import hydra
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from sitrep import config as schemas
from sitrep import jobs, loading
from sitrep.annotate_config import action_schema
from sitrep.errors import InputError, did_you_mean
from sitrep.finding import open_unfinished
from sitrep.processes import is_writer, share
from sitrep.runs import Run

log = logging.getLogger(__name__)

CONFIGS = Path(__file__).parents[2] / "configs"

SCHEMAS: dict[str, type] = {
    "train": schemas.TrainConfig,
    "evaluate": schemas.EvaluateConfig,
    "predict": schemas.PredictConfig,
    "compare": schemas.CompareConfig,
}  # of annotate it is the action's
JOBS: dict[str, Callable[..., int]] = {name: getattr(jobs, name) for name in (*SCHEMAS, "annotate")}
PATH_KEYS = {
    "run", "runs", "input", "output", "articles", "text_dir", "text_field", "id_field",  # a column may have any name
    "annotator", "annotator_a", "annotator_b", "predicted_by",  # as may a person or a model
    "into", "predictions", "report", "data_yaml", "a", "b",
    "data.path", "data.text_dir", "data.splits_path", "model.path", "model.init_from", "task.leave_out", "distil_from",
}  # fmt: skip


NESTED_LIST = "task.leave_out"  # a single value is a list of one here too, which `loading` sees to at top level only


def main(name: str) -> int:
    """Run the command `name` with the arguments of this process and return its exit code."""
    try:
        if name == "train" and any(argument.startswith("resume=") for argument in sys.argv[1:]):
            return _resume(sys.argv[1:])
        arguments = [quote_path(argument) for argument in sys.argv[1:]]
        composed = check_arguments(name, arguments)
        if name == "train" and not _is_sweep(arguments):
            arguments += _claim_run_folder(composed, arguments)
    except InputError as error:
        return _fail(error)
    codes: list[int] = []

    @hydra.main(version_base="1.3", config_path=str(CONFIGS), config_name=name)
    def run_job(composed: DictConfig) -> None:
        codes.append(_run_job(name, composed))

    sys.argv = [sys.argv[0], *arguments]
    run_job()
    return max(codes, default=0)


def _run_job(name: str, composed: DictConfig) -> int:
    folder = Path(HydraConfig.get().runtime.output_dir)
    folder = folder.relative_to(Path.cwd()) if folder.is_relative_to(Path.cwd()) else folder

    def job() -> int:
        job_config: Any = loading.load(schema_of(name, composed), composed)
        return JOBS[name](job_config, folder) if name == "train" else JOBS[name](job_config)

    code = _guarded(name, job, folder)
    if name == "train" and is_writer():
        _remove_empty_run(folder)
    return code


def schema_of(name: str, composed: DictConfig) -> type:
    """Return the class of a command's config."""
    return action_schema(composed.action.name) if name == "annotate" else SCHEMAS[name]


def _remove_empty_run(folder: Path) -> None:
    """Remove a run folder that holds nothing but what every start makes; whatever else stands there is not ours to remove."""
    if folder.is_dir() and {path.name for path in folder.iterdir()} <= {".hydra", "train.log", ".lock"}:
        shutil.rmtree(folder)
        with suppress(OSError):  # other runs stand beside it
            folder.parent.rmdir()


def _guarded(name: str, job: Callable[[], int], folder: Path) -> int:
    """Return the exit code of `job`; what users can mend or have asked for ends without a traceback."""
    try:
        return job()
    except InputError as error:
        return _fail(error)
    except KeyboardInterrupt:
        print(f"\ninterrupted: {_go_on(name, folder)}", file=sys.stderr)
        return 130


def _go_on(name: str, folder: Path) -> str:
    if name == "train":
        return f"go on with: python train.py resume={folder}" if Run(folder).has_learnt() else "nothing was learnt yet"
    return "the same command goes on where it stopped" if name == "predict" else "nothing was changed"


def _resume(arguments: Sequence[str]) -> int:
    """Go on with the run of `resume=RUN`; its config is the run's own, so that no other argument may change it."""
    references = [argument.partition("=")[2] for argument in arguments if argument.startswith("resume=")]
    run = open_unfinished(references[-1])
    others = [quote_path(argument) for argument in arguments if not argument.startswith("resume=")]
    if changed := _changed_keys(run, others):
        raise InputError(
            f"resume={run.path}: the run's config cannot change: {', '.join(changed)}; leave that out to go on, or train anew with it"
        )
    handlers: list[logging.Handler] = [logging.StreamHandler()]
    if is_writer():
        handlers.append(logging.FileHandler(run.path / "train.log"))
        handlers[-1].setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logging.basicConfig(level=logging.INFO if is_writer() else logging.WARNING, format="%(message)s", handlers=handlers)
    return _guarded("train", lambda: jobs.resume(run), run.path)


def _changed_keys(run: Run, arguments: Sequence[str]) -> list[str]:
    """Return `key=new (was old)` for each value in which `arguments` differ from those that the run began with."""
    if not arguments:
        return []
    overrides = run.path / ".hydra" / "overrides.yaml"
    began_with = yaml.safe_load(overrides.read_text(encoding="utf-8")) if overrides.exists() else []
    composed = check_arguments("train", [*began_with, *arguments])
    new = asdict(loading.load(schemas.TrainConfig, OmegaConf.masked_copy(composed, [str(key) for key in composed if key != "hydra"])))
    old, new = loading.flatten(run.info()["config"]), loading.flatten(json.loads(json.dumps(new)))
    return [f"{key}={new.get(key)} (was {old.get(key)})" for key in sorted(old.keys() | new.keys()) if old.get(key) != new.get(key)]


def _fail(error: InputError) -> int:
    print(f"error: {error}", file=sys.stderr)
    return 1


def quote_path(argument: str) -> str:
    """Return `key=value` with the value quoted for Hydra if the key holds a path; other arguments as they are.

    `run=[A,B]`, `runs=[A,B]` and `task.leave_out=[A,B]` stay lists, their items quoted, unless a path of that very name exists.
    """
    key, equals, value = argument.partition("=")
    if not equals or key.lstrip("+") not in PATH_KEYS or value in ("", "null", "???"):
        return argument
    is_path = os.path.exists(value)  # noqa: PTH110 (Path raises where a long list is no valid name)
    if key.lstrip("+") in (*loading.LISTS, NESTED_LIST) and value.startswith("[") and value.endswith("]") and not is_path:
        items = [item.strip() for item in value[1:-1].split(",") if item.strip()]
        if any(item[:1] in ("'", '"') for item in items):
            return argument  # quoted by the user
        return f"{key}=[{','.join(map(_quote, items))}]"
    return f"{key}=[{_quote(value)}]" if key.lstrip("+") == NESTED_LIST else f"{key}={_quote(value)}"


def _quote(value: str) -> str:
    value = loading.escape_reference(value)
    value = re.sub(r"(\\*)('|\Z)", lambda match: match[1] * 2 + (r"\'" if match[2] else ""), value)
    return f"'{value}'"


def check_arguments(name: str, arguments: Sequence[str]) -> DictConfig:
    """Compose the config of `name` without running it.

    Raises:
        InputError: for a misspelt key or option, with the nearest right one.
    """
    own, arguments = _own_configs(arguments)
    folders = [CONFIGS, *own]
    raw = [argument for argument in arguments if not argument.startswith("-") and ("=" in argument or argument.startswith("~"))]
    stray = [argument for argument in arguments if not argument.startswith("-") and argument not in raw]
    if stray and not any(argument.startswith("-") for argument in arguments):
        raise InputError(f"{stray[0]!r}: arguments are written key=value; see python {name}.py --help")
    try:
        overrides = [_first_of_sweep(override) for override in OverridesParser.create().parse_overrides(raw)]
    except HydraException as error:
        raise InputError(f"cannot be parsed: {_first_line(error)}; values with special characters need quotes: 'key=\"value\"'") from error
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        for override in overrides:
            _check_option(override, folders)
        search = [f"hydra.searchpath=[{','.join(_quote(f'file://{folder}') for folder in own)}]"] if own else []
        options = [override.input_line or "" for override in overrides if _is_group(override, folders)]
        known = loading.known_keys(_compose(name, search + options))
        for override in overrides:
            if not _is_group(override, folders):
                _check_key(override, known)
        return _compose(name, search + [override.input_line or "" for override in overrides])


def _own_configs(arguments: Sequence[str]) -> tuple[list[Path], list[str]]:
    """Return the folder that Hydra's `--config-dir` adds to ours, if it is given, and the other arguments."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config-dir", "-cd", type=Path)
    given, others = parser.parse_known_args(arguments)
    if given.config_dir and not given.config_dir.is_dir():
        raise InputError(f"--config-dir {given.config_dir}: no such folder")
    return [given.config_dir.resolve()] if given.config_dir else [], others


def _compose(name: str, overrides: Sequence[str]) -> DictConfig:
    try:
        return hydra.compose(name, list(overrides), return_hydra_config=name == "train")
    except (HydraException, OmegaConfBaseException) as error:
        raise InputError(_first_line(error)) from error


def _first_of_sweep(override: Override) -> Override:
    if override.is_sweep_override():
        first = next(iter(override.sweep_string_iterator()))
        return OverridesParser.create().parse_override(f"{override.input_line.split('=', 1)[0]}={first}")  # type: ignore[union-attr]
    return override


def _is_group(override: Override, folders: Sequence[Path]) -> bool:
    return any((folder / override.key_or_group).is_dir() for folder in folders)


def _check_option(override: Override, folders: Sequence[Path]) -> None:
    group, value = override.key_or_group, override.value()
    if _is_group(override, folders) and isinstance(value, str):
        options = [path.stem for folder in folders for path in (folder / group).glob("*.yaml")]
        if value not in options:
            raise InputError(f"{group}={value} is unknown{did_you_mean(value, options)}")


def _check_key(override: Override, known: Sequence[str]) -> None:
    key = override.key_or_group
    if override.is_add() or key.startswith("hydra") or key in known:
        return
    parent = key.rpartition(".")[0]
    # the nearest among its siblings, or a key of that name elsewhere; else among all
    near = [name for name in known if name.rpartition(".")[2] == key.rpartition(".")[2]] or [
        name for name in known if name.rpartition(".")[0] == parent and "." not in name.removeprefix(f"{parent}.")
    ]
    raise InputError(f"unknown option {key}{did_you_mean(key, near or known)}")


def _is_sweep(arguments: Sequence[str]) -> bool:
    return any(argument in ("-m", "--multirun") for argument in arguments)


def _claim_run_folder(composed: DictConfig, arguments: Sequence[str]) -> list[str]:
    """Make the run folder exclusively, so that two starts in one second get two, and return the overrides that name it.

    Of several processes the writer makes it; the others learn its name and leave Hydra's files to the writer.
    """
    if any(argument.startswith(("-", "hydra.")) for argument in _own_configs(arguments)[1]):
        return []  # --help, --cfg and the like run nothing
    folder = share(_make_run_folder(Path(composed.hydra.run.dir)) if is_writer() else None)
    others = [] if is_writer() else ["hydra.output_subdir=null", "hydra/job_logging=none"]
    return [f"hydra.run.dir={_quote(str(folder))}", *others]


def _make_run_folder(folder: Path) -> Path:
    for attempt in range(1, 1000):
        claimed = folder if attempt == 1 else folder.with_name(f"{folder.name}.{attempt}")
        try:
            claimed.mkdir(parents=True)
            return claimed
        except FileExistsError:
            continue
    raise InputError(f"{folder}: 1,000 runs began in the same second; look for a loop that starts them")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
