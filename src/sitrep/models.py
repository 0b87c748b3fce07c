"""Encoder and head: built, saved, loaded. The offline default encoder is a pip package that carries its weights.

A checkpoint is a plain Hugging Face folder, so that `transformers.pipeline` opens it, plus `sitrep.json` for what plain
transformers does not know: the task, its windows and the head, and `head.safetensors` for the head's own parameters.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging as transformers_logging

from sitrep.casing import drops_case
from sitrep.characters import CASES
from sitrep.config import ModelConfig, TaskConfig, load
from sitrep.errors import InputError, first_line
from sitrep.finding import open_run
from sitrep.heads import choose_head
from sitrep.heads.base import Head
from sitrep.runs import SCHEMA_VERSION
from sitrep.windows import Windower

HEAD_FILE = "head.safetensors"

transformers_logging.set_verbosity_error()  # its warnings (new head, long text) are what we do on purpose
transformers_logging.disable_progress_bar()

ATTENTION_DROPOUT = ("attention_probs_dropout_prob", "attention_dropout")  # what encoders of one family or another call it
TYPE_TABLE = "token_type_embeddings"  # of BERT and its kin
CASE_KEY = "case_token_types"  # in an encoder's config.json: the token type for each of CASES
LAYER = re.compile(r"\.(?:layers?|h|blocks?)\.(\d+)\.")  # how transformers names an encoder's layers


@dataclass
class Model:
    """A network with its tokenizer and what it was made for."""

    network: Head
    tokenizer: PreTrainedTokenizerBase
    head: str

    @property
    def task(self) -> TaskConfig:
        """What the network was made for."""
        return self.network.task

    @property
    def n_parameters(self) -> int:
        """How many numbers the network holds."""
        return sum(parameter.numel() for parameter in self.network.parameters())

    def depths(self) -> dict[str, int | None]:
        """Return, per parameter, the layers between it and the head: 0 in the last layer, most in the embeddings, None in the head."""
        body = self.network.body
        prefix = "body." if body.base_model is body else f"body.{body.base_model_prefix}."
        names = [name for name, _ in self.network.named_parameters()]
        layers = {name: int(match[1]) for name in names if (match := LAYER.search(name))}
        n_layers = max(layers.values(), default=-1) + 1
        return {
            name: None if not name.startswith(prefix)
            else n_layers - 1 - layers[name] if name in layers
            else n_layers if "embed" in name
            else 0  # what follows the layers: a pooler, a last norm
            for name in names
        }  # fmt: skip

    def tells_case(self, name: str) -> bool:
        """Say whether a parameter holds the token types that tell the case of words."""
        return bool(self.network.windower.case_types) and TYPE_TABLE in name

    def save(self, folder: Path) -> None:
        """Write the checkpoint; the folder appears when it is whole."""
        temporary = folder.with_name(f".{folder.name}.tmp")
        shutil.rmtree(temporary, ignore_errors=True)
        self.network.body.save_pretrained(temporary)
        self.tokenizer.save_pretrained(temporary)
        if own := self.network.own_state():
            save_file(own, temporary / HEAD_FILE)
        settings = {"schema_version": SCHEMA_VERSION, "head": self.head, "task": asdict(self.task)}
        (temporary / "sitrep.json").write_text(json.dumps(settings, indent=2) + "\n")
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)


def build_model(config: ModelConfig, task: TaskConfig) -> Model:
    """Return the encoder that `config` names with a fresh head for `task`.

    Raises:
        InputError: if the encoder cannot be found or loaded, or cannot read windows as long as the task asks for.
    """
    if config.init_from:
        source = str(open_run(config.init_from).checkpoint_path)
    else:
        source = _package_folder(config) if config.package else str(config.path)
    name, head = choose_head(config.head, task)
    names = head.outputs(task)
    labels = {"num_labels": len(names), "id2label": dict(enumerate(names)), "label2id": {name: i for i, name in enumerate(names)}}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, use_fast=True)
        _check_tokenizer(tokenizer, source, head)
        settings = AutoConfig.from_pretrained(source, **(labels if names else {}))
        if config.attention_dropout is not None:
            settings.update({name: config.attention_dropout for name in ATTENTION_DROPOUT if hasattr(settings, name)})
        if task.field:
            settings.problem_type = "single_label_classification" if task.kind == "multi-class" else "multi_label_classification"
        body = head.body_class.from_pretrained(source, config=settings, dtype=torch.float32, ignore_mismatched_sizes=True)
        if config.init_from and names:  # the scorer of words fits all texts, and shares its weights with the encoder
            _draw_head(body)
        _tell_case(body, config, task, tokenizer, source)
        if config.layers:
            _keep_layers(body, config.layers, source)
    except (OSError, ValueError, SafetensorError) as error:
        raise InputError(f"model.path={source}: cannot be loaded as encoder with tokenizer: {first_line(error)}") from error
    longest = _longest(body) or task.windows.max_tokens
    if task.windows.max_tokens > longest:
        raise InputError(
            f"task.windows.max_tokens={task.windows.max_tokens}: {source} reads at most {longest} tokens; set it to that or less"
        )
    return Model(head(body, task, _windower(tokenizer, task, body)), tokenizer, name)


def load_model(folder: Path) -> Model:
    """Return the model of a checkpoint folder."""
    settings = json.loads((folder / "sitrep.json").read_text(encoding="utf-8"))
    task = load(TaskConfig, settings["task"])
    tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True)
    name, head = choose_head(settings["head"], task)
    body = head.body_class.from_pretrained(folder, dtype=torch.float32)
    network = head(body, task, _windower(tokenizer, task, body))
    if (folder / HEAD_FILE).exists():
        network.load_state_dict({**network.state_dict(), **load_file(folder / HEAD_FILE)})
    return Model(network.eval(), tokenizer, name)


def _table(body: PreTrainedModel, name: str) -> Any:
    """Return the embeddings of that name, or None where the encoder's family has none."""
    return getattr(getattr(body.base_model, "embeddings", None), name, None)


