"""What a result is made with: time, commit, versions."""

from __future__ import annotations

import importlib.metadata
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

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
