"""Wiring of `transformers.Trainer`: token-budget batches, rates by layer, the best epoch on dev, resumption.

NER and mlm learn from windows; a class field learns from articles, whose windows are read together.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from safetensors.torch import load_file, save_file
from torch.utils.data import DataLoader
from transformers import EarlyStoppingCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments, set_seed

from sitrep.articles import Article
from sitrep.backends import TorchBackend
from sitrep.config import TrainerConfig
from sitrep.distillation import Teacher, batch_loss
from sitrep.errors import InputError
from sitrep.heads.base import Head, Row, row_shape, to_device, windows_of
from sitrep.models import Model
from sitrep.prediction import EncoderReader
from sitrep.processes import is_writer, n_processes
from sitrep.runs import Run, read_json
from sitrep.sampling import BudgetBatches, Shape, padded_size
from sitrep.windows import EncodedArticle, Lost, recut

log = logging.getLogger(__name__)
disable_progress_bar()


CUTS = 8  # ways to cut an article into windows: each epoch sees other beginnings and ends


@dataclass(frozen=True)
class TrainingData:
    """What the network sees: one row a window (NER, mlm) or an article (classes), and what that could not hold.

    rows: of all cuts, one after the other
    cuts: the shapes of the rows, by cut; each epoch learns from one cut
    n_windows, n_tokens: of an epoch
    """

    rows: Dataset
    cuts: list[list[Shape]]
    n_windows: int
    n_tokens: int
    ledger: list[Lost]


def encode_training(model: Model, articles: Sequence[Article]) -> TrainingData:
    """Cut labelled articles into training rows; long ones in several ways, if windows are learnt one by one."""
    head, windower = model.network, model.network.windower
    encoded = windower.encode(articles)
    learnt = [head.training_rows(article) for article in encoded]
    ledger = [lost for _, entries in learnt for lost in entries]
    cuts = [[row for rows, _ in learnt for row in rows]]
    if head.learns_windows and any(len(article.windows) > 1 for article in encoded):
        shifts = [cut * windower.size // CUTS for cut in range(CUTS)]
        cuts = [_rows(head, [recut(article, shift, windower.size) for article in encoded]) for shift in shifts]
    lengths = [len(window["input_ids"]) for row in cuts[0] for window in windows_of(row)]
    rows = Dataset.from_list(list(chain.from_iterable(cuts)))
    return TrainingData(rows, [list(map(row_shape, cut)) for cut in cuts], len(lengths), sum(lengths), ledger)


def _rows(head: Head, encoded: Sequence[EncodedArticle]) -> list[Row]:
    return [row for article in encoded for row in head.training_rows(article)[0]]


def train_model(
    model: Model,
    config: TrainerConfig,
    train: TrainingData,
    dev: Sequence[Article],
    run: Run,
    *,
    seed: int,
    device: torch.device,
    state: Path | None = None,
    teacher: Teacher | None = None,
) -> None:
    """Train `model` in place and leave it as it was after the best epoch on dev (the first of equals).

    state: a folder of the Trainer's to go on from; the weights at the end are then those of an undisturbed training.
    """
    left = read_json(state / "trainer_state.json") if state else None
    if left and _is_out_of_patience(left, config.patience):  # the Trainer would learn for one more epoch
        model.network.load_state_dict(load_file(_best_state(run, left["best_global_step"]) / "model.safetensors"))
        return
    set_seed(seed)
    trainer = ArticleTrainer(model, config, train, dev, run, args=_arguments(config, model, run, seed, device), teacher=teacher)
    if config.patience:
        trainer.add_callback(EarlyStoppingCallback(config.patience))
    trainer.add_callback(StatesMoveWithTheRun(run))
    trainer.train(resume_from_checkpoint=str(state) if state else None)


def _arguments(config: TrainerConfig, model: Model, run: Run, seed: int, device: torch.device) -> TrainingArguments:
    if device.index:
        raise InputError(f"device={device}: training takes the first GPU that it sees; start it with CUDA_VISIBLE_DEVICES={device.index}")
    arguments = TrainingArguments(
        output_dir=str(run.path),
        num_train_epochs=config.epochs,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=config.warmup,  # below 1, so a share of all updates
        lr_scheduler_type="linear",
        max_grad_norm=config.max_grad_norm,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,  # beside the best
        load_best_model_at_end=True,
        metric_for_best_model=model.network.best_measure,
        greater_is_better=model.network.higher_is_better,
        restore_callback_states_from_checkpoint=True,  # the patience of early stopping
        logging_strategy="epoch",
        logging_nan_inf_filter=False,  # such a loss ends the training, see compute_loss
        seed=seed,
        use_cpu=device.type == "cpu",
        dataloader_pin_memory=device.type == "cuda",
        remove_unused_columns=False,
        disable_tqdm=not sys.stderr.isatty(),
        report_to="none",
    )
    arguments._n_gpu = min(arguments.n_gpu, 1)  # several GPUs are for several processes: DataParallel would tear targets from their windows
    return arguments


def use_bf16(precision: str, device: torch.device) -> bool:
    """Say whether products are computed in 16 bits: as told, or where the hardware multiplies bfloat16 itself."""
    if precision != "auto":
        return precision == "bf16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    abilities = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return abilities.get("avx512_bf16", False) or abilities.get("amx_bf16", False)


class StatesMoveWithTheRun(TrainerCallback):
    """Looks for the best state in the run's folder, wherever that was when the state was written."""

    def __init__(self, run: Run) -> None:
        self.run = run

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any) -> None:
        """Bring back the path, which the Trainer forgets where it leads nowhere."""
        if state.best_global_step:
            state.best_model_checkpoint = str(_best_state(self.run, state.best_global_step))


