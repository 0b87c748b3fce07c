"""The part of the schema that says what annotate.py does: one class an action, named in `ACTIONS` (see config.py)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sitrep.config import NER, SPLITS, DataConfig, ModelConfig, TaskConfig, TrainerConfig
from sitrep.errors import did_you_mean, require

FIXES = ("safe", "offsets")
FAIL_ON = ("error", "warning", "never")
BUDGETS = ("words", "articles")  # what labelling costs


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
    fields: list[str]
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
        is_below = bool(self.into) and not any(part.startswith((".", "/")) for part in Path(self.into).parts)
        require(is_below, f"into={self.into!r} must name a folder below data.path, and not a hidden one, which is not read")
        require(
            self.data.split_by != "file",
            f"data.split_by=file takes the split of {self.data.path} from the names of its files: convert {self.input} into one that is "
            "named after a split, such as imported/train.jsonl",
        )


@dataclass(frozen=True)
class CheckConfig:
    """configs/action/check.yaml"""

    action: ActionConfig
    data: DataConfig | None
    input: str | None
    format: str | None
    text_dir: str | None
    text_field: str
    id_field: str
    annotator: str | None
    labels: list[str] | None
    report: str | None
    fix: str | None
    output: str | None
    data_yaml: str | None
    fail_on: str

    def __post_init__(self) -> None:
        require((self.data is None) != (self.input is None), "give either input=PATH or data=NAME: what is to be checked")
        require(self.fix is None or self.fix in FIXES, f"fix={self.fix} is unknown{did_you_mean(str(self.fix), FIXES)}")
        require(self.fix is None or self.output is not None, "fix= writes a repaired copy, never the original; give output=PATH")
        require(self.output is None or self.fix is not None, f"output={self.output} is where fix= writes; give fix=safe too")
        require(self.report is None or self.report.endswith(".html"), f"report={self.report} must end in .html; the JSON stands beside it")
        require(self.data_yaml is None or self.data_yaml.endswith(".yaml"), f"data_yaml={self.data_yaml} must end in .yaml")
        require(self.fail_on in FAIL_ON, f"fail_on={self.fail_on} is unknown{did_you_mean(self.fail_on, FAIL_ON)}")
        require(self.data is None or self.data_yaml is None, f"data_yaml={self.data_yaml} goes with input=: data= names a data config")
        if self.data is not None:
            given = [name for name in ("format", "text_dir", "labels", "annotator") if getattr(self, name) is not None]
            require(not given, f"{', '.join(f'{name}=' for name in given)} goes with input=; with data= it is data.{(given or [''])[0]}=")


@dataclass(frozen=True)
class AgreementConfig:
    """configs/action/agreement.yaml"""

    action: ActionConfig
    a: str
    b: str
    format: str | None
    text_dir: str | None
    annotator_a: str | None
    annotator_b: str | None
    output: str | None
    overwrite: bool

    def __post_init__(self) -> None:
        require(
            (Path(self.a).resolve(), self.annotator_a) != (Path(self.b).resolve(), self.annotator_b),
            f"a={self.a} is compared with itself; give another b=, or the annotators of one export as annotator_a= and annotator_b=",
        )


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


def reading_options(config: CheckConfig | ConvertConfig | ImportConfig) -> dict[str, Any]:
    """Return what `read_articles` is told of an action's `input` beside its path."""
    return {name: getattr(config, name) for name in ("format", "text_dir", "text_field", "id_field", "annotator")}


ACTIONS: dict[str, type] = {
    "agreement": AgreementConfig,
    "check": CheckConfig,
    "convert": ConvertConfig,
    "counts": CountsConfig,
    "import": ImportConfig,
    "next": NextConfig,
    "split": SplitConfig,
    "suspects": SuspectsConfig,
}


def action_schema(name: str) -> type:
    """Return the class of an action's config.

    Raises:
        InputError: if there is no such action.
    """
    require(name in ACTIONS, f"action={name} is unknown{did_you_mean(name, ACTIONS)}")
    return ACTIONS[name]
