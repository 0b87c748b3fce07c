"""Heads by name: what turns an encoder's scores into mentions or classes, and labels into what it learns from."""

from __future__ import annotations

from sitrep.config import NER, TaskConfig
from sitrep.errors import InputError, did_you_mean
from sitrep.heads.base import Head
from sitrep.heads.classes import ClassHead
from sitrep.heads.spans import SpanHead
from sitrep.heads.tags import CrfHead, SoftmaxHead

HEADS: dict[str, type[Head]] = {"softmax": SoftmaxHead, "crf": CrfHead, "span": SpanHead}


def choose_head(name: str | None, task: TaskConfig) -> type[Head]:
    """Return the head called `name` for mentions, the one head there is for classes.

    Raises:
        InputError: if there is no head of that name.
    """
    if task.kind != NER:
        return ClassHead
    if name not in HEADS:
        raise InputError(f"model.head={name} is unknown{did_you_mean(str(name), HEADS)}")
    return HEADS[name]
