"""What a result is made with: time, commit, versions."""

from __future__ import annotations

import hashlib
import importlib.metadata
import platform
import subprocess
import time
from pathlib import Path
from typing import Any

LIBRARIES = ("sitrep", "torch", "transformers", "datasets", "tokenizers", "scikit-learn", "skops", "numpy", "onnxruntime")


def versions() -> dict[str, str]:
    """Return the versions of Python, sitrep and the libraries that results depend on."""
    return {"python": platform.python_version(), **{name: importlib.metadata.version(name) for name in LIBRARIES}}


def head_commit() -> str | None:
    """Return the commit of the checkout, or None where there is none."""
    return _git("rev-parse", "HEAD")


def provenance() -> dict[str, Any]:
    """Return time, commit, versions, and whether the checkout held changes: what a result is made with."""
    commit = head_commit()
    started = time.strftime("%Y-%m-%dT%H:%M:%S%z")
    return {"started": started, "commit": commit, "dirty": bool(_git("status", "--porcelain")) if commit else None, "versions": versions()}


def model_sha256(checkpoint: Path) -> str:
    """Return the SHA-256 (hex) of the names and contents of a model's files; its card is written anew after every evaluation."""
    digest = hashlib.sha256()
    for path in sorted(path for path in checkpoint.rglob("*") if path.is_file() and path.name != "README.md"):
        with path.open("rb") as content:
            digest.update(f"{path.relative_to(checkpoint)}:{hashlib.file_digest(content, 'sha256').hexdigest()}\n".encode())
    return digest.hexdigest()


def _git(*arguments: str) -> str | None:
    command = ["git", "-C", str(Path(__file__).parent), *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None  # not a checkout, or no git: the versions must do
