"""Frozen dataclasses that mirror `configs/`, and `load()`, the only call into OmegaConf.

YAML holds the values; here stand the types and the rules between fields. Nothing that changes a result has a default here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, is_dataclass, make_dataclass
from functools import cache
from typing import Any, TypeVar, get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import ConfigKeyError, MissingMandatoryValue, OmegaConfBaseException

from sitrep.errors import InputError, did_you_mean

NER = "ner"
KINDS = (NER, "multi-label", "multi-class", "binary")
SPLITS = ("train", "dev", "test")
PRECISIONS = ("auto", "fp32", "bf16")


@dataclass(frozen=True)
class WindowsConfig:
    """How articles are cut for the encoder; both in tokens, special tokens counted in `max_tokens` only."""

    max_tokens: int
    overlap: int

    def __post_init__(self) -> None:
        _require(self.max_tokens >= 8, f"task.windows.max_tokens={self.max_tokens} must be at least 8")
        _require(
            0 <= self.overlap <= self.max_tokens // 2,
            f"task.windows.overlap={self.overlap} must lie between 0 and half of max_tokens={self.max_tokens}",
        )


@dataclass(frozen=True)
class TaskConfig:
    """What is learnt: the mentions (`kind: ner`), or a class field of the article."""

    name: str
    kind: str
    field: str | None
    labels: list[str]
    windows: WindowsConfig

    def __post_init__(self) -> None:
        _require(self.kind in KINDS, f"task.kind={self.kind!r} is no kind{did_you_mean(self.kind, KINDS)}")
        _require(bool(self.field) == (self.kind != NER), f"task {self.name!r}: a class task names its field, NER has none")
        key = f"data.labels.{self.field or 'entities'}"
        _require(bool(self.labels), f"task {self.name!r} has no labels; declare them: '{key}=[LABEL,...]'")
        _require(len(set(self.labels)) == len(self.labels), f"{key} holds a label twice: {', '.join(self.labels)}")
        _require(
            self.kind != "binary" or len(self.labels) == 1, f"{key}: a binary field declares its one positive label, found {self.labels}"
        )


@dataclass(frozen=True)
class DataConfig:
    """Where the labelled articles are, what labels they may hold, and how they are split.

    upstream: where the files were published, for data that we do not ship
    sha256:   path below `path` -> SHA-256 (hex) of a file that must be there as it was published
    """

    name: str
    path: str
    format: str | None
    text_dir: str | None
    upstream: str | None
    sha256: dict[str, str]
    labels: dict[str, list[str]]
    drop_labels: list[str]
    splits_path: str | None
    split_by: str
    split_shares: dict[str, float]
    split_seed: int
    stratify_by: list[str]

    def __post_init__(self) -> None:
        ways = ("stratified", "date", "file")
        _require(self.split_by in ways, f"data.split_by={self.split_by!r} is unknown{did_you_mean(self.split_by, ways)}")
        for name, digest in self.sha256.items():
            _require(bool(re.fullmatch("[0-9a-fA-F]{64}", digest)), f"data.sha256 of {name}: {digest!r} is no SHA-256 (64 hex digits)")
        shares = self.split_shares
        _require(set(shares) == set(SPLITS), f"data.split_shares must name {', '.join(SPLITS)}, found {', '.join(shares)}")
        _require(
            all(share > 0 for share in shares.values()) and abs(sum(shares.values()) - 1) < 1e-6,
            f"data.split_shares must be positive and add up to 1, found {dict(shares)}",
        )


@dataclass(frozen=True)
class ModelConfig:
    """What reads: an encoder (from a pip package, a folder or a hub) with a head, or the lookup baseline."""

    name: str
    kind: str
    path: str | None
    package: str | None
    sha256: str | None
    head: str | None

    def __post_init__(self) -> None:
        kinds = ("encoder", "lookup")
        _require(self.kind in kinds, f"model.kind={self.kind!r} is unknown{did_you_mean(self.kind, kinds)}")
        _require(self.kind == "lookup" or bool(self.path) != bool(self.package), "an encoder needs model.path or model.package")


@dataclass(frozen=True)
class TrainerConfig:
    """How long and how fast is learnt; `epochs` of the training windows, `batch_tokens` padded tokens and rates per update."""

    epochs: int
    batch_tokens: int
    learning_rate: float
    head_learning_rate: float
    layer_decay: float
    weight_decay: float
    warmup: float
    max_grad_norm: float
    patience: int | None
    precision: str

    def __post_init__(self) -> None:
        _require(
            self.precision in PRECISIONS,
            f"trainer.precision={self.precision!r} is unknown{did_you_mean(self.precision, PRECISIONS)}",
        )
        _require(0 < self.layer_decay <= 1, f"trainer.layer_decay={self.layer_decay} must lie above 0, and at 1 (no decay) at most")
        for name in ("epochs", "batch_tokens", "learning_rate", "head_learning_rate", "max_grad_norm"):
            _require(getattr(self, name) > 0, f"trainer.{name}={getattr(self, name)} must be positive")
        _require(0 <= self.warmup < 1, f"trainer.warmup={self.warmup} is the share of updates with a rising rate: 0 <= warmup < 1")
        _require(self.patience is None or self.patience > 0, f"trainer.patience={self.patience} must be positive or null")


@dataclass(frozen=True)
class TrainConfig:
    """configs/train.yaml"""

    task: TaskConfig
    data: DataConfig
    model: ModelConfig
    trainer: TrainerConfig
    seed: int
    device: str

    def __post_init__(self) -> None:
        _require(self.model.kind != "lookup" or self.task.kind == NER, "model=lookup is a baseline for task=ner only")


@dataclass(frozen=True)
class EvaluateConfig:
    """configs/evaluate.yaml"""

    run: str
    split: str | None
    articles: str | None
    name: str | None
    format: str | None
    text_dir: str | None
    drop_labels: list[str]
    device: str

    def __post_init__(self) -> None:
        _require(not (self.split and self.articles), "give split= or articles=, not both")
        _require(self.split in (None, *SPLITS), f"split={self.split!r} is no split{did_you_mean(str(self.split), SPLITS)}")
        _require(not (self.name and not self.articles), f"name={self.name} needs articles=; the scores of a split bear its name")
        _require(self.name not in SPLITS, f"name={self.name} is reserved for the split; choose another")
        _require("/" not in (self.name or "") and not (self.name or "").startswith("."), f"name={self.name!r} must be a plain file name")


@dataclass(frozen=True)
class PredictConfig:
    """configs/predict.yaml"""

    run: list[str]
    input: str
    output: str
    format: str | None
    overwrite: bool
    strict: bool
    device: str

    def __post_init__(self) -> None:
        _require(bool(self.run), "run=[] names no run")


@dataclass(frozen=True)
class CompareConfig:
    """configs/compare.yaml"""

    runs: list[str]
    name: str


@dataclass(frozen=True)
class ActionConfig:
    """configs/action/*.yaml: what `annotate.py` is to do."""

    name: str


@dataclass(frozen=True)
class AnnotateConfig:
    """configs/annotate.yaml"""

    action: ActionConfig
    data: DataConfig


Config = TypeVar("Config")

LISTS = ("run", "runs")  # a single value of these is taken as a list of one


def load(schema: type[Config], composed: DictConfig | dict) -> Config:
    """Return `composed` as a frozen `schema`, types checked and interpolations resolved.

    The plain container is merged back onto the structured schema, since Hydra lets `+trainer.epoch=3` through. A plain dict,
    as a run keeps it, holds values only: `${` in it is no reference.

    Raises:
        InputError: for an unknown key (with the nearest known), a missing value, a wrong type or a broken rule.
    """
    twin = OmegaConf.structured(_unfrozen(schema))  # type: ignore[arg-type]
    try:
        references = composed if isinstance(composed, DictConfig) else _escape(composed)
        plain = OmegaConf.to_container(OmegaConf.create(references), resolve=True, throw_on_missing=True)
        assert isinstance(plain, dict)
        plain.pop("hydra", None)
        for key in LISTS:
            if key in plain and get_type_hints(schema)[key] is not str and not isinstance(plain[key], list):
                plain[key] = [plain[key]]
        return _freeze(schema, OmegaConf.to_container(OmegaConf.merge(twin, _escape(plain)), resolve=True, throw_on_missing=True))
    except MissingMandatoryValue as error:
        raise InputError(f"{error.full_key}= is missing; give it on the command line") from error
    except ConfigKeyError as error:
        known = [key for key in known_keys(OmegaConf.create(composed)) if key != error.full_key]
        raise InputError(f"unknown option {error.full_key}{did_you_mean(str(error.full_key), known)}") from error
    except OmegaConfBaseException as error:
        reason = str(error.msg or error).splitlines()[0]
        raise InputError(f"{error.full_key or 'config'}: {reason}") from error


@cache
def _unfrozen(schema: Any) -> type:
    """Return a twin of a dataclass that OmegaConf can merge into: it takes frozen ones for read-only, nested ones too."""
    hints = get_type_hints(schema)
    return make_dataclass(schema.__name__, [(name, _unfrozen(hint) if is_dataclass(hint) else hint) for name, hint in hints.items()])  # type: ignore[arg-type]


def _freeze(schema: Any, values: Any) -> Any:
    hints = get_type_hints(schema)
    return schema(**{name: _freeze(hints[name], value) if is_dataclass(hints[name]) else value for name, value in values.items()})


def _escape(value: Any) -> Any:
    """Keep a resolved `${` (a path may hold it) from being read as a reference once more."""
    if isinstance(value, dict):
        return {key: _escape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_escape(item) for item in value]
    return escape_reference(value) if isinstance(value, str) else value


def escape_reference(text: str) -> str:
    """Return `text` so that OmegaConf reads it as it is: `${` escaped, and the backslashes before it doubled."""
    return re.sub(r"(\\*)\$\{", r"\1\1\\${", text)


def known_keys(node: DictConfig, prefix: str = "") -> list[str]:
    """Return every key of a composed config, dotted, for `did you mean`."""
    return list(_keys(node, prefix))


def _keys(node: DictConfig, prefix: str) -> Iterator[str]:
    for key in node:
        yield f"{prefix}{key!s}"
        value = node._get_node(key)
        if isinstance(value, DictConfig) and not (value._is_missing() or value._is_none() or value._is_interpolation()):
            yield from _keys(value, f"{prefix}{key!s}.")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InputError(message)
