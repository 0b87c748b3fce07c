"""The part of the schema that says what predict.py reads, by what and into what (see config.py)."""

from __future__ import annotations

from dataclasses import dataclass

from sitrep.errors import did_you_mean, require

CALIBRATED = "calibrated"
RAY = "ray"
ENGINES = ("local", RAY)
AUTO = "auto"  # the fastest on this machine
BACKENDS = (AUTO, "torch", "onnx", "int8")


@dataclass(frozen=True)
class PredictConfig:
    """configs/predict.yaml"""

    run: list[str]
    input: str
    output: str
    format: str | None
    text_field: str
    id_field: str
    max_chars: int
    min_score: int | float | str | None
    overwrite: bool
    strict: bool
    engine: str
    workers: int
    threads: int | None
    backend: str
    device: str

    def __post_init__(self) -> None:
        require(self.engine in ENGINES, f"engine={self.engine!r} is unknown{did_you_mean(self.engine, ENGINES)}")
        require(self.workers >= 1, f"workers={self.workers} must be 1 or more")
        require(self.threads is None or self.threads >= 1, f"threads={self.threads} must be 1 or more, or null")
        require(bool(self.run), "run=[] names no run")
        require_backend(self.backend)
        require(bool(self.text_field and self.id_field), "text_field= and id_field= must name a column or key")
        require(self.text_field != self.id_field, f"text_field={self.text_field} and id_field={self.id_field} must not be the same")
        require(self.max_chars > 0, f"max_chars={self.max_chars} is the longest text that is read, in characters: it must be positive")
        check_min_score(self.min_score)


def check_min_score(min_score: float | str | None) -> None:
    """Refuse what is no least score.

    Raises:
        InputError: if `min_score` is neither a number from 0 to 1 nor `calibrated` nor None.
    """
    is_valid = min_score in (None, CALIBRATED) if isinstance(min_score, str | None) else 0 <= min_score <= 1
    require(is_valid, f"min_score={min_score} must be a number from 0 to 1, {CALIBRATED}, or null for all that is found")


def require_backend(word: str) -> None:
    """Raise an InputError unless `word` is a backend."""
    require(word in BACKENDS, f"backend={word!r} is unknown{did_you_mean(word, BACKENDS)}")
