"""Wiring of `transformers.Trainer`: windows in batches, rates for encoder and head, the best epoch on dev.

NER learns from windows; a class field learns from articles, whose windows are read together and whose logits are averaged,
so that a label need not be visible in every window.
"""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from datasets import Dataset
from datasets.utils.logging import disable_progress_bar
from transformers import EarlyStoppingCallback, Trainer, TrainerControl, TrainingArguments, set_seed

from sitrep.articles import Article
from sitrep.config import NER, TrainerConfig
from sitrep.models import Model
from sitrep.prediction import EncoderReader, pad_windows
from sitrep.runs import Run
from sitrep.scoring import score
from sitrep.windows import IGNORED, Lost

log = logging.getLogger(__name__)
disable_progress_bar()


@dataclass(frozen=True)
class TrainingData:
    """What the network sees: one row a window (NER) or an article (classes), and what that could not hold."""

    rows: Dataset
    n_windows: int
    n_tokens: int
    ledger: list[Lost]


def encode_training(model: Model, articles: Sequence[Article]) -> TrainingData:
    """Cut labelled articles into training rows."""
    windower = model.windower()
    rows: list[dict[str, Any]] = []
    ledger: list[Lost] = []
    for encoded in windower.encode(articles):
        if model.task.kind == NER:
            tagged, lost = windower.tag_windows(encoded, model.tags)
            rows += tagged
            ledger += lost
        else:
            windows = [windower.input_ids(encoded, window) for window in encoded.windows]
            rows.append({"windows": windows, "labels": _class_target(model, encoded.article)})
    lengths = [len(window) for row in rows for window in row.get("windows", [row.get("input_ids")])]
    return TrainingData(Dataset.from_list(rows), len(lengths), sum(lengths), ledger)


def _class_target(model: Model, article: Article) -> int | list[float]:
    gold = article.labels[str(model.task.field)]
    if model.task.kind == "multi-class":
        return model.task.labels.index(gold[0])
    return [float(label in gold) for label in model.task.labels]


def train_model(
    model: Model, config: TrainerConfig, train: TrainingData, dev: Sequence[Article], run: Run, *, seed: int, device: torch.device
) -> None:
    """Train `model` in place and leave it as it was after the best epoch on dev (the first of equals)."""
    set_seed(seed)
    arguments = TrainingArguments(
        output_dir=str(run.path),
        num_train_epochs=config.epochs,
        per_device_train_batch_size=config.batch_size,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        warmup_steps=config.warmup,  # below 1, so a share of all updates
        lr_scheduler_type="linear",
        max_grad_norm=config.max_grad_norm,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=1,  # beside the best
        load_best_model_at_end=True,
        metric_for_best_model="f1",
        greater_is_better=True,
        logging_strategy="epoch",
        seed=seed,
        use_cpu=device.type == "cpu",
        bf16=device.type == "cuda" and torch.cuda.is_bf16_supported(),
        dataloader_pin_memory=device.type == "cuda",
        remove_unused_columns=False,
        disable_tqdm=not sys.stderr.isatty(),
        report_to="none",
    )
    trainer = ArticleTrainer(model, config, dev, run, args=arguments, train_dataset=train.rows)
    if config.patience:
        trainer.add_callback(EarlyStoppingCallback(config.patience))
    trainer.train()
    for checkpoint in run.path.glob("checkpoint-*"):
        shutil.rmtree(checkpoint)


