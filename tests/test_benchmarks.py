"""The arithmetic of the benchmarks: what their tables are computed from."""

import sys

import pytest
import torch
from factories import ROOT, make_article
from torch.utils.flop_counter import FlopCounterMode
from transformers import BertConfig, BertModel

sys.path.insert(0, str(ROOT / "benchmarks"))

from plain_recipe import split_sentences
from train_speed import grouped_batches, multiply_adds, random_batches, share_read


@pytest.mark.parametrize("n_tokens", [16, 48])
def test_multiply_adds_are_half_the_flops_that_torch_counts(n_tokens):
    config = BertConfig(vocab_size=50, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64)
    network = BertModel(config, add_pooling_layer=False)
    network.set_attn_implementation("eager")  # the counter sees through plain products only
    with FlopCounterMode(display=False) as counter:
        network(input_ids=torch.ones(1, n_tokens, dtype=torch.long)).last_hidden_state.sum().backward()
    # the first layer's products need no gradient of their input's input, so torch counts a little less than three times forward
    assert 2 * multiply_adds(n_tokens, 32, 64, 2) == pytest.approx(counter.get_total_flops(), rel=0.05)


def test_padding_of_batches():
    assert share_read([(1, 10), (1, 5), (1, 5)], [[0, 1], [2]]) == pytest.approx(20 / 25)


@pytest.mark.parametrize("n_rows", [1, 16, 100])
def test_every_row_stands_in_one_batch(n_rows):
    shapes = [(1, 3 + row % 40) for row in range(n_rows)]
    for batches in (random_batches(n_rows, 1), grouped_batches(shapes, 1)):
        assert sorted(row for batch in batches for row in batch) == list(range(n_rows))


def test_sentences_of_the_plain_recipe_keep_their_mentions():
    article = make_article("a", "[Amina](PERSON) left.  She saw [Gao](LOCATION).\n\nThen [Red Banner](ARMED_GROUP) came")
    sentences = split_sentences(article)
    assert [sentence.text.strip() for sentence in sentences] == ["Amina left.", "She saw Gao.", "Then Red Banner came"]
    assert [sentence.surface(span) for sentence in sentences for span in sentence.spans] == ["Amina", "Gao", "Red Banner"]
    assert all(article.text[int(s.id) :].startswith(s.text) for s in sentences)
