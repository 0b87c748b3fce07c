"""Linear-chain conditional random field (Lafferty, McCallum and Pereira 2001), batched, in log space: what is learnt.

Everywhere: emissions (n_sequences, n_steps, n_tags) float; mask (n_sequences, n_steps) bool, True for the steps that exist,
which come first; transitions (n_tags, n_tags), `[i, j]` the score of tag j right after tag i. A step that may not be taken
scores FORBIDDEN, so that sums stay finite.
"""

from __future__ import annotations

import torch
from torch import Tensor

FORBIDDEN = -1e4


def path_scores(emissions: Tensor, mask: Tensor, transitions: Tensor, tag_ids: Tensor) -> Tensor:
    """Return (n_sequences,): the score of one path each; tag_ids (n_sequences, n_steps), padding is not looked at."""
    tag_ids = tag_ids.masked_fill(~mask, 0)
    emitted = emissions.gather(2, tag_ids.unsqueeze(2)).squeeze(2)
    moved = transitions[tag_ids[:, :-1], tag_ids[:, 1:]]
    return (emitted * mask).sum(dim=1) + (moved * mask[:, 1:]).sum(dim=1)


def forward_scores(emissions: Tensor, mask: Tensor, transitions: Tensor) -> Tensor:
    """Return (n_sequences, n_steps, n_tags): log sum over all paths that end there; padding repeats the last step."""
    alphas = [emissions[:, 0]]
    for step in range(1, emissions.shape[1]):
        alpha = torch.logsumexp(alphas[-1].unsqueeze(2) + transitions, dim=1) + emissions[:, step]
        alphas.append(torch.where(mask[:, step, None], alpha, alphas[-1]))
    return torch.stack(alphas, dim=1)


def log_partition(emissions: Tensor, mask: Tensor, transitions: Tensor) -> Tensor:
    """Return (n_sequences,): log sum of the exponentiated scores of all paths."""
    return torch.logsumexp(forward_scores(emissions, mask, transitions)[:, -1], dim=1)
