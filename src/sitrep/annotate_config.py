"""The part of the schema that says what annotate.py does: one class an action, named in `ACTIONS` (see config.py)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sitrep.config import SPLITS, DataConfig
from sitrep.errors import did_you_mean, require


@dataclass(frozen=True)
class ActionConfig:
    """Which action it is."""

    name: str


@dataclass(frozen=True)
class ConvertConfig:
    """configs/action/convert.yaml"""

    action: ActionConfig
    input: str
    output: str
    format: str | None
    to: str | None
    text_dir: str | None
    text_field: str
    id_field: str
    annotator: str | None
    predicted_by: str | None
    strict: bool
    overwrite: bool


@dataclass(frozen=True)
class CountsConfig:
    """configs/action/counts.yaml"""

    action: ActionConfig
    data: DataConfig


@dataclass(frozen=True)
class SplitConfig:
    """configs/action/split.yaml"""

    action: ActionConfig
    data: DataConfig


@dataclass(frozen=True)
class ImportConfig:
    """configs/action/import.yaml"""

    action: ActionConfig
    data: DataConfig
    input: str
    format: str | None
    text_dir: str | None
    text_field: str
    id_field: str
    annotator: str | None
    checked: bool
    update: bool
    split: str | None
    into: str
    predictions: str | None

    def __post_init__(self) -> None:
        require(self.split in (None, *SPLITS), f"split={self.split!r} is no split{did_you_mean(str(self.split), SPLITS)}")
        require(bool(self.into) and not set(Path(self.into).parts) & {"..", "/"}, f"into={self.into!r} must name a folder below data.path")
        require(
            self.data.split_by != "file",
            f"data.split_by=file takes the split of {self.data.path} from the names of its files: convert {self.input} into one that is "
            "named after a split, such as imported/train.jsonl",
        )


ACTIONS: dict[str, type] = {
    "convert": ConvertConfig,
    "counts": CountsConfig,
    "import": ImportConfig,
    "split": SplitConfig,
}


def action_schema(name: str) -> type:
    """Return the class of an action's config.

    Raises:
        InputError: if there is no such action.
    """
    require(name in ACTIONS, f"action={name} is unknown{did_you_mean(name, ACTIONS)}")
    return ACTIONS[name]
