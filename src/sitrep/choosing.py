"""Which backend reads: the one that the user names, or the fastest on this machine of those that pass the gate.

Exports, the figures of the gate and the choice stand in `<run>/backends/`; they are made once, and anew when the checkpoint or a
library changes.
"""

from __future__ import annotations

import importlib.metadata
import logging
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from filelock import FileLock, Timeout

from sitrep.articles import Article
from sitrep.backends import Backend, OnnxBackend, TorchBackend
from sitrep.calibration import load_calibration
from sitrep.errors import InputError, first_line
from sitrep.exporting import export_network
from sitrep.formats.files import read_json, replacing, write_json
from sitrep.heads.base import Batch, pad_windows
from sitrep.models import Model
from sitrep.parity import MAX_LOSS, RefusedError, check_loss, check_parity, probe_articles
from sitrep.prediction import EncoderReader
from sitrep.provenance import model_sha256
from sitrep.quantizing import SHARES, Quantizer, has_dot_products
from sitrep.runs import Run
from sitrep.sampling import batches_by_length
from sitrep.scoring import strict_f1
from sitrep.timing import describe_machine, measure_rates, pick, torch_threads

log = logging.getLogger(__name__)

FOLDER = "backends"
SCHEMA_VERSION = 1
FILES = {"onnx": "model.onnx", "int8": "model.int8.onnx"}
LIBRARIES = ("onnx", "onnxruntime", "torch", "transformers")
N_WINDOWS = 32  # of dev, that the ranges of 8-bit numbers are measured on
BATCH_TOKENS = 1024  # of these, padded, at once: every product's input is kept


def choose_backend(run: Run, model: Model, word: str, device: torch.device, threads: int | None) -> Backend:
    """Return what multiplies for a run.

    Args:
        word: one of config.BACKENDS; `auto` on anything but a CPU is torch.
        threads: of onnxruntime, and of torch while they are timed; as many as torch has unless given.

    Raises:
        InputError: if the backend that is asked for does not pass the gate, with its figures, or the device is not the CPU.
    """
    if word == "torch" or (word == "auto" and device.type != "cpu"):
        return TorchBackend(model.network, device)
    if device.type != "cpu":
        raise InputError(f"backend={word} multiplies on the CPU, not on {device}; say device=cpu, or backend=torch")
    if word == "auto" and not (run.path / "gold" / "dev.jsonl").exists():
        log.warning("backend=auto: %s has no gold/dev.jsonl to try other backends on, so torch reads", run.path)
        return TorchBackend(model.network, device)
    with _claim(run) as folder, _in_words(run, word):
        candidates = Candidates(run, model, folder, threads or torch.get_num_threads())
        if word == "auto":
            return candidates.fastest()
        try:
            return candidates.open(word)
        except RefusedError as error:
            raise InputError(f"backend={word}: refused for {run.path}: {error}. Say backend=torch or auto") from error


