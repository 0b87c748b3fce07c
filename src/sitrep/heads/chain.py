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


def backward_scores(emissions: Tensor, mask: Tensor, transitions: Tensor) -> Tensor:
    """Return (n_sequences, n_steps, n_tags): log sum over all that may follow a tag at a step; 0 at the end."""
    betas = [torch.zeros_like(emissions[:, 0])]
    for step in range(emissions.shape[1] - 2, -1, -1):
        following = emissions[:, step + 1] + betas[-1]
        beta = torch.logsumexp(transitions + following.unsqueeze(1), dim=2)
        betas.append(torch.where(mask[:, step + 1, None], beta, torch.zeros_like(beta)))
    return torch.stack(betas[::-1], dim=1)


def log_partition(emissions: Tensor, mask: Tensor, transitions: Tensor) -> Tensor:
    """Return (n_sequences,): log sum of the exponentiated scores of all paths."""
    return torch.logsumexp(forward_scores(emissions, mask, transitions)[:, -1], dim=1)


def divergence(theirs: tuple[Tensor, Tensor], ours: tuple[Tensor, Tensor], mask: Tensor) -> Tensor:
    """Return (n_sequences,): the Kullback-Leibler divergence of our distribution over paths from theirs.

    theirs, ours: emissions and transitions, of the same shapes
    """
    emissions, transitions = theirs
    alphas, betas = forward_scores(emissions, mask, transitions), backward_scores(emissions, mask, transitions)
    total = torch.logsumexp(alphas[:, -1], dim=1)
    steps = (alphas + betas - total[:, None, None]).exp() * mask.unsqueeze(2)
    after = (emissions + betas)[:, 1:]
    moves = (alphas[:, :-1, :, None] + transitions + after.unsqueeze(2) - total[:, None, None, None]).exp() * mask[:, 1:, None, None]

    def surprise(emissions: Tensor, transitions: Tensor) -> Tensor:
        expected = (steps * emissions).sum(dim=(1, 2)) + (moves.sum(dim=1) * transitions).sum(dim=(1, 2))
        return log_partition(emissions, mask, transitions) - expected

    return surprise(*ours) - surprise(*theirs)
