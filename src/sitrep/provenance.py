"""What a result is made with: time, commit, versions; and what was not made by `train.py`."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sitrep.errors import InputError

NO_MODEL = {"recipe": "was made by {}"}  # keys of run.json that say why a run has scores and no model to load
LIBRARIES = ("sitrep", "torch", "transformers", "datasets", "tokenizers", "scikit-learn", "skops", "numpy")


def provenance() -> dict[str, Any]:
    """Return time, commit, versions, and whether the checkout held changes: what a result is made with."""
    commit = _git("rev-parse", "HEAD")
    versions = {"python": platform.python_version()}
    for name in LIBRARIES:
        versions[name] = importlib.metadata.version(name)
    started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    return {"started": started, "commit": commit, "dirty": bool(_git("status", "--porcelain")) if commit else None, "versions": versions}


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None  # not a checkout, or no git: the versions must do


def check_model(what: str, info: Mapping[str, Any]) -> None:
    """Refuse `what`, a run of which run.json says that it holds scores and no model.

    Raises:
        InputError: who made it.
    """
    for key in info.keys() & NO_MODEL.keys():
        why = NO_MODEL[key].format(info[key])
        raise InputError(f"{what}: {why} and holds scores, but no model; compare.py takes it, other commands need a run of train.py")