def _longest(body: PreTrainedModel) -> int | None:
    """Return how many tokens an encoder reads at once, if it says so; RoBERTa and its kin keep the first positions for padding."""
    longest = getattr(body.config, "max_position_embeddings", None)
    unread = getattr(_table(body, "position_embeddings"), "padding_idx", None)
    return longest and longest - (0 if unread is None else unread + 1)


def _draw_head(body: PreTrainedModel) -> None:
    """Draw the layer that scores labels afresh: the run's own fits its own labels."""
    children = [module for name, module in body.named_children() if name != body.base_model_prefix and body.base_model is not body]
    for layer in (layer for module in children for layer in module.modules() if isinstance(layer, torch.nn.Linear)):
        torch.nn.init.normal_(layer.weight, std=getattr(body.config, "initializer_range", 0.02))
        if layer.bias is not None:
            torch.nn.init.zeros_(layer.bias)


def _tell_case(body: PreTrainedModel, config: ModelConfig, task: TaskConfig, tokenizer: PreTrainedTokenizerBase, source: str) -> None:
    """Give the encoder token types for the case of words if they are wanted, or help: mentions and words, and a tokenizer that drops it.

    They begin as the type that the encoder knows, so that it reads as before until it has learnt them. An encoder that has them keeps them.
    """
    table = _table(body, TYPE_TABLE)
    if config.case and table is None:
        raise InputError(f"model.case=true: {source} has no token types to tell the case of words by; set model.case=null")
    if config.case is False or table is None:
        setattr(body.config, CASE_KEY, None)
    elif not getattr(body.config, CASE_KEY, None) and (config.case or (not task.field and drops_case(tokenizer))):
        n_known, n_new = table.num_embeddings, len(CASES) - 1
        wider = torch.nn.Embedding(n_known + n_new, table.embedding_dim)
        wider.weight.data = torch.cat([table.weight.data, table.weight.data[:1].expand(n_new, -1)])
        setattr(body.base_model.embeddings, TYPE_TABLE, wider)
        body.config.update({"type_vocab_size": n_known + n_new, CASE_KEY: [0, *range(n_known, n_known + n_new)]})