class ArticleTrainer(Trainer):
    """A `Trainer` that scores whole dev articles after each epoch, with the scorer that also scores the test split."""

    def __init__(self, model: Model, config: TrainerConfig, dev: Sequence[Article], run: Run, **kwargs: Any) -> None:
        collate = Collator(model.task.kind, model.tokenizer.pad_token_id)
        super().__init__(model=model.network, data_collator=collate, eval_dataset=list(dev), **kwargs)
        self.article_model, self.config, self.dev, self.run = model, config, dev, run
        self.began = time.monotonic()

    def create_optimizer(self, model: Any = None) -> torch.optim.Optimizer:
        """Return AdamW with rates for encoder and head."""
        if self.optimizer is None:
            groups = parameter_groups(self.article_model, self.config)
            self.optimizer = torch.optim.AdamW(groups, lr=self.config.learning_rate, fused=True)
        return self.optimizer

    def compute_loss(self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None) -> Any:
        """Return the mean cross entropy over tokens, or over articles whose windows' logits are averaged."""
        if "window_owner" not in inputs:
            return super().compute_loss(model, inputs, return_outputs, num_items_in_batch)
        labels, owner = inputs.pop("labels"), inputs.pop("window_owner")
        outputs = model(**inputs)
        logits = mean_by_owner(outputs.logits, owner, len(labels))
        if self.article_model.task.kind == "multi-class":
            loss = torch.nn.functional.cross_entropy(logits, labels)
        else:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels)
        return (loss, outputs) if return_outputs else loss

    def evaluate(self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval") -> dict[str, float]:
        """Read the dev articles, score them, and add a line to the run's history."""
        task = self.article_model.task
        pred = list(EncoderReader(self.article_model, self.args.device).read(self.dev))
        strict = score(self.dev, pred, task)["strict"]
        micro, macro = strict["micro"]["f1"] or 0.0, strict["macro"]["f1"] or 0.0
        losses = [row["loss"] for row in self.state.log_history if "loss" in row]
        row = {
            "epoch": round(self.state.epoch or 0, 2),
            "step": self.state.global_step,
            "loss": round(losses[-1], 4) if losses else None,
            "micro_f1": micro,
            "macro_f1": macro,
            "seconds": round(time.monotonic() - self.began, 1),
        }
        self.run.append_history(row)
        log.info("epoch %-4g dev micro F1 %.4f  macro F1 %.4f  loss %s  %.0f s", row["epoch"], micro, macro, row["loss"], row["seconds"])
        metrics = {f"{metric_key_prefix}_f1": micro}
        self.control: TrainerControl = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Keep the loss for the history; print nothing, `evaluate` does."""
        self.state.log_history.append({**logs, "step": self.state.global_step})


@dataclass(frozen=True)
class Collator:
    """Pads the rows of a batch; the windows of its articles become one long list, with the article that owns each."""

    kind: str
    pad_id: int

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        """Return the tensors of one batch."""
        if self.kind == NER:
            batch = pad_windows([row["input_ids"] for row in rows], self.pad_id)
            longest = batch["input_ids"].shape[1]
            labels = [[*row["labels"], *[IGNORED] * (longest - len(row["labels"]))] for row in rows]
            return {**batch, "labels": torch.tensor(labels)}
        batch = pad_windows([window for row in rows for window in row["windows"]], self.pad_id)
        owner = [index for index, row in enumerate(rows) for _ in row["windows"]]
        return {**batch, "window_owner": torch.tensor(owner), "labels": torch.tensor([row["labels"] for row in rows])}


def mean_by_owner(logits: torch.Tensor, owner: torch.Tensor, n_owners: int) -> torch.Tensor:
    """Return (n_owners, n_labels): the mean of the (n_windows, n_labels) logits of each owner."""
    total = torch.zeros(n_owners, logits.shape[1], dtype=logits.dtype, device=logits.device).index_add(0, owner, logits)
    return total / torch.bincount(owner, minlength=n_owners).unsqueeze(1)


def parameter_groups(model: Model, config: TrainerConfig) -> list[dict[str, Any]]:
    """Return AdamW's groups: the head at its own rate; biases and norms without weight decay."""
    groups: dict[tuple[float, float], list[torch.nn.Parameter]] = {}
    prefix = model.network.base_model_prefix + "."
    for name, parameter in model.network.named_parameters():
        rate = config.learning_rate if name.startswith(prefix) else config.head_learning_rate
        decay = config.weight_decay if parameter.ndim > 1 else 0.0
        groups.setdefault((rate, decay), []).append(parameter)
    return [{"params": parameters, "lr": rate, "weight_decay": decay} for (rate, decay), parameters in groups.items()]


def tokens_per_second(model: Model, train: TrainingData, batch_size: int, device: torch.device) -> float:
    """Time one forward and backward pass of the longest rows; neither weights nor random state are changed."""
    kind = model.task.kind
    rows = sorted(train.rows, key=lambda row: len(row["input_ids"] if kind == NER else row["windows"]))[-batch_size:]
    batch = {
        name: tensor.to(device)
        for name, tensor in Collator(kind, model.tokenizer.pad_token_id)(rows).items()
        if name in ("input_ids", "attention_mask")
    }
    network = model.network.to(device).train()  # type: ignore[arg-type]
    with torch.random.fork_rng():
        began = time.monotonic()
        network(**batch).logits.sum().backward()
        seconds = time.monotonic() - began
    network.zero_grad(set_to_none=True)
    return batch["input_ids"].numel() / seconds