def _best_state(run: Run, step: int) -> Path:
    return run.path / f"checkpoint-{step}"


def _is_out_of_patience(state: Mapping[str, Any], patience: int | None) -> bool:
    """Say whether a training in this state of the Trainer's had ended early, but for its last scores."""
    kept = state["stateful_callbacks"].get(EarlyStoppingCallback.__name__)
    return bool(patience and kept and kept["attributes"]["early_stopping_patience_counter"] >= patience)


class EpochLoader(DataLoader):
    """Tells its batches which epoch it is; accelerate's wrapper for several processes does not."""

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of `epoch`."""
        self.batch_sampler.set_epoch(epoch)  # type: ignore[union-attr]


class ArticleTrainer(Trainer):
    """A `Trainer` that has the head measure itself on whole dev articles after each epoch."""

    def __init__(
        self, model: Model, config: TrainerConfig, train: TrainingData, dev: Sequence[Article], run: Run,
        *, args: TrainingArguments, teacher: Teacher | None,
    ) -> None:  # fmt: skip
        super().__init__(
            model=model.network, args=args, data_collator=model.network.collate, train_dataset=train.rows, eval_dataset=list(dev)
        )
        self.article_model, self.config, self.cuts, self.dev, self.run, self.teacher = model, config, train.cuts, dev, run, teacher
        self.bf16 = use_bf16(config.precision, self.args.device)
        self.began = time.monotonic() - run.seconds_so_far()

    def get_train_dataloader(self) -> DataLoader:
        """Return batches of like length; with several processes each gets its share of the budget."""
        n = self.args.world_size
        batches = BudgetBatches(self.cuts, self.config.batch_tokens // n, self.args.seed, n, self.args.process_index)
        return EpochLoader(
            self.train_dataset,  # type: ignore[arg-type]
            batch_sampler=batches,  # type: ignore[arg-type]
            collate_fn=self.data_collator,
            pin_memory=self.args.dataloader_pin_memory,
        )

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Return AdamW with rates by layer."""
        if self.optimizer is None:
            groups = parameter_groups(self.article_model, self.config)
            self.optimizer = torch.optim.AdamW(groups, lr=self.config.learning_rate, fused=True)
        return self.optimizer

    def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        """Return the loss of a batch.

        Raises:
            InputError: if it is not finite: what follows would spoil all weights.
        """
        # not Trainer's own bf16, which would stay wrapped around the network when dev is read
        with torch.autocast(self.args.device.type, torch.bfloat16, enabled=self.bf16):
            loss = batch_loss(model, inputs, self.teacher, self.article_model.network)
        if not torch.isfinite(loss):
            kept = f"the last good state is {self.state.best_model_checkpoint}" if self.state.best_model_checkpoint else "nothing was kept"
            raise InputError(
                f"{self.run.path}: the loss became {loss.item()} after {self.state.global_step} updates; {kept}. "
                f"Lower trainer.learning_rate (now {self.config.learning_rate:g}) and trainer.head_learning_rate, or check the weights"
            )
        return (loss, None) if return_outputs else loss

    def evaluate(self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval") -> dict[str, float]:
        """Measure the model on the dev articles, and add a line to the run's history."""
        measures = self.article_model.network.measure(
            self.dev, EncoderReader(self.article_model, TorchBackend(self.article_model.network, self.args.device)).read
        )
        losses = [row["loss"] for row in self.state.log_history if "loss" in row]
        row = {
            "epoch": round(self.state.epoch or 0, 2),
            "step": self.state.global_step,
            "loss": round(losses[-1], 4) if losses else None,
            **measures,
            "seconds": round(time.monotonic() - self.began, 1),
        }
        if is_writer():
            self.run.append_history(row)
        shown = "  ".join(f"{name.replace('_f1', ' F1').replace('_', ' ')} {value:.4f}" for name, value in measures.items())
        log.info("epoch %-4g dev %s  loss %s  %.0f s", row["epoch"], shown, row["loss"], row["seconds"])
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in measures.items()}
        self.control: TrainerControl = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep the loss for the history; print nothing, `evaluate` does."""
        self.state.log_history.append({**logs, "step": self.state.global_step})

    def _save(self, output_dir: str | None = None, state_dict: dict | None = None) -> None:
        """Write the weights; `Trainer` would pickle its arguments beside them."""
        folder = Path(str(output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        weights = state_dict or self.article_model.network.state_dict()
        copies = {name: tensor.clone() for name, tensor in weights.items()}  # safetensors refuses tied weights that share memory
        save_file(copies, folder / "model.safetensors", metadata={"format": "pt"})


CASE_RATE = 3  # times the encoder's rate: the types that tell the case begin alike, and have little time to part


def parameter_groups(model: Model, config: TrainerConfig) -> list[dict[str, Any]]:
    """Return AdamW's groups: the head at its own rate, a layer's rate `layer_decay` times that of the layer above it.

    The token types that tell the case of words learn at CASE_RATE times `learning_rate`. Biases and norms have no weight decay. Rates
    by layer: Howard and Ruder 2018, section 3.2.
    """
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    depths = model.depths()
    for name, parameter in model.network.named_parameters():
        depth = depths[name]
        rate = config.head_learning_rate if depth is None else config.learning_rate * config.layer_decay**depth
        if model.tells_case(name):
            rate = config.learning_rate * CASE_RATE
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in groups.items()]


def tokens_per_second(
    model: Model, train: TrainingData, config: TrainerConfig, device: torch.device, teacher: Teacher | None = None
) -> float:
    """Time one forward and backward pass of a process's largest batch, and return the tokens a second of all of them.

    Neither weights nor random state are changed.
    """
    budget = config.batch_tokens // n_processes()
    largest = max(BudgetBatches(train.cuts[:1], budget, seed=0), key=lambda rows: padded_size(train.cuts[0], rows))
    network = model.network.to(device).train()
    with torch.random.fork_rng(), torch.autocast(device.type, torch.bfloat16, enabled=use_bf16(config.precision, device)):
        batch = to_device(network.collate([train.rows[row] for row in largest]), device)
        began = time.monotonic()
        batch_loss(network, batch, teacher, network).backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)  # its work is only queued
        seconds = time.monotonic() - began
    network.zero_grad(set_to_none=True)
    return batch["input_ids"].numel() / seconds * n_processes()
