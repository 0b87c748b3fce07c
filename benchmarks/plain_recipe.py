"""The usual Hugging Face recipe for NER, to compare with: sentences, random batches, one rate, a softmax head, 512 tokens at most.

python benchmarks/plain_recipe.py [epochs=12] [seed=1] [data=...] [data.path=...]

Same encoder, split, labels and scorer as `train.py`: its predictions are put back into whole articles, so that what truncation
cuts costs recall. Settings are those of the token-classification tutorial of transformers (5e-5, batches of 16, weight decay
0.01) with the customary warm-up of a tenth; the best epoch on dev is kept. Prints one JSON line.
"""

from __future__ import annotations

import json
import re
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import hydra
import numpy as np
import torch
from datasets import Dataset
from transformers import DataCollatorForTokenClassification, Trainer, TrainingArguments, set_seed

from sitrep.articles import Article, Span
from sitrep.config import TrainConfig, load
from sitrep.corpus import load_corpus
from sitrep.heads.tags import SoftmaxHead, softmax
from sitrep.models import Model, build_model, choose_device
from sitrep.scoring import score
from sitrep.shell import CONFIGS, quote_path
from sitrep.windows import IGNORED, align, decode_mentions, scored_tokens

SENTENCE = re.compile(r"[^\n]*?[.!?][\"'”’)]*(?=\s+[A-Z\"“])|[^\n]+")
MAX_TOKENS = 512


def split_sentences(article: Article) -> list[Article]:
    """Return the sentences of an article; a mention that crosses an end is lost, as in such scripts. The id is the offset."""
    sentences = []
    for match in SENTENCE.finditer(article.text):
        start, end = match.span()
        inside = (span for span in article.spans if start <= span.start and span.end <= end)
        spans = tuple(Span(span.start - start, span.end - start, span.label) for span in inside)
        sentences.append(Article(str(start), match[0], spans))
    return sentences


def training_rows(model: Model, articles: Sequence[Article]) -> list[dict[str, Any]]:
    """Return a row a sentence: token ids cut at 512, the tag at the first token of each word."""
    head, rows = model.network, []
    assert isinstance(head, SoftmaxHead)
    windower = head.windower
    for encoded in windower.encode([sentence for article in articles for sentence in split_sentences(article)]):
        scored = scored_tokens(encoded)
        labels = np.full(len(encoded.token_ids), IGNORED)
        labels[scored] = head.tags.encode(align(encoded)[0], len(scored))
        labels[encoded.continues] = IGNORED
        size = MAX_TOKENS - len(windower.prefix) - len(windower.suffix)
        ids = [*windower.prefix, *encoded.token_ids[:size], *windower.suffix]
        before, after = [IGNORED] * len(windower.prefix), [IGNORED] * len(windower.suffix)
        rows.append({"input_ids": ids, "attention_mask": [1] * len(ids), "labels": [*before, *labels[:size].tolist(), *after]})
    return rows


class PlainTrainer(Trainer):
    """A Trainer that scores whole dev articles."""

    article_model: Model
    dev: Sequence[Article]

    def evaluate(self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval") -> dict[str, float]:
        """Return micro F1 on dev."""
        f1 = score(self.dev, predict(self.article_model, self.dev), self.article_model.task)["strict"]["micro"]["f1"] or 0.0
        print(f"epoch {self.state.epoch:g}  dev micro F1 {f1:.4f}", file=sys.stderr, flush=True)
        metrics = {f"{metric_key_prefix}_f1": f1}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def predict(model: Model, articles: Sequence[Article]) -> list[Article]:
    """Return the articles with the mentions found in their sentences, each read up to 512 tokens."""
    head, found = model.network.eval(), []
    assert isinstance(head, SoftmaxHead)
    for article in articles:
        spans = []
        for encoded in head.windower.encode([sentence.bare() for sentence in split_sentences(article)]):
            ids = [*head.windower.prefix, *encoded.token_ids[: MAX_TOKENS - 2], *head.windower.suffix]
            batch = torch.tensor([ids])
            with torch.inference_mode():
                logits = head(input_ids=batch, attention_mask=torch.ones_like(batch))[0].float().numpy()
            scores = np.zeros((len(encoded.token_ids), logits.shape[1]))
            scores[:, 0] = 1  # what was cut is read as outside
            n_read = len(ids) - len(head.windower.prefix) - len(head.windower.suffix)
            scores[:n_read] = softmax(logits[len(head.windower.prefix) :][:n_read])
            start = int(encoded.article.id)
            spans += [Span(s.start + start, s.end + start, s.label) for s in decode_mentions(encoded, scores, head.tags).spans]
        found.append(replace(article.bare(), spans=tuple(spans)))
    return found


def main(arguments: list[str]) -> None:
    """Train, keep the best epoch on dev, score dev and test."""
    own = {key: value for key, _, value in (argument.partition("=") for argument in arguments) if key == "epochs"}
    rest = [quote_path(argument) for argument in arguments if not argument.startswith("epochs=")]
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        config = load(TrainConfig, hydra.compose("train", ["model.head=softmax", *rest]))
    epochs = int(own.get("epochs", config.trainer.epochs))
    corpus = load_corpus(config.data, config.task)
    set_seed(config.seed)
    model = build_model(config.model, config.task)
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder, num_train_epochs=epochs, per_device_train_batch_size=16, learning_rate=5e-5, weight_decay=0.01,
            warmup_steps=0.1, eval_strategy="epoch", save_strategy="epoch", save_total_limit=1, load_best_model_at_end=True,
            metric_for_best_model="f1", seed=config.seed, report_to="none", use_cpu=choose_device(config.device).type == "cpu",
            disable_tqdm=True, logging_strategy="no",
        )  # fmt: skip
        trainer = PlainTrainer(
            model=model.network.body,
            args=settings,
            train_dataset=Dataset.from_list(training_rows(model, corpus.train)),
            eval_dataset=[],
            data_collator=DataCollatorForTokenClassification(model.tokenizer),
        )
        trainer.article_model, trainer.dev = model, corpus.dev
        trainer.train()
    result: dict[str, Any] = {"epochs": epochs, "seed": config.seed, "seconds": round(time.monotonic() - began)}
    for name in ("dev", "test"):
        strict = score(corpus.split(name), predict(model, corpus.split(name)), config.task)["strict"]
        result |= {f"{name}_micro": round(100 * strict["micro"]["f1"], 1), f"{name}_macro": round(100 * strict["macro"]["f1"], 1)}
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1:])
