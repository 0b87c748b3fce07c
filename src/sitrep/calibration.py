"""From a reader's raw scores to scores that mean what they say, and to class labels. Always fitted on dev.

One temperature for all scores, after Guo et al. 2017, "On calibration of modern neural networks": softmax(log p / T). A mention and each
label of a field that holds any number of them are taken as two classes, yes and no: sigmoid(logit(p) / T).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
from scipy.special import log_softmax, softmax

from sitrep.articles import SCORE_DECIMALS, Article
from sitrep.config import FIXED_THRESHOLD, NER, TaskConfig, load
from sitrep.errors import InputError
from sitrep.reliability import scored_items
from sitrep.runs import read_json, write_json
from sitrep.thresholds import BestF1, TargetPrecision, fit_best_f1, fit_target_precision

FILE_NAME = "calibration.json"
SCHEMA_VERSION = 2
MIN_ITEMS = 20  # a temperature is fitted to so many predictions at least
RANGE = (0.01, 100.0)  # of temperatures
LEAST = 1e-6  # a probability of 0 or 1 is this far from it: its logarithm must be finite


@dataclass(frozen=True)
class Calibration:
    """What calibration.json holds: one temperature and the thresholds of the calibrated scores.

    n_articles, n_items: articles of dev, and predictions there that the temperature was fitted to
    temperature_note: why the temperature is 1, where none could be fitted
    best_f1: of class fields whose task fits thresholds; None: 0.5
    target_precision: None for exactly one label, which is given whatever its score
    """

    n_articles: int
    n_items: int
    temperature: float
    temperature_note: str | None
    best_f1: BestF1 | None
    target_precision: TargetPrecision | None

    def __post_init__(self) -> None:
        if not RANGE[0] <= self.temperature <= RANGE[1]:
            raise InputError(f"temperature={self.temperature} must lie between {RANGE[0]:g} and {RANGE[1]:g}")

    def save(self, folder: Path) -> None:
        """Write calibration.json to the run folder `folder`."""
        write_json(folder / FILE_NAME, {"schema_version": SCHEMA_VERSION, "fitted_on": "dev", **asdict(self)})

    def apply(self, article: Article, task: TaskConfig) -> Article:
        """Return an article as a reader gave it with calibrated scores, rounded as files hold them, and the class labels they decide.

        The score as it is written counts, so that a file of predictions and calibration.json agree. Of exactly one label the reader's
        choice stays: a temperature changes no order.
        """
        if task.kind == NER:
            calibrated = self._of_yes([span.score for span in article.spans])
            return replace(article, spans=tuple(replace(span, score=score) for span, score in zip(article.spans, calibrated, strict=True)))
        field = str(task.field)
        raw = [article.scores[field][label] for label in task.labels]
        if task.kind == "multi-class":
            rounded = [round(score, SCORE_DECIMALS) for score in rescale(np.array(raw), self.temperature).tolist()]
            return article.with_classes(field, article.labels[field], dict(zip(task.labels, rounded, strict=True)))
        scores = dict(zip(task.labels, self._of_yes(raw), strict=True))
        return decide(article, task, scores, self.best_f1.thresholds if self.best_f1 else {})

    def _of_yes(self, scores: Sequence[float | None]) -> list[float]:
        """Return probabilities of yes, calibrated and rounded."""
        yes = np.array(scores, dtype=float)
        calibrated = rescale(np.stack([1 - yes, yes], axis=-1), self.temperature)[:, 1]
        return [round(score, SCORE_DECIMALS) for score in calibrated.tolist()]

    def describe(self, task: TaskConfig) -> str:
        """Return one line for the log."""
        parts = [f"temperature {self.temperature:.2f}" + (f" ({self.temperature_note})" if self.temperature_note else "")]
        if self.best_f1:
            best = self.best_f1
            parts.append(f"thresholds for the best F1: {_shown(best.thresholds, best.global_labels, best.n_positives)} positives")
        if aimed := self.target_precision:
            shown = _shown(aimed.thresholds, aimed.global_labels, aimed.n_predicted)
            parts.append(f"for precision {aimed.target:g}, which on other articles is less: {shown} predictions")
        return f"{task.name} calibrated on the {self.n_articles} articles of dev: " + "; ".join(parts)


def _shown(thresholds: Mapping[str, float | None], shared: Sequence[str], n_items: Mapping[str, int]) -> str:
    """Return the thresholds, each with the number of items that it was fitted to."""
    values = {label: "none" if value is None else f"{value:.2f}" for label, value in thresholds.items()}
    shown = [f"{label} {value} by {n_items[label]}" for label, value in values.items() if label not in shared]
    of_all = [f"{values[shared[0]]} for the {len(shared)} labels with few there, by all {sum(n_items.values())}"] if shared else []
    return ", ".join(shown + of_all)


def decide(article: Article, task: TaskConfig, scores: Mapping[str, float], thresholds: Mapping[str, float] | None = None) -> Article:
    """Return the bare article with `scores` (one for each label of `task`) and the classes that they decide.

    multi-class: the likeliest label. Otherwise every label whose score reaches its threshold, 0.5 if it has none.
    """
    if task.kind == "multi-class":
        chosen = [max(scores, key=lambda label: scores[label])]
    else:
        chosen = [label for label, score in scores.items() if score >= (thresholds or {}).get(label, FIXED_THRESHOLD)]
    return article.bare().with_classes(str(task.field), chosen, scores)


def fit_calibration(gold: Sequence[Article], raw: Sequence[Article], task: TaskConfig, target_precision: float) -> Calibration:
    """Return the calibration of `raw`, the articles of dev as a reader gave them, to the same articles in `gold`."""
    log_scores, right = _log_scores(gold, raw, task)
    temperature, note = fit_temperature(log_scores, right)
    fitted = Calibration(len(gold), len(right), temperature, note, None, None)
    pred = [fitted.apply(article, task) for article in raw]
    if task.thresholds == "dev":
        fitted = replace(fitted, best_f1=fit_best_f1(gold, pred, str(task.field), task.labels))
        pred = [fitted.apply(article, task) for article in raw]
    if task.kind == "multi-class":
        return fitted
    return replace(fitted, target_precision=fit_target_precision(gold, pred, task, target_precision))


def _log_scores(gold: Sequence[Article], raw: Sequence[Article], task: TaskConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return (n_items, n_classes) logarithms of probabilities, and the (n_items,) class that each should be."""
    if task.kind != "multi-class":
        items = scored_items(gold, raw, task)
        assert items is not None
        return _log(np.stack([1 - items.score, items.score], axis=-1)), items.right.astype(int)
    by_id = {article.id: article.scores[str(task.field)] for article in raw}
    scores = np.array([[by_id[article.id][label] for label in task.labels] for article in gold]).reshape(-1, len(task.labels))
    return _log(scores), np.array([task.labels.index(article.labels[str(task.field)][0]) for article in gold], dtype=int)


