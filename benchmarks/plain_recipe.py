"""The usual Hugging Face recipe for NER, to compare with: sentences, random batches, one rate, a softmax head, 512 tokens at most.

python benchmarks/plain_recipe.py [epochs=10] [seed=1] [data=...] [data.path=...] [key=value...]

Same encoder, split, labels and scorer as `train.py`: its predictions are put back into whole articles, so that what the cut at 512
tokens or at a sentence's end loses costs recall. Settings are those of the token-classification tutorial of transformers
(batches of 16 padded to the longest, weight decay 0.01, cross entropy at the first sub-token of each word) and the defaults of
`Trainer` (5e-5 falling linearly), with the customary warm-up of a tenth; the best epoch on dev is kept. Prints F1 on dev and test and
the seconds of training, and writes them to models/plain-<data>-<model>/<time>-s<seed>/metrics.json.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import torch
from datasets import Dataset
from transformers import DataCollatorForTokenClassification, Trainer, TrainingArguments, set_seed

from sitrep.articles import Article, Span
from sitrep.config import NER, DataConfig, TrainConfig, load
from sitrep.corpus import Corpus, load_corpus
from sitrep.heads.base import pad_windows, to_device
from sitrep.heads.tags import SoftmaxHead, softmax
from sitrep.models import Model, build_model, choose_device
from sitrep.provenance import provenance
from sitrep.runs import MODELS, SCHEMA_VERSION, write_json
from sitrep.scoring import score
from sitrep.shell import CONFIGS, quote_path
from sitrep.terminal import percent
from sitrep.windows import IGNORED, align, decode_mentions, scored_tokens

PLAIN = ("model.head=softmax", "model.case=false", "model.attention_dropout=null")  # the encoder as it comes
BATCH = 16
MAX_TOKENS = 512
SENTENCE = re.compile(r"[^\n]*?[.!?][\"'”’)]*(?=\s+[A-Z\"“])|[^\n]+")
WHOLE = re.compile(r".+", re.DOTALL)


def compose(arguments: Sequence[str]) -> TrainConfig:
    """Return the config that `train.py` would have with these arguments."""
    with hydra.initialize_config_dir(str(CONFIGS), version_base="1.3"):
        return load(TrainConfig, hydra.compose("train", [quote_path(argument) for argument in arguments]))


def sentence_rule(data: DataConfig) -> re.Pattern[str]:
    """Return what a sentence is: CoNLL files hold sentences already."""
    return WHOLE if data.format == "conll" else SENTENCE


def split_sentences(article: Article, rule: re.Pattern[str]) -> list[Article]:
    """Return the sentences of an article; a mention that crosses an end is lost, as in such scripts. The id is the offset."""
    sentences = []
    for match in rule.finditer(article.text):
        start, end = match.span()
        if match[0].strip():
            inside = (span for span in article.spans if start <= span.start and span.end <= end)
            spans = tuple(Span(span.start - start, span.end - start, span.label) for span in inside)
            sentences.append(Article(str(start), match[0], spans))
    return sentences


def n_readable(head: SoftmaxHead) -> int:
    """Return how many tokens beside the special ones are left of a sentence."""
    longest = getattr(head.body.config, "max_position_embeddings", None) or MAX_TOKENS
    return min(MAX_TOKENS, longest) - len(head.windower.prefix) - len(head.windower.suffix)


def training_rows(model: Model, articles: Sequence[Article], rule: re.Pattern[str]) -> list[dict[str, Any]]:
    """Return a row a sentence: token ids, cut; the tag at the first token of each word."""
    head, rows = model.network, []
    assert isinstance(head, SoftmaxHead)
    windower, size = head.windower, n_readable(head)
    for encoded in windower.encode([sentence for article in articles for sentence in split_sentences(article, rule)]):
        scored = scored_tokens(encoded)
        labels = np.full(len(encoded.token_ids), IGNORED)
        labels[scored] = head.tags.encode(align(encoded)[0], len(scored))
        labels[encoded.continues] = IGNORED
        ids = windower.inputs(encoded, (0, size))["input_ids"]
        before, after = [IGNORED] * len(windower.prefix), [IGNORED] * len(windower.suffix)
        rows.append({"input_ids": ids, "attention_mask": [1] * len(ids), "labels": [*before, *labels[:size].tolist(), *after]})
    return rows


def predict(model: Model, articles: Sequence[Article], rule: re.Pattern[str]) -> list[Article]:
    """Return the articles with the mentions found in their sentences; what was cut off is read as outside."""
    head, found = model.network.eval(), {article.id: list[Span]() for article in articles}
    assert isinstance(head, SoftmaxHead)
    windower, size = head.windower, n_readable(head)
    sentences = [(article.id, sentence) for article in articles for sentence in split_sentences(article.bare(), rule)]
    for first in range(0, len(sentences), BATCH):
        batch = sentences[first : first + BATCH]
        encoded = windower.encode([sentence for _, sentence in batch])
        padded = pad_windows([windower.inputs(sentence, (0, size)) for sentence in encoded], windower.pad_id)
        with torch.inference_mode():
            logits = head.score(**to_device(padded, head.device)).float().cpu().numpy()
        for (article_id, _), sentence, read in zip(batch, encoded, logits, strict=True):
            scores = np.zeros((len(sentence.token_ids), logits.shape[2]))
            scores[:, 0] = 1
            scores[:size] = softmax(read[len(windower.prefix) :][: min(size, len(scores))])
            start = int(sentence.article.id)
            mentions = decode_mentions(sentence, scores, head.tags).spans
            found[article_id] += [Span(span.start + start, span.end + start, span.label) for span in mentions]
    return [replace(article.bare(), spans=tuple(found[article.id])) for article in articles]


class PlainTrainer(Trainer):
    """A Trainer that scores whole dev articles."""

    article_model: Model
    dev: Sequence[Article]
    rule: re.Pattern[str]

    def evaluate(self, eval_dataset: Any = None, ignore_keys: Any = None, metric_key_prefix: str = "eval") -> dict[str, float]:
        """Return micro F1 on dev."""
        strict = score(self.dev, predict(self.article_model, self.dev, self.rule), self.article_model.task)["strict"]
        f1 = strict["micro"]["f1"] or 0.0
        print(f"epoch {self.state.epoch:g}  dev micro F1 {f1:.4f}", file=sys.stderr, flush=True)
        metrics = {f"{metric_key_prefix}_f1": f1}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def train(config: TrainConfig, model: Model, rows: Sequence[dict[str, Any]], dev: Sequence[Article], epochs: int) -> None:
    """Train `model` in place and leave it as it was after the best epoch on dev."""
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder, num_train_epochs=epochs, per_device_train_batch_size=BATCH, learning_rate=5e-5, weight_decay=0.01,
            warmup_steps=0.1, eval_strategy="epoch", save_strategy="epoch", save_total_limit=1, load_best_model_at_end=True,
            metric_for_best_model="f1", seed=config.seed, report_to="none", use_cpu=choose_device(config.device).type == "cpu",
            disable_tqdm=True, logging_strategy="no",
        )  # fmt: skip
        trainer = PlainTrainer(
            model=model.network.body,
            args=settings,
            train_dataset=Dataset.from_list(list(rows)),
            eval_dataset=[],
            data_collator=DataCollatorForTokenClassification(model.tokenizer),
        )
        trainer.article_model, trainer.dev, trainer.rule = model, dev, sentence_rule(config.data)
        trainer.train()


def main(arguments: Sequence[str]) -> Path:
    """Train, score dev and test, and return the file with the scores."""
    own = {key: value for key, _, value in (argument.partition("=") for argument in arguments) if key == "epochs"}
    others = [argument for argument in arguments if not argument.startswith("epochs=")]
    config = compose([*PLAIN, *others])
    if config.task.kind != NER:
        sys.exit(f"task={config.task.name}: the recipe is one for mentions")
    epochs = int(own.get("epochs", config.trainer.epochs))
    corpus, rule = load_corpus(config.data, config.task), sentence_rule(config.data)
    facts = {**facts_of(config, arguments), "epochs": epochs}
    began = time.monotonic()
    set_seed(config.seed)
    model = build_model(config.model, config.task)
    train(config, model, training_rows(model, corpus.train, rule), corpus.dev, epochs)
    facts["seconds"] = round(time.monotonic() - began, 1)
    predicted = {name: predict(model, corpus.split(name), rule) for name in ("dev", "test")}
    return save_scores(f"plain-{config.data.name}-{config.model.name}", config, corpus, predicted, facts)


def facts_of(config: TrainConfig, arguments: Sequence[str]) -> dict[str, Any]:
    """Return what is known of a training when it begins."""
    return {"schema_version": SCHEMA_VERSION, **provenance(), "arguments": [*arguments], "seed": config.seed}


def save_scores(
    name: str, config: TrainConfig, corpus: Corpus, predicted: Mapping[str, Sequence[Article]], facts: Mapping[str, Any]
) -> Path:
    """Print the scores of what a recipe predicts for some splits, write them with `facts` below models/, and return the file."""
    scores = {split: score(corpus.split(split), articles, config.task) for split, articles in predicted.items()}
    folder = MODELS / name / f"{time.strftime('%Y%m%d-%H%M%S')}-s{config.seed}"
    folder.mkdir(parents=True)
    write_json(folder / "metrics.json", {**facts, **scores})
    for split, scored in scores.items():
        print(f"{split:<5} micro F1 {percent(scored['strict']['micro']['f1'])}  macro F1 {percent(scored['strict']['macro']['f1'])}")
    print(f"{facts['seconds']:.0f} s; scores: {folder / 'metrics.json'}")
    return folder / "metrics.json"


if __name__ == "__main__":
    main(sys.argv[1:])
