"""What an encoder makes of whole articles: the mean of their token vectors, to tell which are alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from sitrep.articles import Article
from sitrep.heads.base import INPUTS, pad_windows, to_device
from sitrep.prediction import EncoderReader
from sitrep.sampling import batches_by_length, look_ahead


def embed(reader: EncoderReader, articles: Sequence[Article]) -> np.ndarray:
    """Return (n_articles, width): the mean of each window's token vectors, then of an article's windows.

    The encoder runs in torch, whatever multiplies for the reader.
    """
    return np.concatenate(
        [_embed_together(reader, chunk) for chunk in look_ahead(articles)] or [np.empty((0, reader.network.body.config.hidden_size))]
    )


def _embed_together(reader: EncoderReader, articles: Sequence[Article]) -> np.ndarray:
    windower, network = reader.windower, reader.network.eval()
    encoded = windower.encode(articles)
    windows = [windower.inputs(article, window) for article in encoded for window in article.windows]
    owners = np.repeat(np.arange(len(encoded)), [len(article.windows) for article in encoded])
    means: list[np.ndarray] = [np.empty(0)] * len(windows)
    for batch in batches_by_length([len(window["input_ids"]) for window in windows], reader.backend.batch_tokens):
        inputs = to_device(pad_windows([windows[index] for index in batch], windower.pad_id), network.device)
        for index, mean in zip(batch, _means(network.body.base_model, inputs), strict=True):
            means[index] = mean
    stacked = np.stack(means)
    return np.stack([stacked[owners == row].mean(axis=0) for row in range(len(encoded))])


def _means(encoder: torch.nn.Module, inputs: dict[str, torch.Tensor]) -> np.ndarray:
    with torch.inference_mode():
        hidden = encoder(**{name: tensor for name, tensor in inputs.items() if name in INPUTS}).last_hidden_state
    mask = inputs["attention_mask"].unsqueeze(2)
    return ((hidden * mask).sum(dim=1) / mask.sum(dim=1)).float().cpu().numpy()
