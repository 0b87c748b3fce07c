"""The usual Hugging Face recipe for NER, to compare with: sentences, random batches, one rate, a softmax head, 512 tokens at most.

python benchmarks/plain_recipe.py [epochs=10] [seed=1] [data=...] [data.path=...] [key=value...]

Same encoder, split, labels and scorer as `train.py`: its predictions are put back into whole articles, so that what the cut at 512
tokens or at a sentence's end loses costs recall. Settings are those of the token-classification tutorial of transformers
(batches of 16 padded to the longest, weight decay 0.01, cross entropy at the first sub-token of each word) and the defaults of
`Trainer` (5e-5 falling linearly), with the customary warm-up of a tenth; the best epoch on dev is kept. Prints F1 on dev and test and
the seconds of training, and leaves models/plain-<data>-<model>/<time>-s<seed>/: a run without a model, which `compare.py` takes.
"""

from __future__ import annotations

import re
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import hydra
import numpy as np
import torch
from datasets import Dataset
from transformers import DataCollatorForTokenClassification, Trainer, TrainingArguments, set_seed

from sitrep.articles import Article, Span, fingerprint
from sitrep.config import NER, DataConfig, TrainConfig, load
from sitrep.corpus import Corpus, load_corpus
from sitrep.diagnosis import train_surfaces
from sitrep.evaluation import save_evaluation
from sitrep.finding import MODELS
from sitrep.heads.base import pad_windows, to_device
from sitrep.heads.tags import SoftmaxHead, softmax
from sitrep.models import Model, build_model, choose_device
from sitrep.runs import Run
from sitrep.scoring import score
from sitrep.shell import CONFIGS, quote_path
from sitrep.terminal import percent
from sitrep.windows import IGNORED, align, decode_mentions

BATCH = 16
MAX_TOKENS = 512
PLAIN = (
    "model.head=softmax", "model.case=false", "model.attention_dropout=null",  # the encoder as it comes
    f"trainer.batch_tokens={BATCH * MAX_TOKENS}", "trainer.learning_rate=5e-5", "trainer.head_learning_rate=5e-5", "trainer.layer_decay=1",
    "trainer.weight_decay=0.01", "trainer.warmup=0.1", "trainer.max_grad_norm=1", "trainer.patience=null", "trainer.precision=fp32",
)  # fmt: skip
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
        labels = np.full(len(encoded.token_ids), IGNORED)
        labels[encoded.scored] = head.tags.encode(align(encoded)[0], len(encoded.scored))
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
        strict = score(self.dev, predict(self.article_model, self.dev, self.rule), self.article_model.task, intervals=False)["strict"]
        f1 = strict["micro"]["f1"] or 0.0
        print(f"epoch {self.state.epoch:g}  dev micro F1 {f1:.4f}", file=sys.stderr, flush=True)
        metrics = {f"{metric_key_prefix}_f1": f1}
        self.control = self.callback_handler.on_evaluate(self.args, self.state, self.control, metrics)
        return metrics


def train(config: TrainConfig, model: Model, rows: Sequence[dict[str, Any]], dev: Sequence[Article]) -> None:
    """Train `model` in place and leave it as it was after the best epoch on dev."""
    chosen = config.trainer
    with tempfile.TemporaryDirectory() as folder:
        settings = TrainingArguments(
            output_dir=folder, num_train_epochs=chosen.epochs, per_device_train_batch_size=BATCH, learning_rate=chosen.learning_rate,
            weight_decay=chosen.weight_decay, warmup_steps=chosen.warmup, max_grad_norm=chosen.max_grad_norm, eval_strategy="epoch",
            save_strategy="epoch", save_total_limit=1, load_best_model_at_end=True, metric_for_best_model="f1", seed=config.seed,
            report_to="none", use_cpu=choose_device(config.device).type == "cpu", disable_tqdm=True, logging_strategy="no",
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
    """Train, score dev and test, and return the folder of the run."""
    given = [f"trainer.{argument}" if argument.startswith("epochs=") else argument for argument in arguments]
    config = compose([*PLAIN, *given])
    folder = f"plain-{config.data.name}-{config.model.name}"
    config = replace(config, model=replace(config.model, name="plain"))
    with recipe_run("benchmarks/plain_recipe.py", folder, config) as (run, corpus):
        rule, began = sentence_rule(config.data), time.monotonic()
        set_seed(config.seed)
        model = build_model(config.model, config.task)
        train(config, model, training_rows(model, corpus.train, rule), corpus.dev)
        assert isinstance(model.network, SoftmaxHead)
        facts = {
            "device": str(model.network.device),
            "n_parameters": model.n_parameters,
            "settings": {"unit": "sentence", "batch": BATCH, "max_tokens": min(MAX_TOKENS, n_readable(model.network))},
        }
        finish(run, corpus, lambda articles: predict(model, articles, rule), seconds=round(time.monotonic() - began, 1), **facts)
    return run.path


@contextmanager
def recipe_run(recipe: str, folder: str, config: TrainConfig) -> Iterator[tuple[Run, Corpus]]:
    """Begin a run of `recipe` in its own folder below models/`folder`, and yield it with its corpus; given up if anything fails."""
    if config.task.kind != NER:
        sys.exit(f"task={config.task.name}: the recipe is one for mentions")
    corpus = load_corpus(config.data, config.task)
    run = Run(MODELS / folder / f"{time.strftime('%Y%m%d-%H%M%S')}-s{config.seed}")
    run.begin(config, fingerprint(corpus.articles), recipe=recipe)
    run.save_surfaces(train_surfaces(corpus.train))
    try:
        yield run, corpus
    except BaseException:
        run.forget()
        raise


def finish(run: Run, corpus: Corpus, read: Callable[[Sequence[Article]], Sequence[Article]], **facts: Any) -> None:
    """Score on dev and test what `read` finds, print and save it, and mark the run as finished with `facts`."""
    task = run.config().task
    for name in ("dev", "test"):
        gold, began = corpus.split(name), time.monotonic()
        pred = read([article.bare() for article in gold])
        metrics = save_evaluation(run, name, gold, pred, task, seconds=time.monotonic() - began)
        averages = (f"{average} F1 {percent(metrics['strict'][average]['f1'])}" for average in ("micro", "macro"))
        print(f"{name:<5} {'  '.join(averages)}")
    run.finish(**facts)
    print(f"{facts['seconds']:.0f} s; run: {run.path}")


if __name__ == "__main__":
    main(sys.argv[1:])