def _log(probabilities: np.ndarray) -> np.ndarray:
    return np.log(np.clip(probabilities, LEAST, 1 - LEAST))


def fit_temperature(log_scores: np.ndarray, right: np.ndarray) -> tuple[float, str | None]:
    """Return the temperature of the lowest mean negative log likelihood; or 1, and why none could be fitted.

    log_scores: (n_items, n_classes) logarithms of probabilities; right: (n_items,) the true class
    """
    from scipy.optimize import minimize_scalar  # noqa: PLC0415 (it takes 0.3 s, and `--help` must answer at once)

    if len(right) < MIN_ITEMS:
        return 1.0, f"too few predictions on dev to fit one: {len(right)}, at least {MIN_ITEMS} are needed"
    if np.all(log_scores[np.arange(len(right)), right] == log_scores.max(axis=-1)):  # the surer the better, without end
        return 1.0, "the scores on dev part right from wrong without an error, which fits any low one"

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(log_scores / np.exp(log_temperature), axis=-1)[np.arange(len(right)), right].mean())

    low, high = np.log(RANGE)
    found = float(minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-6}).x)
    if min(found - low, high - found) < 1e-3:
        return 1.0, f"the best for dev lies outside {RANGE[0]:g} to {RANGE[1]:g}: the scores do not tell right from wrong"
    return round(float(np.exp(found)), 4), None


def rescale(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Return the (..., n_classes) probabilities at a temperature: above 1 less sure, below 1 surer; at 1 as they are."""
    return probabilities if temperature == 1 else softmax(_log(probabilities) / temperature, axis=-1)


def load_calibration(folder: Path, task: TaskConfig) -> Calibration:
    """Return the calibration of the run in `folder`.

    Raises:
        InputError: if calibration.json is missing or damaged, or does not fit `task`.
    """
    path = folder / FILE_NAME
    way_out = f"fit it anew: python evaluate.py run={folder} split=dev target_precision=0.9"
    if not path.exists():
        raise InputError(f"{path}: is missing, and with it the temperature and thresholds of {task.name}; bring it back, or {way_out}")
    content = read_json(path)
    if not isinstance(content, dict) or content.get("schema_version") != SCHEMA_VERSION:
        raise InputError(f"{path}: is not of version {SCHEMA_VERSION}, which this sitrep reads; {way_out}")
    try:
        calibration = load(Calibration, {key: value for key, value in content.items() if key not in ("schema_version", "fitted_on")})
    except InputError as error:
        raise InputError(f"{path}: {error}; the file was damaged or edited by hand; {way_out}") from error
    for part, needed in (("best_f1", task.thresholds == "dev"), ("target_precision", task.kind != "multi-class")):
        fitted: BestF1 | TargetPrecision | None = getattr(calibration, part)
        labels = list(fitted.thresholds) if fitted else []
        if set(labels) != set(task.labels if needed else []):
            expected = ", ".join(task.labels) if needed else "none"
            raise InputError(f"{path}: {part} holds thresholds of {', '.join(labels) or 'none'}; expected are {expected}; {way_out}")
    return calibration