class Candidates:
    """The backends of one run, made and tried when they are asked for; `folder` is claimed.

    facts: what backends.json holds (models/README.md)
    """

    def __init__(self, run: Run, model: Model, folder: Path, threads: int) -> None:
        self.run, self.model, self.folder, self.threads = run, model, folder, threads
        self.torch = TorchBackend(model.network, torch.device("cpu"))
        made_from = {
            "schema_version": SCHEMA_VERSION,
            "checkpoint_sha256": model_sha256(run.checkpoint_path),
            "versions": {name: importlib.metadata.version(name) for name in LIBRARIES},
        }
        path = folder / "backends.json"
        facts = _read_facts(path)
        is_current = all(facts.get(key) == value for key, value in made_from.items())
        self.facts: dict[str, Any] = facts if is_current else {**made_from, "gate": {}, "machines": {}}

    def open(self, name: str) -> Backend:
        """Return `torch`, `onnx` or `int8`, exported and tried if that has not been done.

        Raises:
            RefusedError: if it does not pass the gate; the verdict is kept.
        """
        if name == "torch":
            return self.torch
        path, known = self.folder / FILES[name], self.facts["gate"].get(name)
        # 8-bit weights of a processor that overflows are not those of another
        if known and known.get("reduce_range") not in (None, not has_dot_products()):
            known = None
        if known and not known["passed"]:
            raise RefusedError(known["reason"])
        if known and path.exists():
            try:
                return OnnxBackend(path, self.threads, name)
            except Exception as error:  # onnxruntime has no class for it
                log.warning("%s: cannot be opened, so it is made anew: %s", path, first_line(error))
        self._make(name, path)
        return OnnxBackend(path, self.threads, name)

    def _make(self, name: str, path: Path) -> None:
        """Export a backend; the file appears if it passes."""
        make = {"onnx": self._export, "int8": self._quantize}[name]
        try:
            with replacing(path) as temporary:
                self.facts["gate"][name] = {"passed": True, **make(temporary)}
        except RefusedError as error:
            path.unlink(missing_ok=True)
            self.facts["gate"][name] = {"passed": False, "reason": str(error)}
            raise
        finally:
            self._save()

    def _export(self, path: Path) -> dict[str, Any]:
        log.info("backend=onnx: exporting the network and comparing it with torch on articles of dev; this is done once")
        with _refusing("exported"):
            export_network(self.model.network, path)
            backend = OnnxBackend(path, self.threads)
        articles = probe_articles(self._dev, self.model.task.windows.max_tokens)
        parity = check_parity(self.model, self.torch, backend, articles)
        log.info("backend=onnx: passes; scores differ by %.1g at most", parity.greatest_difference)
        return parity.as_json()

    def _quantize(self, path: Path) -> dict[str, Any]:
        """Write the network in 8 bits, with fewer of its products while too much is lost."""
        self.open("onnx")
        log.info("backend=int8: quantizing the network and scoring it on dev; this is done once")
        before, reduce_range = self._micro_f1(self.torch), not has_dot_products()
        with _refusing("quantized"):
            quantizer = Quantizer(self.folder / FILES["onnx"], self._batches(), reduce_range=reduce_range)
        for share in SHARES:
            with _refusing("quantized"):
                n_products = quantizer.write(path, share)
                backend = OnnxBackend(path, self.threads, "int8")
            after = self._micro_f1(backend)
            log.info(
                "backend=int8: %d of %d products in 8 bits: micro F1 on dev %.2f, by torch %.2f",
                n_products, len(quantizer.products), 100 * after, 100 * before,
            )  # fmt: skip
            if before - after <= MAX_LOSS:
                break
        check_loss(before, after)
        return {
            "micro_f1_torch": before,
            "micro_f1": after,
            "n_products": n_products,
            "of_products": len(quantizer.products),
            "reduce_range": reduce_range,
        }

    def _batches(self) -> Iterator[Batch]:
        """Yield windows of articles of dev, for the ranges of what is quantized."""
        windower = self.model.network.windower
        windows = [windower.inputs(article, window) for article in windower.encode(self._dev) for window in article.windows]
        some = windows[:: -(-len(windows) // N_WINDOWS)]
        for batch in batches_by_length([len(window["input_ids"]) for window in some], BATCH_TOKENS):
            yield pad_windows([some[index] for index in batch], windower.pad_id)

    @cached_property
    def _dev(self) -> list[Article]:
        return self.run.articles("gold", "dev")

    def _micro_f1(self, backend: Backend) -> float:
        """Return the strict micro F1 on dev, calibrated as users get it."""
        task = self.model.task
        calibration = load_calibration(self.run.path, task)
        read = EncoderReader(self.model, backend).read(article.bare() for article in self._dev)
        return strict_f1(self._dev, [calibration.apply(article, task) for article in read], task)["micro_f1"]

    def fastest(self) -> Backend:
        """Return the backend that reads fastest here, of those that pass; timed once on each kind of machine."""
        machine = describe_machine(self.threads)
        if not (known := self.facts["machines"].get(machine)):
            log.info("backend=auto: exporting, comparing and timing what can multiply on this machine; once, about a minute")
            known = self._time()
            self.facts["machines"][machine] = known
            self._save()
            log.info("backend=auto: %s; %s", known["backend"], _describe_times(known["articles_per_second"]))
        try:
            return self.open(known["backend"])
        except RefusedError as error:  # its file was removed, and the new one does not pass
            log.warning("backend=auto: %s, the fastest here, is refused now, so torch reads: %s", known["backend"], error)
            return self.torch

    def _time(self) -> dict[str, Any]:
        backends: dict[str, Backend] = {"torch": self.torch}
        for name in FILES:
            try:
                backends[name] = self.open(name)
            except RefusedError as error:
                log.warning("backend=auto: %s is refused: %s", name, error)
        if len(backends) == 1:
            return {"backend": "torch", "articles_per_second": {}}
        with torch_threads(self.threads):
            rates = measure_rates({name: EncoderReader(self.model, used) for name, used in backends.items()}, self._dev)
        return {"backend": pick(rates), "articles_per_second": {name: round(rate, 3) for name, rate in rates.items()}}

    def _save(self) -> None:
        write_json(self.folder / "backends.json", self.facts)


@contextmanager
def _in_words(run: Run, word: str) -> Iterator[None]:
    try:
        yield
    except (OSError, MemoryError) as error:
        raise InputError(f"backend={word}: {run.path}: the network could not be exported: {error}; backend=torch does without") from error


@contextmanager
def _refusing(what: str) -> Iterator[None]:
    try:
        yield
    except (OSError, MemoryError):  # of this moment, not of the network
        raise
    except Exception as error:  # torch, onnxruntime and the encoder's own code raise what they like
        raise RefusedError(f"the network cannot be {what} ({type(error).__name__}: {first_line(error)})") from error


def _read_facts(path: Path) -> dict[str, Any]:
    """Return the content of backends.json, or nothing where there is none or it was damaged: all of it can be found out again."""
    try:
        facts = read_json(path) if path.exists() else {}
    except InputError:
        return {}
    return facts if isinstance(facts, dict) else {}


def _describe_times(rates: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {rate:.1f}" for name, rate in rates.items()) + " articles/s on dev" if rates else "nothing else passes"


@contextmanager
def _claim(run: Run) -> Iterator[Path]:
    """Yield the folder of the run's backends, which no other process touches meanwhile; a copy that is not kept where it is read-only."""
    folder = run.path / FOLDER
    with ExitStack() as stack:
        try:
            folder.mkdir(exist_ok=True)
            stack.enter_context(_lock(folder / ".lock"))
        except OSError as error:
            log.warning("%s: cannot be written (%s); what is exported now is not kept", folder, error.strerror)
            copy = Path(stack.enter_context(TemporaryDirectory(prefix="sitrep-"))) / FOLDER
            if folder.is_dir():
                shutil.copytree(folder, copy)
            copy.mkdir(exist_ok=True)
            folder = copy
        yield folder


@contextmanager
def _lock(path: Path) -> Iterator[None]:
    lock = FileLock(path)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        log.info("%s: another process prepares backends; waiting for it", path.parent)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
