"""The `span` head: every pair of a first and a last token is a candidate, so that mentions may nest and overlap.

Global pointer (Su et al. 2022, "Global Pointer: Novel Efficient Span-based Approach for Named Entity Recognition"), the efficient
variant: one query and one key a token with rotary positions (Su et al. 2021) say what is a mention, a bias per label at
both ends says of which kind. Learnt with its class-imbalance loss; a candidate whose score is above 0 is a mention.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, pairwise

import numpy as np
import torch
from torch import Tensor, nn
from transformers import AutoModel, PreTrainedModel

from sitrep.articles import Article, Span
from sitrep.config import TaskConfig
from sitrep.heads.base import Batch, Head, Row, pad_windows
from sitrep.windows import EncodedArticle, Lost, Windower, align

SIZE = 64  # of queries and keys, as in the paper
NEVER = -1e4


class SpanHead(Head):
    """Scores (n_windows, n_labels, n_tokens, n_tokens), first token by last token."""

    body_class = AutoModel

    def __init__(self, body: PreTrainedModel, task: TaskConfig, windower: Windower) -> None:
        super().__init__(body, task, windower)
        width = body.config.hidden_size
        self.pointer = nn.Linear(width, 2 * SIZE)
        self.kinds = nn.Linear(width, 2 * len(task.labels))

    @classmethod
    def outputs(cls, task: TaskConfig) -> tuple[str, ...]:
        """Return the labels."""
        return tuple(task.labels)

    def score(self, **inputs: Tensor) -> Tensor:
        """Return the score of each label for each pair of tokens; NEVER where the last comes before the first, or is padding."""
        hidden = self.body(**inputs).last_hidden_state
        queries, keys = rotate(self.pointer(hidden).float()).chunk(2, dim=2)
        first, last = self.kinds(hidden).float().transpose(1, 2).chunk(2, dim=1)
        scores = (queries @ keys.transpose(1, 2) / SIZE**0.5).unsqueeze(1) + first.unsqueeze(3) + last.unsqueeze(2)
        n_tokens = hidden.shape[1]
        forward = torch.ones(n_tokens, n_tokens, dtype=torch.bool, device=scores.device).triu()
        possible = forward & inputs["attention_mask"].bool()[:, None, None]
        return scores.masked_fill(~possible, NEVER)

    def training_rows(self, encoded: EncodedArticle) -> tuple[list[Row], list[Lost]]:
        """Return a row a window: its inputs, and `mentions` as (label_id, first token, last token) of the window."""
        spans, lost = align(encoded, flat=False, reach=_reach(encoded))
        scored = encoded.scored.tolist()
        mentions = [(self.task.labels.index(label), scored[first], scored[last - 1]) for first, last, label in spans]
        rows = []
        for start, end in encoded.windows:
            shift = len(self.windower.prefix) - start
            inside = [[label, first + shift, last + shift] for label, first, last in mentions if start <= first and last < end]
            rows.append({**self.windower.inputs(encoded, (start, end)), "mentions": inside})
        return rows, lost

    def collate(self, rows: Sequence[Row]) -> Batch:
        """Return `gold` beside the tokens: (n_mentions, 4), the window of each mention, its label, first and last token."""
        batch = pad_windows(rows, self.windower.pad_id)
        gold = list(chain.from_iterable([[index, *mention] for mention in row["mentions"]] for index, row in enumerate(rows)))
        return {**batch, "gold": torch.tensor(gold, dtype=torch.long).reshape(-1, 4)}

    def loss(self, scores: Tensor, **targets: Tensor) -> Tensor:
        """Return log(1 + sum exp(-gold scores)) + log(1 + sum exp(other scores)), the mean over windows and labels."""
        gold = torch.zeros_like(scores, dtype=torch.bool)
        gold[tuple(targets["gold"].T)] = True
        found = torch.where(gold, -scores, NEVER).flatten(2)
        others = scores.masked_fill(gold, NEVER).flatten(2)
        zero = torch.zeros_like(found[..., :1])
        return (torch.cat([found, zero], dim=2).logsumexp(dim=2) + torch.cat([others, zero], dim=2).logsumexp(dim=2)).mean()

    def keep(self, scores: Tensor, lengths: Sequence[int]) -> list[np.ndarray]:
        """Return (n_found, 4) for each window: label, first and last token, score of the candidates above 0."""
        kept = []
        for window in scores:
            found = (window > 0).nonzero()
            kept.append(torch.cat([found, window[tuple(found.T)].unsqueeze(1)], dim=1).cpu().double().numpy())
        return kept

    def decode(self, encoded: Sequence[EncodedArticle], kept: Sequence[Sequence[np.ndarray]]) -> list[Article]:
        """Return the articles with the mentions found, each taken from the window whose core holds its first token."""
        return [self._article(article, windows) for article, windows in zip(encoded, kept, strict=True)]

    def _article(self, encoded: EncodedArticle, kept: Sequence[np.ndarray]) -> Article:
        first_tokens, last_tokens = encoded.words[:, 0], encoded.words[:, 1] - 1
        starts = dict(zip(first_tokens.tolist(), encoded.starts[first_tokens].tolist(), strict=True))
        ends = dict(zip(last_tokens.tolist(), encoded.ends[last_tokens].tolist(), strict=True))
        reach, spans = _reach(encoded), []
        for (start, _), core, found in zip(encoded.windows, encoded.cores, kept, strict=True):
            shift = len(self.windower.prefix) - start
            for label_id, first, last, score in found:
                first_token, last_token = int(first) - shift, int(last) - shift
                is_inside = core[0] <= first_token < core[1] and last_token < reach[first_token]
                if is_inside and first_token in starts and last_token in ends:  # whole words only
                    probability = float(1 / (1 + np.exp(-score)))
                    spans.append(Span(starts[first_token], ends[last_token], self.task.labels[int(label_id)], probability))
        return replace(encoded.article.bare(), spans=tuple(sorted(spans)))


def _reach(encoded: EncodedArticle) -> list[int]:
    """Return, per token, the token before which its mentions end: where its window does, or the next paragraph begins."""
    reach = [0] * len(encoded.token_ids)
    for (_, end), (core_start, core_end) in zip(encoded.windows, encoded.cores, strict=True):
        reach[core_start:core_end] = [end] * (core_end - core_start)
    for start, end in pairwise([0, *encoded.paragraph_starts, len(reach)]):
        reach[start:end] = [min(token, end) for token in reach[start:end]]
    return reach


def rotate(pairs: Tensor) -> Tensor:
    """Return (n, n_tokens, 2 * SIZE) queries and keys turned by their positions, so that products depend on distance."""
    n_tokens = pairs.shape[1]
    rates = 10000 ** (-torch.arange(0, SIZE, 2, device=pairs.device) / SIZE)
    angles = (torch.arange(n_tokens, device=pairs.device).unsqueeze(1) * rates).repeat_interleave(2, dim=1).repeat(1, 2)
    turned = torch.stack([-pairs[..., 1::2], pairs[..., ::2]], dim=3).flatten(2)
    return pairs * angles.cos() + turned * angles.sin()
