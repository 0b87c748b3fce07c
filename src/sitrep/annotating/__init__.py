"""The job of annotate.py: a module an action, each a function of its own config (annotate_config.py)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sitrep.annotating.agreement import agreement
from sitrep.annotating.check import check
from sitrep.annotating.convert import convert
from sitrep.annotating.counts import counts
from sitrep.annotating.importing import import_articles
from sitrep.annotating.next import next_articles
from sitrep.annotating.split import split
from sitrep.annotating.suspects import suspects

JOBS: dict[str, Callable[..., int]] = {
    "agreement": agreement,
    "check": check,
    "convert": convert,
    "counts": counts,
    "import": import_articles,
    "next": next_articles,
    "split": split,
    "suspects": suspects,
}


def annotate(config: Any) -> int:
    """Do what `config.action` names and return the exit code; `config` is of that action's class in `ACTIONS`."""
    return JOBS[config.action.name](config)
