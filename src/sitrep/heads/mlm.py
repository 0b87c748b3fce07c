"""The head that learns words, not labels: masked-language-model training on articles of the domain.

BERT's objective (Devlin et al. 2019), gone on with on texts of the domain (Gururangan et al. 2020, "Don't Stop Pretraining"): 15 % of
the tokens are to be guessed; of those 80 % are masked, 10 % replaced by another token and 10 % left as they are. What is masked is
drawn anew for each batch, from torch's own chance, whose state the Trainer keeps: a resumed training masks the same tokens.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy
from transformers import AutoModelForMaskedLM, PreTrainedModel

from sitrep.articles import Article
from sitrep.config import TaskConfig
from sitrep.errors import InputError
from sitrep.heads.base import Batch, Head, Row, pad_windows, to_device
from sitrep.sampling import READ_TOKENS, batches_by_length
from sitrep.windows import IGNORED, EncodedArticle, Lost, Windower

MASKED = 0.15  # of the tokens that are no special tokens
HIDDEN, REPLACED = 0.8, 0.1  # of the masked ones
MEASURE_SEED = 0  # the masks on held-out articles are the same in each epoch and run, so that losses compare


class MlmHead(Head):
    """Scores every token of the vocabulary at the masked places."""

    body_class = AutoModelForMaskedLM
    best_measure = "held_out_loss"
    higher_is_better = False
    needs_mask_token = True

    def __init__(self, body: PreTrainedModel, task: TaskConfig, windower: Windower) -> None:
        super().__init__(body, task, windower)
        tokenizer = windower.tokenizer
        self.mask_id = tokenizer.mask_token_id
        special = set(tokenizer.all_special_ids)
        n_known: Any = body.get_input_embeddings().num_embeddings  # a tokenizer may hold more than the encoder has vectors for
        self.special_ids = torch.tensor(sorted(special))
        self.word_ids = torch.tensor(sorted(index for index in set(tokenizer.get_vocab().values()) - special if index < n_known))

    @classmethod
    def outputs(cls, task: TaskConfig) -> tuple[str, ...]:
        """Return nothing: what is scored are tokens."""
        return ()

    def training_rows(self, encoded: EncodedArticle) -> tuple[list[Row], list[Lost]]:
        """Return a row a window: its inputs. Nothing can be lost."""
        return [self.windower.inputs(encoded, window) for window in encoded.windows], []

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return the tokens, masked anew, and `labels`, the tokens to be guessed."""
        return self.mask(pad_windows(rows, self.windower.pad_id))

    def mask(self, batch: Batch, chance: torch.Generator | None = None) -> Batch:
        """Return `batch` masked, and `labels` beside it: the true token where it was masked, IGNORED elsewhere."""
        true = batch["input_ids"]
        masked = (torch.rand(true.shape, generator=chance) < MASKED) & ~torch.isin(true, self.special_ids)
        how = torch.rand(true.shape, generator=chance)
        others = self.word_ids[torch.randint(len(self.word_ids), true.shape, generator=chance)]
        seen = torch.where(masked & (how < HIDDEN), self.mask_id, true)
        seen = torch.where(masked & (how >= 1 - REPLACED), others, seen)
        return {**batch, "input_ids": seen, "labels": true.masked_fill(~masked, IGNORED)}

    def forward(self, **batch: Tensor) -> Tensor:
        """Return the mean loss where `labels` are given, the scores otherwise."""
        if "labels" not in batch:
            return super().forward(**batch)
        with self._scoring_only(batch["labels"] != IGNORED):
            return super().forward(**batch)

    @contextmanager
    def _scoring_only(self, chosen: Tensor) -> Iterator[None]:
        """Let the body score the `chosen` tokens only, (n_chosen, n_vocabulary): all others would cost as much as the encoder itself."""

        def choose(module: Any, inputs: Any, output: Any) -> Any:
            output.last_hidden_state = output.last_hidden_state[chosen]
            return output

        hook = self.body.base_model.register_forward_hook(choose)
        try:
            yield
        finally:
            hook.remove()

    def loss(self, scores: Tensor, **targets: Tensor) -> Tensor:
        """Return the mean cross entropy of the masked tokens; 0 where a small batch holds none."""
        true = targets["labels"][targets["labels"] != IGNORED]
        return cross_entropy(scores, true, reduction="sum") / max(1, len(true))

    def measure(self, dev: Sequence[Article], read: Callable[[Sequence[Article]], Iterable[Article]]) -> dict[str, float]:
        """Return the loss on masked tokens of held-out articles, and its exponential; `read` has nothing to find.

        Raises:
            InputError: if so little is held out that no token is masked.
        """
        rows = [row for encoded in self.windower.encode(dev) for row in self.training_rows(encoded)[0]]
        chance = torch.Generator().manual_seed(MEASURE_SEED)
        was_training, total, n_masked = self.training, 0.0, 0
        self.eval()
        with torch.inference_mode():
            for indices in batches_by_length([len(row["input_ids"]) for row in rows], READ_TOKENS):
                batch = self.mask(pad_windows([rows[index] for index in indices], self.windower.pad_id), chance)
                n = int((batch["labels"] != IGNORED).sum())
                total += n * self(**to_device(batch, self.device)).item()
                n_masked += n
        self.train(was_training)
        if not n_masked:
            raise InputError(f"the {len(dev)} articles of dev are too short to measure a loss on; give more or longer articles")
        loss = total / n_masked
        return {"held_out_loss": round(loss, 6), "perplexity": round(math.exp(min(loss, 700)), 4)}

    def keep(self, scores: Tensor, lengths: Sequence[int]) -> list[np.ndarray]:
        """Not offered, see `decode`."""
        _refuse_to_read()

    def decode(self, encoded: Sequence[EncodedArticle], kept: Sequence[Sequence[np.ndarray]]) -> list[Article]:
        """Not offered: words are learnt to begin other trainings with, and nothing is found in articles."""
        _refuse_to_read()


def _refuse_to_read() -> NoReturn:
    raise NotImplementedError("the mlm head finds nothing in articles; jobs refuse its runs before they come here")
