"""Vectors of whole articles, against the encoder called by hand."""

import numpy as np
import pytest
import torch
from factories import make_article

from sitrep.embeddings import embed
from sitrep.readers import load_reader


@pytest.mark.parametrize("fixture", ["ner_run", "topics_run"])
def test_an_article_s_vector_is_the_mean_of_its_windows_means(request, fixture):
    run = request.getfixturevalue(fixture)
    reader, articles = load_reader(run, "cpu"), run.articles("gold", "dev")
    vectors = embed(reader, articles)
    long = max(range(len(articles)), key=lambda row: len(articles[row].text))
    (encoded,) = reader.windower.encode([articles[long]])
    means = []
    for window in encoded.windows:
        inputs = {name: torch.tensor([values]) for name, values in reader.windower.inputs(encoded, window).items()}
        with torch.inference_mode():
            means.append(reader.network.body.base_model(**inputs).last_hidden_state[0].mean(dim=0).numpy())
    assert vectors[long] == pytest.approx(np.mean(means, axis=0), abs=1e-5)


def test_the_same_text_has_the_same_vector_and_no_article_has_none(ner_run):
    reader = load_reader(ner_run, "cpu")
    same, other, again = embed(
        reader, [make_article("a", "Rain fell."), make_article("b", "Envoys met in Gao."), make_article("c", "Rain fell.")]
    )
    assert same == pytest.approx(again, abs=1e-5) and np.abs(same - other).max() > 1e-3
    assert embed(reader, []).shape == (0, len(same))
