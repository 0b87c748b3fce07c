"""Heads by name: what turns an encoder's scores into mentions, classes or words, and labels into what it learns from."""

from __future__ import annotations

from sitrep.config import MLM, NER, TaskConfig
from sitrep.errors import InputError, did_you_mean
from sitrep.heads.base import Head
from sitrep.heads.classes import FirstHead, MeanHead
from sitrep.heads.mlm import MlmHead
from sitrep.heads.spans import SpanHead
from sitrep.heads.tags import CrfHead, SoftmaxHead

MENTION_HEADS: dict[str, type[Head]] = {"crf": CrfHead, "softmax": SoftmaxHead, "span": SpanHead}
CLASS_HEADS: dict[str, type[Head]] = {"mean": MeanHead, "first": FirstHead}
WORD_HEADS: dict[str, type[Head]] = {"mlm": MlmHead}


def choose_head(name: str | None, task: TaskConfig) -> tuple[str, type[Head]]:
    """Return the head called `name` and its name; None stands for the first that fits the task.

    Raises:
        InputError: if there is no head of that name for the task.
    """
    heads = {NER: MENTION_HEADS, MLM: WORD_HEADS}.get(task.kind, CLASS_HEADS)
    name = name or next(iter(heads))
    if name not in heads:
        raise InputError(f"model.head={name} is no head for task {task.name}{did_you_mean(name, heads)}")
    return name, heads[name]
