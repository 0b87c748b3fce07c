"""Frozen dataclasses that mirror `configs/`; `load()` fills them.

YAML holds the values; here stand the types and the rules between fields. Nothing that changes a result has a default here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sitrep.errors import did_you_mean
from sitrep.errors import require as _require
from sitrep.loading import load  # noqa: F401  (imported from here, together with the schema that it is to fill)
from sitrep.model_config import DistilConfig, ModelConfig, TfidfConfig  # noqa: F401  (a part of that schema)
from sitrep.predict_config import PredictConfig, require_backend  # noqa: F401  (another)

NER = "ner"
MLM = "mlm"
KINDS = (NER, "multi-label", "multi-class", "binary", MLM)
SPLITS = ("train", "dev", "test")
FOLD, FOLDS = "fold", "folds"  # what the scores of a held-out fold are called, and those of all folds together
TAKEN_NAMES = (*SPLITS, FOLD, FOLDS)
MAX_NAME = 200  # bytes of the name of an evaluation; a file name may take 255
PRECISIONS = ("auto", "fp32", "bf16")
POOLINGS = ("mean", "max")
THRESHOLDS = ("dev", "fixed")
FIXED_THRESHOLD = 0.5


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
    """What is learnt: the mentions (`kind: ner`), a class field of the article, or the words themselves (`kind: mlm`), without labels.

    pooling: of class fields, how the logits of an article's windows become the article's: `mean` or `max`
    thresholds: of fields that hold any number of labels, the score from which a label is given: `dev` (fitted on dev) or `fixed` (0.5)

    Of mlm only:
    held_back: data whose dev and test texts must not be learnt from
    leave_out: paths (`PATH`, `FORMAT:PATH`) whose texts must not be learnt from either
    """

    name: str
    kind: str
    field: str | None
    labels: list[str]
    windows: WindowsConfig
    pooling: str | None
    thresholds: str | None
    held_back: DataConfig | None = None
    leave_out: list[str] | None = None

    def __post_init__(self) -> None:
        _require(self.kind in KINDS, f"task.kind={self.kind!r} is no kind{did_you_mean(self.kind, KINDS)}")
        is_class = self.kind not in (NER, MLM)
        _require(bool(self.field) == is_class, f"task {self.name!r}: a class task names its field, NER has none, nor has mlm")
        self._check_mlm()
        key = f"data.labels.{self.field or 'entities'}"
        _require(bool(self.labels) or self.kind == MLM, f"task {self.name!r} has no labels; declare them: '{key}=[LABEL,...]'")
        _require(len(set(self.labels)) == len(self.labels), f"{key} holds a label twice: {', '.join(self.labels)}")
        _require(
            self.kind != "binary" or len(self.labels) == 1, f"{key}: a binary field declares its one positive label, found {self.labels}"
        )
        allowed = POOLINGS if is_class else (None,)
        known = did_you_mean(str(self.pooling), map(str, allowed))
        _require(self.pooling in allowed, f"task.pooling={self.pooling} does not fit a {self.kind} task{known}")
        if self.kind in ("multi-label", "binary"):
            known = did_you_mean(str(self.thresholds), THRESHOLDS)
            _require(self.thresholds in THRESHOLDS, f"task.thresholds={self.thresholds} is unknown{known}")
        else:
            _require(self.thresholds is None, f"task.thresholds={self.thresholds}: a {self.kind} task has no thresholds; set it to null")

    def _check_mlm(self) -> None:
        if self.kind == MLM:
            _require(not self.labels, f"task.labels={self.labels}: mlm learns without labels; set it to []")
            _require(self.leave_out is not None, "task.leave_out=null: give paths, or [] for none")
            return
        for name in ("held_back", "leave_out"):
            _require(getattr(self, name) is None, f"task.{name} is for kind mlm, which learns without labels; task {self.name!r} has none")


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
        known = did_you_mean(self.precision, PRECISIONS)
        _require(self.precision in PRECISIONS, f"trainer.precision={self.precision!r} is unknown{known}")
        _require(0 < self.layer_decay <= 1, f"trainer.layer_decay={self.layer_decay} must lie above 0, and at 1 (no decay) at most")
        _require(
            self.learning_rate >= 0, f"trainer.learning_rate={self.learning_rate} must be positive, or 0 to leave the encoder as it is"
        )
        for name in ("epochs", "batch_tokens", "head_learning_rate", "max_grad_norm"):
            _require(getattr(self, name) > 0, f"trainer.{name}={getattr(self, name)} must be positive")
        _require(0 <= self.warmup < 1, f"trainer.warmup={self.warmup} is the share of updates with a rising rate: 0 <= warmup < 1")
        _require(self.patience is None or self.patience > 0, f"trainer.patience={self.patience} must be positive or null")


@dataclass(frozen=True)
class CrossValidationConfig:
    """In how many folds the train and dev articles are dealt, and which one this run holds out; null: no cross-validation.

    `folds` without `fold` stands for all folds together: the config of a pooled folder (crossvalidation.py), with which no run begins.
    """

    folds: int | None
    fold: int | None

    def __post_init__(self) -> None:
        if self.folds is None:
            _require(self.fold is None, f"cv.fold={self.fold} needs cv.folds=, the number of folds")
            return
        _require(self.folds >= 3, f"cv.folds={self.folds}: three or more are needed, one to hold out and others to learn from")
        _require(
            self.fold is None or 0 <= self.fold < self.folds,
            f"cv.fold={self.fold} must lie between 0 and {self.folds - 1}, for cv.folds={self.folds}",
        )


@dataclass(frozen=True)
class TrainConfig:
    """configs/train.yaml

    distil_from: the run whose scores are learnt, as `distil` says; None: the labels alone are
    """

    task: TaskConfig
    data: DataConfig
    model: ModelConfig
    trainer: TrainerConfig
    cv: CrossValidationConfig
    seed: int
    target_precision: float
    strict: bool
    device: str
    distil_from: str | None = None
    distil: DistilConfig | None = None

    def __post_init__(self) -> None:
        _require(0 < self.target_precision <= 1, f"target_precision={self.target_precision} must lie above 0, and at 1 at most")
        is_ner = self.task.kind == NER
        if self.distil_from:
            self._check_distilling(f"distil_from={self.distil_from}")
        _require(
            self.task.kind != MLM or self.cv.folds is None,
            f"cv.folds={self.cv.folds}: task={self.task.name} learns without labels, so that there are no scores to pool; leave cv out",
        )
        _require(
            self.task.kind != MLM or self.model.kind == "encoder",
            f"model={self.model.name}: task={self.task.name} goes on training an encoder; choose model=minilm or model=hub",
        )
        _require(0 <= self.seed < 2**32, f"seed={self.seed} must lie between 0 and 2^32 - 1")
        _require(self.model.kind != "lookup" or is_ner, f"model=lookup is the baseline for mentions; for {self.task.name} use model=tfidf")
        _require(
            self.model.kind != "tfidf" or not is_ner, f"model=tfidf is the baseline for class fields; for {self.task.name} use model=lookup"
        )

    def _check_distilling(self, what: str) -> None:
        _require(self.distil is not None, f"{what}: distil=null does not say how; give distil.temperature and distil.weight")
        _require(self.model.kind == "encoder", f"{what}: a {self.model.kind} model cannot learn scores; choose model=minilm3")
        _require(self.task.kind != MLM, f"{what}: task={self.task.name} learns from texts alone; leave it out")
        _require(self.cv.folds is None, f"{what}: in a cross-validation its teacher may have learnt from what is held out; leave one out")


def is_too_long(name: str) -> bool:
    """Say whether the files of an evaluation could not bear its name, with what stands around it while they are written."""
    return len(name.encode("utf-8", "surrogatepass")) > MAX_NAME


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
    target_precision: float | None
    backend: str
    device: str

    def __post_init__(self) -> None:
        target = self.target_precision
        require_backend(self.backend)
        _require(
            target is None or self.backend == "torch",
            f"target_precision={target} with backend={self.backend}: thresholds are fitted to torch's scores; leave backend out",
        )
        _require(target is None or self.split == "dev", f"target_precision={target}: thresholds are fitted on dev only; say split=dev")
        _require(target is None or 0 < target <= 1, f"target_precision={target} must lie above 0, and at 1 at most")
        _require(not (self.split and self.articles), "give split= or articles=, not both")
        _require(self.split in (None, *SPLITS), f"split={self.split!r} is no split{did_you_mean(str(self.split), SPLITS)}")
        _require(not (self.name and not self.articles), f"name={self.name} needs articles=; the scores of a split bear its name")
        what = "the split" if self.name in SPLITS else "cross-validation"
        _require(self.name not in TAKEN_NAMES, f"name={self.name} is reserved for {what}; choose another")
        _require(not is_too_long(self.name or ""), f"name={self.name}: {MAX_NAME} bytes are the most, for files bear the name")
        _require("/" not in (self.name or "") and not (self.name or "").startswith("."), f"name={self.name!r} must be a plain file name")


@dataclass(frozen=True)
class CompareConfig:
    """configs/compare.yaml"""

    runs: list[str]
    name: str
    output: str | None
    fail_below: float | None

    def __post_init__(self) -> None:
        _require(
            self.fail_below is None or -100 <= self.fail_below <= 100,
            f"fail_below={self.fail_below} is a difference of micro F1 in points, such as -0.5: it lies between -100 and 100",
        )
