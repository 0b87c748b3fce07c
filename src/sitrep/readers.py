"""Readers by kind of model: fitted to a corpus, or loaded from a finished run.

Rooms that import torch or scikit-learn are imported inside the functions: `--help` and bad options must answer at once.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from threading import Lock
from typing import TYPE_CHECKING, Any, Protocol

from sitrep.articles import Article
from sitrep.calibration import Calibration, load_calibration
from sitrep.config import MLM, TaskConfig, TrainConfig
from sitrep.corpus import Corpus
from sitrep.errors import InputError
from sitrep.finding import open_run
from sitrep.lookup import fit_lookup, load_lookup
from sitrep.predict_config import CALIBRATED, require_backend
from sitrep.processes import is_writer, n_processes, share
from sitrep.runs import Run

if TYPE_CHECKING:
    import torch

    from sitrep.models import Model
    from sitrep.windows import Lost

log = logging.getLogger(__name__)

Facts = dict[str, Any]  # what run.json keeps of a training
NO_BACKEND = "none"  # of a reader without a network


class Reader(Protocol):
    """A trained model that reads articles in order."""

    def read(self, articles: Iterable[Article]) -> Iterator[Article]:
        """Yield each article with what the model finds; every mention, or every label of its field, bears its raw score."""
        ...


@dataclass
class CalibratedReader:
    """A reader whose scores are calibrated, and who leaves out what scores too low.

    least: label -> score below which a mention or class label is left out, None: always; labels that are not in it are never left out
    left_out: label -> how often
    """

    reader: Reader
    task: TaskConfig
    calibration: Calibration
    least: Mapping[str, float | None] = field(default_factory=dict)
    left_out: Counter[str] = field(default_factory=Counter)
    _counting: Lock = field(default_factory=Lock, repr=False, compare=False)

    def read(self, articles: Iterable[Article]) -> Iterator[Article]:
        """Yield each article with what the model finds; scores have 4 places."""
        return map(self.calibrate, self.reader.read(articles))

    def calibrate(self, article: Article) -> Article:
        """Return an article as the reader gave it with calibrated scores, and without what scores too low. Safe from several threads."""
        return self._leave_out(self.calibration.apply(article, self.task))

    def _leave_out(self, article: Article) -> Article:
        if self.task.field is None:
            kept = tuple(span for span in article.spans if self._is_enough(span.label, span.score))
            self._count(Counter(span.label for span in article.spans) - Counter(span.label for span in kept))
            return replace(article, spans=kept)
        given, scores = article.labels[self.task.field], article.scores[self.task.field]
        chosen = [label for label in given if self._is_enough(label, scores[label])]
        self._count(Counter(label for label in given if label not in chosen))
        return article.with_classes(self.task.field, chosen, scores)

    def _count(self, left_out: Counter[str]) -> None:
        with self._counting:
            self.left_out.update(left_out)

    def _is_enough(self, label: str, score: float | None) -> bool:
        least = self.least.get(label, 0.0)
        return least is not None and score is not None and score >= least


def fit_reader(config: TrainConfig, corpus: Corpus, run: Run) -> tuple[Reader, Facts]:
    """Return the reader that `config` asks for, fitted to the training split and saved in `run`."""
    fit = {"lookup": _fit_lookup, "tfidf": _fit_tfidf, "encoder": _fit_encoder}[config.model.kind]
    reader, facts = fit(config, corpus, run)
    if config.task.kind == MLM:
        facts["left_out"] = [asdict(entry) for entry in corpus.left_out]
    return reader, facts


def open_reader_run(reference: str, *, with_model: bool = True) -> Run:
    """Return the finished run that `reference` names, which must have learnt to find something.

    Raises:
        InputError: if there is none, it holds an encoder only, or no model; `with_model=False` takes it for its scores.
    """
    run = open_run(reference, with_model=with_model)
    if run.config().task.kind == MLM:
        raise InputError(
            f"run={reference}: {run.path} is a run of task=mlm, which finds nothing in articles: it holds an encoder to start from. "
            f"Train with it: python train.py task=ner model.init_from={run.path}"
        )
    return run


def load_reader(run: Run, device: str, backend: str = "torch", threads: int | None = None) -> Reader:
    """Return the reader of a finished run; its scores are raw.

    Args:
        backend: one of config.BACKENDS; of no meaning where no network multiplies (lookup, tfidf).
        threads: of onnxruntime; as many as torch has unless given.

    Raises:
        InputError: if the checkpoint is missing or another's, or the backend is refused (see choosing.py).
    """
    config = run.config()
    if not run.checkpoint_path.is_dir():
        raise InputError(f"{run.checkpoint_path}: is missing, and with it the model; bring it back, or train again")
    if config.model.kind == "lookup":
        return load_lookup(run.checkpoint_path)
    if config.model.kind == "tfidf":
        from sitrep.tfidf import load_tfidf

        return load_tfidf(run.checkpoint_path)
    from sitrep.choosing import choose_backend
    from sitrep.models import choose_device, load_model
    from sitrep.prediction import EncoderReader

    require_backend(backend)
    model = load_model(run.checkpoint_path)
    if model.task != config.task:
        raise InputError(
            f"{run.checkpoint_path}: was trained for another task or other labels ({', '.join(model.task.labels)}) than the run's "
            f"config says ({', '.join(config.task.labels)}); bring the run's own checkpoint back, or train again"
        )
    if device == "auto" and backend in ("onnx", "int8"):
        device = "cpu"
    return EncoderReader(model, choose_backend(run, model, backend, choose_device(device), threads))


def backend_of(reader: Reader) -> str:
    """Return what multiplies for a reader: `torch`, `onnx`, `int8`, or `none` where no network does."""
    return getattr(getattr(reader, "backend", None), "name", NO_BACKEND)


def load_calibrated(
    run: Run, device: str, min_score: float | str | None, backend: str = "torch", threads: int | None = None
) -> CalibratedReader:
    """Return the reader of a finished run that leaves out what scores below `min_score`, as configs/predict.yaml has it.

    backend, threads: as of `load_reader`
    """
    task, calibration = run.config().task, load_calibration(run.path, run.config().task)
    least: Mapping[str, float | None] = {}
    if min_score == CALIBRATED and calibration.target_precision:
        aimed = calibration.target_precision
        least = aimed.thresholds
        if aimed.not_reached:
            log.warning(
                "min_score=calibrated: on dev no score gives a precision of %g for %s: none of these are given; for another precision: "
                "python evaluate.py run=%s split=dev target_precision=%g",
                aimed.target, ", ".join(aimed.not_reached), run.path, round(aimed.target * 0.9, 2),
            )  # fmt: skip
    elif min_score is not None and task.kind != "multi-class":
        least = dict.fromkeys(task.labels, float(min_score))
    return CalibratedReader(load_reader(run, device, backend, threads), task, calibration, least)


def describe_left_out(by_label: Counter[str]) -> str:
    """Return how many mentions and class labels scored too low, of each label, in words."""
    listed = ", ".join(f"{label} {n}" for label, n in by_label.most_common())
    return f"{by_label.total()} mentions or labels" + (f" ({listed})" if listed else "")


def count_reasons(lost: Sequence[Lost]) -> str:
    """Return why mentions could not be represented, and how many for each reason."""
    return ", ".join(f"{n} {reason}" for reason, n in Counter(entry.reason for entry in lost).most_common())


def _fit_lookup(config: TrainConfig, corpus: Corpus, run: Run) -> tuple[Reader, Facts]:
    reader = fit_lookup(corpus.train)
    reader.save(run.checkpoint_path)
    return reader, {"device": "cpu", "n_parameters": len(reader.surfaces)}


def _fit_tfidf(config: TrainConfig, corpus: Corpus, run: Run) -> tuple[Reader, Facts]:
    from sitrep.tfidf import fit_tfidf

    assert config.model.tfidf is not None
    reader = fit_tfidf(corpus.train, config.task, config.model.tfidf, config.seed)
    reader.save(run.checkpoint_path)
    return reader, {"device": "cpu", "n_parameters": reader.n_parameters}


def _fit_encoder(config: TrainConfig, corpus: Corpus, run: Run) -> tuple[Reader, Facts]:
    """Train; where memory does not suffice, start again with batches of half the size."""
    from torch import OutOfMemoryError

    from sitrep.backends import TorchBackend
    from sitrep.models import choose_device
    from sitrep.prediction import EncoderReader

    device = choose_device(config.device)
    noted = share(run.info().get("batch_tokens") if is_writer() else None)  # of a run resumed
    trainer = replace(config.trainer, batch_tokens=noted or config.trainer.batch_tokens)
    while True:
        try:
            model, facts = _train_encoder(replace(config, trainer=trainer), corpus, run, device)
            break
        except OutOfMemoryError as error:
            fewer = trainer.batch_tokens // 2
            if fewer < config.task.windows.max_tokens or n_processes() > 1:
                raise InputError(
                    f"{run.path}: out of memory with batches of {trainer.batch_tokens} tokens; lower trainer.batch_tokens or "
                    "task.windows.max_tokens, choose a smaller encoder, or device=cpu"
                ) from error
            log.warning("out of memory with batches of %d tokens: starting again with %d", trainer.batch_tokens, fewer)
            trainer = replace(trainer, batch_tokens=fewer)
            run.drop_states()
            run.note(batch_tokens=fewer)
    if is_writer():
        model.save(run.checkpoint_path)
    return EncoderReader(model, TorchBackend(model.network, device)), facts


def _train_encoder(config: TrainConfig, corpus: Corpus, run: Run, device: torch.device) -> tuple[Model, Facts]:
    """Return the trained model; goes on from the run's last state, if there is one."""
    from transformers import set_seed

    from sitrep.distillation import load_teacher
    from sitrep.models import build_model
    from sitrep.training import encode_training, tokens_per_second, train_model

    set_seed(config.seed)  # the fresh head is drawn at random
    model = build_model(config.model, config.task)
    teacher = load_teacher(config, model, device) if config.distil_from else None
    data = encode_training(model, corpus.train)
    _report_lost(data.ledger, model.head, strict=config.strict)
    rate = tokens_per_second(model, data, config.trainer, device, teacher)
    minutes = config.trainer.epochs * data.n_tokens * 1.1 / rate / 60  # a tenth more for reading dev after each epoch
    log.info(
        "%d windows, %d tokens an epoch; %d epochs at %.0f tokens/s take about %.0f min on %s",
        data.n_windows, data.n_tokens, config.trainer.epochs, rate, max(1, minutes), device,
    )  # fmt: skip
    state = share(run.last_state() if is_writer() else None)
    if state:
        log.info("going on from %s", state)
    else:
        model.network.begin(data.rows)
    if is_writer():
        run.cut_history(int(state.name.rpartition("-")[2]) if state else 0)
    train_model(model, config.trainer, data, corpus.dev, run, seed=config.seed, device=device, state=state, teacher=teacher)
    facts = {"device": str(device), "n_parameters": model.n_parameters, "train_ledger": [asdict(lost) for lost in data.ledger]}
    return model, facts


def _report_lost(ledger: Sequence[Lost], head: str, *, strict: bool) -> None:
    if not ledger:
        return
    said = f"{len(ledger)} training mentions do not fit the head {head} and are not learnt: {count_reasons(ledger)}"
    if strict:
        first = ledger[0]
        raise InputError(
            f"{said}. The first: {first.label} {first.text!r} [{first.start}, {first.end}) of article {first.article_id}, {first.reason}. "
            "Mend them, choose model.head=span for nested and overlapping ones, or go on without them: strict=false"
        )
    log.warning("%s", said)
