"""The job of annotate.py: a module an action, each a function of its own config (annotate_config.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sitrep.annotating.counts import counts
from sitrep.annotating.next import next_articles
from sitrep.annotating.split import split
from sitrep.annotating.suspects import suspects

JOBS: dict[str, Callable[..., int]] = {"counts": counts, "next": next_articles, "split": split, "suspects": suspects}


def annotate(config: Any) -> int:
    """Do what `config.action` names and return the exit code; `config` is of that action's class in `ACTIONS`."""
    return JOBS[config.action.name](config)
