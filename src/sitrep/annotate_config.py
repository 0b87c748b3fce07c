"""The part of the schema that says what annotate.py does: one class an action, named in `ACTIONS` (see config.py)."""

from __future__ import annotations

from dataclasses import dataclass

from sitrep.config import NER, DataConfig, ModelConfig, TaskConfig, TrainerConfig
from sitrep.errors import did_you_mean, require

BUDGETS = ("words", "articles")  # what labelling costs


@dataclass(frozen=True)
class ActionConfig:
    """Which action it is."""

    name: str


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
class SuspectsConfig:
    """configs/action/suspects.yaml; `data` to `seed` say what is trained where no run is named."""

    action: ActionConfig
    run: list[str]
    input: str | None
    n: int
    output: str | None
    overwrite: bool
    folds: int
    data: DataConfig
    task: TaskConfig
    model: ModelConfig
    trainer: TrainerConfig
    seed: int
    device: str

    def __post_init__(self) -> None:
        require(self.n > 0, f"n={self.n}: how many are shown must be positive; output= keeps all")
        require(self.task.kind == NER, f"task={self.task.name}: suspects are looked for among mentions; class fields are not judged yet")
        require(
            self.model.kind == "encoder",
            f"model={self.model.name}: a {self.model.kind} model has no probabilities to judge marks by; choose model=minilm3",
        )
        require(self.input is None or bool(self.run), f"input={self.input}: who is to judge these articles? Name a run: run=RUN")


@dataclass(frozen=True)
class NextConfig:
    """configs/action/next.yaml"""

    action: ActionConfig
    run: list[str]
    input: str
    n: int
    budget: str
    output: str | None
    overwrite: bool
    format: str | None
    text_field: str
    id_field: str
    max_chars: int
    device: str

    def __post_init__(self) -> None:
        require(self.n > 0, f"n={self.n}: how many articles are chosen must be positive")
        require(self.max_chars > 0, f"max_chars={self.max_chars} is the longest text that is read, in characters: it must be positive")
        require(self.budget in BUDGETS, f"budget={self.budget!r} is unknown{did_you_mean(self.budget, BUDGETS)}")


ACTIONS: dict[str, type] = {"counts": CountsConfig, "split": SplitConfig, "suspects": SuspectsConfig, "next": NextConfig}


def action_schema(name: str) -> type:
    """Return the class of an action's config.

    Raises:
        InputError: if there is no such action.
    """
    require(name in ACTIONS, f"action={name} is unknown{did_you_mean(name, ACTIONS)}")
    return ACTIONS[name]