def _keep_layers(body: PreTrainedModel, kept: Sequence[int], source: str) -> None:
    """Drop the other layers, in the network and in its config, so that the checkpoint opens as any other of its family.

    Raises:
        InputError: if the encoder has fewer layers, or its layers are not a list of equals.
    """
    n_layers = getattr(body.config, "num_hidden_layers", None)
    stacks = [
        (name, module)
        for name, module in body.base_model.named_modules()
        if isinstance(module, torch.nn.ModuleList) and LAYER.search(f".{name}.0.") and len(module) == n_layers
    ]
    if len(stacks) != 1 or getattr(body.config, "layer_types", None):
        raise InputError(
            f"model.layers={list(kept)}: the layers of {source} ({body.config.model_type}) are not all of a kind, and cannot be dropped; "
            "set model.layers=null"
        )
    ((name, layers),) = stacks
    if kept[-1] >= len(layers):
        raise InputError(
            f"model.layers={list(kept)}: {source} has {len(layers)} layers, 0 to {len(layers) - 1}; name some of these, or null for all"
        )
    body.base_model.set_submodule(name, torch.nn.ModuleList(layers[index] for index in kept))
    body.config.num_hidden_layers = len(kept)


def _windower(tokenizer: PreTrainedTokenizerBase, task: TaskConfig, body: PreTrainedModel) -> Windower:
    return Windower(tokenizer, task.windows.max_tokens, task.windows.overlap, getattr(body.config, CASE_KEY, None))


def _check_tokenizer(tokenizer: PreTrainedTokenizerBase, source: str, head: type[Head]) -> None:
    if set(tokenizer.get_vocab()) <= {*tokenizer.all_special_tokens, "▁"}:  # what transformers makes of a folder without tokenizer files
        raise InputError(f"model.path={source}: holds no tokenizer; copy tokenizer.json and tokenizer_config.json of the encoder there")
    if not tokenizer.is_fast:
        raise InputError(
            f"model.path={source}: its tokenizer gives no offsets (it is not a fast tokenizer); choose an encoder with tokenizer.json"
        )
    if head.needs_mask_token and tokenizer.mask_token_id is None:
        raise InputError(
            f"model.path={source}: its tokenizer has no mask token, so that it was not trained on masked words and cannot go on with it; "
            "choose an encoder such as BERT, RoBERTa, DistilBERT, DeBERTa, ModernBERT or XLM-R (not a GPT, not a T5)"
        )


def choose_device(name: str) -> torch.device:
    """Return the device for `auto` (a GPU where there is one), `cpu`, `cuda`, `cuda:1`, `mps`...

    Raises:
        InputError: if this machine does not have it.
    """
    if name == "auto":
        accelerator = torch.accelerator.current_accelerator(check_available=True)
        return accelerator or torch.device("cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device={name}: not on this machine ({first_line(error)}); use device=auto or device=cpu") from error
    return device


def _package_folder(config: ModelConfig) -> str:
    """Return the folder with the weights inside an installed package, which is found without being imported."""
    spec = importlib.util.find_spec(str(config.package))
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            f"model={config.name}: the package {config.package} is not installed; run 'make setup', or choose model=hub model.path=FOLDER"
        )
    found = [path for root in spec.submodule_search_locations for path in sorted(Path(root).rglob("model.safetensors"))]
    if not found:
        raise InputError(f"model={config.name}: the package {config.package} holds no model.safetensors; reinstall it")
    if config.sha256:
        with found[0].open("rb") as weights:
            digest = hashlib.file_digest(weights, "sha256").hexdigest()
        if digest != config.sha256:
            raise InputError(
                f"{found[0]}: SHA-256 is {digest}, expected {config.sha256}; the package is damaged or was changed: reinstall it"
            )
    return str(found[0].parent)
