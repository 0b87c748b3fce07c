"""Heads: sums over paths against brute force, articles through targets and back, losses that only see what is there."""

import itertools
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import torch
from factories import make_task, refused
from hypothesis import given, settings
from hypothesis import strategies as st
from test_windows import articles_of_anything, as_set
from tiny import project_sentences, train_tokenizer
from transformers import BertConfig, BertModel, set_seed

from sitrep.articles import Article, Span
from sitrep.heads import CLASS_HEADS, MENTION_HEADS, chain, choose_head
from sitrep.heads.base import INPUTS, pad_windows
from sitrep.heads.classes import MeanHead, pool_by_owner
from sitrep.heads.decoding import Marginals, Segment, Sequences, best_paths
from sitrep.heads.spans import SIZE, SpanHead, rotate
from sitrep.heads.tags import CrfHead
from sitrep.windows import IGNORED, Windower

LABELS = ("PERSON", "LOCATION")


@cache
def build(name: str, kind: str = "ner"):
    """Return an untrained head of two thin layers that reads windows of 16 tokens."""
    task = make_task(kind, LABELS, None if kind == "ner" else "topics")
    _, head = choose_head(name or None, task)
    tokenizer = train_tokenizer("wordpiece", project_sentences())
    set_seed(0)
    config = BertConfig(
        vocab_size=len(tokenizer), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32,
        max_position_embeddings=64, num_labels=len(head.outputs(task)), pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    body = BertModel(config) if head in (SpanHead, MeanHead) else head.body_class.from_config(config)
    return head(body, task, Windower(tokenizer, 16, 4)).eval()


# the chain, against all paths one by one


@st.composite
def chains(draw):
    """Emissions, mask and transitions small enough to enumerate every path."""
    n_tags, lengths = draw(st.integers(2, 4)), draw(st.lists(st.integers(1, 5), min_size=1, max_size=3))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 10_000)))
    emissions = torch.randn(len(lengths), max(lengths), n_tags, generator=generator, dtype=torch.float64) * 2
    transitions = torch.randn(n_tags, n_tags, generator=generator, dtype=torch.float64)
    if draw(st.booleans()):
        transitions[0, 1] = chain.FORBIDDEN
    return emissions, torch.arange(max(lengths)) < torch.tensor(lengths).unsqueeze(1), transitions


def all_paths(emissions, mask, transitions, row):
    """Return path -> score of every path of one sequence."""
    n_steps, n_tags = int(mask[row].sum()), emissions.shape[2]
    scores = {}
    for path in itertools.product(range(n_tags), repeat=n_steps):
        emitted = sum(emissions[row, step, tag].item() for step, tag in enumerate(path))
        scores[path] = emitted + sum(transitions[pair].item() for pair in itertools.pairwise(path))
    return scores


def packed(case) -> Sequences:
    emissions, mask, _ = case
    return Sequences([rows[exists].numpy() for rows, exists in zip(emissions, mask, strict=True)])


@given(chains())
def test_sums_and_best_paths_are_those_of_all_paths(case):
    totals, best = chain.log_partition(*case), best_paths(packed(case), case[2].numpy())
    for row in range(len(totals)):
        scores = all_paths(*case, row)
        assert totals[row].item() == pytest.approx(np.logaddexp.reduce(list(scores.values())))
        assert scores[tuple(best[row])] == pytest.approx(max(scores.values()))
        path = max(scores, key=scores.get)
        padded = torch.zeros(case[1].shape, dtype=torch.long)
        padded[row, : len(path)] = torch.tensor(path)
        assert chain.path_scores(*case, padded)[row].item() == pytest.approx(scores[path])


@given(case=chains(), data=st.data())
def test_the_score_of_a_mention_is_the_share_of_the_paths_that_hold_it(case, data):
    segments, shares = [], []
    for row in range(len(case[0])):
        scores = all_paths(*case, row)
        path = data.draw(st.sampled_from(sorted(scores)))
        first = data.draw(st.integers(0, len(path) - 1))
        last = data.draw(st.integers(first + 1, len(path)))
        continued_by = data.draw(st.integers(0, case[0].shape[2] - 1))
        holding = [
            score for other, score in scores.items()
            if other[first:last] == path[first:last] and (last == len(path) or other[last] != continued_by)
        ]  # fmt: skip
        segments.append(Segment(row, first, path[first:last], continued_by))
        shares.append(math.exp(np.logaddexp.reduce(holding) - np.logaddexp.reduce(list(scores.values()))) if holding else 0)
    assert Marginals(packed(case), case[2].numpy()).of(segments) == pytest.approx(shares, abs=1e-9)


def test_scores_far_apart_give_probabilities_all_the_same():
    emissions = np.array([[0, 5000.0], [0, -5000], [9000, 0], [0, 0]])
    moves = np.array([[0, 2000.0], [chain.FORBIDDEN, 0]])
    sequences = Sequences([emissions, emissions[:1], emissions[:0]])
    (long, short, none), marginals = best_paths(sequences, moves), Marginals(sequences, moves)
    assert (long, short, none) == ([0, 0, 0, 1], [1], [])
    everywhere = [Segment(0, step, [tag], 1 - tag) for step in range(4) for tag in range(2)]
    assert np.isfinite(marginals.of(everywhere)).all() and marginals.of([]).tolist() == []


def test_the_loss_of_the_crf_is_that_of_its_words_alone():
    head = build("crf")
    torch.nn.init.normal_(head.transitions, generator=torch.Generator().manual_seed(1))
    labels = torch.tensor([[IGNORED, 1, IGNORED, 2, 0, IGNORED], [IGNORED, 0, 3, IGNORED, IGNORED, IGNORED]])
    scores = torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(2))
    loss = head.loss(scores, labels=labels)
    moves = head.transitions.detach().masked_fill(~head.allowed, chain.FORBIDDEN)
    likelihoods = []
    for row, at in ((0, [1, 3, 4]), (1, [1, 2])):
        case = scores[row : row + 1, at], torch.ones(1, len(at), dtype=torch.bool), moves
        paths = all_paths(*case, 0)
        likelihoods.append(np.logaddexp.reduce(list(paths.values())) - paths[tuple(labels[row, at].tolist())])
    assert loss.item() == pytest.approx(sum(likelihoods) / 5, rel=1e-5)
    torch.nn.init.zeros_(head.transitions)


@settings(max_examples=40)
@given(article=articles_of_anything(), seed=st.integers(0, 1000))
def test_mentions_of_the_crf_never_overlap(article, seed):
    head = build("crf")
    (encoded,) = head.windower.encode([article])
    random = np.random.default_rng(seed)
    lengths = [len(head.windower.inputs(encoded, window)["input_ids"]) for window in encoded.windows]
    kept = [random.normal(size=(length, 5), scale=3).astype(np.float32) for length in lengths]
    (read,) = head.decode([encoded], [kept])
    assert all(0 <= span.score <= 1 for span in read.spans)
    assert all(left.end <= right.start for left, right in itertools.pairwise(read.spans))


def test_the_crf_never_continues_what_has_not_begun():
    head = build("crf")
    inside = head.tags.inside_ids[0]
    scores = torch.zeros(1, 4, len(head.tags.tags), dtype=torch.float64)
    scores[:, :, inside] = 5  # alone each word would continue a mention, from nothing
    scores[:, 0, head.tags.inside_ids] = chain.FORBIDDEN
    with torch.inference_mode():
        (path,) = best_paths(Sequences([scores[0].numpy()]), head._moves().double().numpy())
    assert path == [inside - 1, inside, inside, inside]


@pytest.mark.parametrize("name", MENTION_HEADS)
def test_no_mention_crosses_a_blank_line_and_one_may_cross_a_line_end(name):
    head = build(name)
    article = Article("a", "Gao\n\nDiffa\nAir left Gao \r\n\t\r\n Diffa")
    (encoded,) = head.windower.encode([article])
    random, surfaces = torch.Generator().manual_seed(0), set()
    for _ in range(300):
        kept = []
        for window in encoded.windows:
            n = len(head.windower.inputs(encoded, window)["input_ids"])
            scores = torch.randn((1, len(LABELS), n, n) if name == "span" else (1, n, 5), generator=random)
            kept += head.keep(scores.triu() if name == "span" else scores, [n])
        surfaces |= {article.surface(span) for span in head.decode([encoded], [kept])[0].spans}
    assert "Diffa\nAir" in surfaces
    assert not [surface for surface in surfaces if "\n\n" in surface or "\r\n" in surface]


# articles through targets and back


@settings(max_examples=60)
@given(article=articles_of_anything())
def test_nested_and_overlapping_mentions_come_back_from_the_span_head(article):
    head = build("span")
    (encoded,) = head.windower.encode([article])
    rows, lost = head.training_rows(encoded)
    kept = [np.array([[*mention, 4.0] for mention in row["mentions"]]).reshape(-1, 4) for row in rows]
    (read,) = head.decode([encoded], [kept])
    assert as_set(read.spans) | as_set(lost) == as_set(article.spans)
    assert len(read.spans) + len(lost) == len(article.spans)
    assert "overlapping" not in {entry.reason for entry in lost}
    assert all(span.score == pytest.approx(1 / (1 + math.exp(-4))) for span in read.spans)


def test_a_mention_longer_than_its_window_is_in_the_ledger_of_the_span_head():
    text = "Gunmen left Gao . " * 20
    head = build("span")
    (encoded,) = head.windower.encode([Article("a", text, (Span(0, 197, "PERSON"), Span(12, 15, "LOCATION")))])
    rows, (lost,) = head.training_rows(encoded)
    assert (lost.end, lost.reason) == (197, "past its window's end")
    assert [mention[0] for row in rows for mention in row["mentions"]] == [1]


def test_a_candidate_that_ends_on_a_special_token_is_no_mention():
    head = build("span")
    (encoded,) = head.windower.encode([Article("a", "Gunmen left Gao . " * 9)])
    (start, end), core = encoded.windows[0], encoded.cores[0]
    first = len(head.windower.prefix)
    candidates = [[0, first, first + end - start, 4.0]]  # the last token is [SEP], the next window's token in the article
    (read,) = head.decode([encoded], [[np.array(candidates), *[np.empty((0, 4))] * (len(encoded.windows) - 1)]])
    assert core[0] == 0 and not read.spans


def test_the_span_head_keeps_the_candidates_above_zero():
    head = build("span")
    scores = torch.full((1, 2, 5, 5), -1.0)
    scores[0, 1, 2, 3], scores[0, 0, 1, 1] = 2.0, 0.5
    assert head.keep(scores, [5])[0].tolist() == [[0, 1, 1, 0.5], [1, 2, 3, 2.0]]


def test_rotated_products_depend_on_distance_alone():
    vector = torch.randn(1, 1, 2 * SIZE, generator=torch.Generator().manual_seed(0)).expand(1, 9, -1)
    queries, keys = rotate(vector).chunk(2, dim=2)
    products = (queries @ keys.transpose(1, 2))[0]
    for distance in range(-4, 5):
        assert torch.allclose(products.diagonal(distance), products.diagonal(distance)[0], atol=1e-4)
    assert products.std() > 0.1


# losses


ARTICLES = (
    Article("a", "Gunmen left Gao for Diffa .", (Span(12, 15, "LOCATION"), Span(20, 25, "LOCATION")), {"topics": ("PERSON",)}),
    Article("b", "Amina Sow spoke . " * 4, (Span(0, 9, "PERSON"),), {"topics": ()}),
)
EVERY = [*((name, "ner") for name in MENTION_HEADS), *((name, "multi-label") for name in CLASS_HEADS)]


@pytest.mark.parametrize(("name", "kind"), EVERY)
def test_every_parameter_learns_and_padding_does_not_count(name, kind):
    head = build(name, kind)
    rows = [row for encoded in head.windower.encode(ARTICLES) for row in head.training_rows(encoded)[0]]
    batch = head.collate(rows)
    loss = head(**batch)
    loss.backward()
    idle = {name for name, parameter in head.named_parameters() if parameter.grad is None}
    assert not idle - {"body.pooler.dense.weight", "body.pooler.dense.bias"}
    head.zero_grad()
    wider = dict(batch)
    for key, filler in (("input_ids", head.windower.pad_id), ("attention_mask", 0), ("labels", IGNORED)):
        if key in batch and batch[key].shape == batch["input_ids"].shape:
            wider[key] = torch.nn.functional.pad(batch[key], (0, 7), value=filler)
    assert head(**wider).item() == pytest.approx(loss.item(), rel=1e-4)


@pytest.mark.parametrize("name", MENTION_HEADS)
def test_a_window_without_words_teaches_nothing(name):
    head = build(name)
    (encoded,) = head.windower.encode([Article("a", "")])
    rows, lost = head.training_rows(encoded)
    assert len(rows) == 1 and not lost
    both = head.collate([*rows, *head.training_rows(head.windower.encode(ARTICLES[:1])[0])[0]])
    assert torch.isfinite(head(**both))


def test_gold_that_scores_high_costs_the_span_head_nothing():
    head = build("span")
    scores = torch.full((1, 2, 6, 6), -20.0)
    scores[0, 1, 2, 3] = 20.0
    assert head.loss(scores, gold=torch.tensor([[0, 1, 2, 3]])).item() == pytest.approx(0, abs=1e-6)
    wrong = head.loss(scores, gold=torch.tensor([[0, 0, 2, 3]])).item()
    assert wrong == pytest.approx((20 + 20) / 2, abs=1e-3)  # one label misses its mention, the other has one too many


def test_the_collator_pads_tokens_and_labels_of_windows():
    head = build("softmax")
    rows = [{"input_ids": [5, 6, 7], "labels": [IGNORED, 1, IGNORED]}, {"input_ids": [8, 9], "labels": [IGNORED, 2]}]
    pad = head.windower.pad_id
    assert {name: tensor.tolist() for name, tensor in head.collate(rows).items()} == {
        "input_ids": [[5, 6, 7], [8, 9, pad]],
        "attention_mask": [[1, 1, 1], [1, 1, 0]],
        "labels": [[IGNORED, 1, IGNORED], [IGNORED, 2, IGNORED]],
    }


@pytest.mark.parametrize(("kind", "labels"), [("multi-label", [[1.0, 0.0], [0.0, 0.0]]), ("multi-class", [1, 0])])
def test_the_collator_says_which_article_a_window_belongs_to(kind, labels):
    head = build("", kind)
    first, second, third = ({"input_ids": ids} for ids in ([5, 6], [7], [8]))
    rows = [{"windows": [first, second], "labels": labels[0]}, {"windows": [third], "labels": labels[1]}]
    pad = head.windower.pad_id
    assert {name: tensor.tolist() for name, tensor in head.collate(rows).items()} == {
        "input_ids": [[5, 6], [7, pad], [8, pad]],
        "attention_mask": [[1, 1], [1, 0], [1, 0]],
        "owner": [0, 0, 1],
        "labels": labels,
    }


@pytest.mark.parametrize(("pooling", "pool"), [("mean", torch.mean), ("max", torch.amax)])
def test_logits_are_pooled_over_each_owners_rows(pooling, pool):
    owner = torch.tensor([0, 0, 0, 1, 2, 2])
    logits = -3 + torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    logits.requires_grad_()
    by_loop = torch.stack([pool(logits[owner == number], dim=0) for number in range(3)])
    pooled = pool_by_owner(logits, owner, 3, pooling)
    assert torch.allclose(pooled, by_loop)
    gradients = [torch.autograd.grad((value**2).sum(), logits)[0] for value in (pooled, by_loop)]
    assert torch.allclose(*gradients)


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_an_article_is_pooled_alike_in_training_and_reading(pooling):
    head = build("mean", "multi-label")
    head.task = replace(head.task, pooling=pooling)
    encoded = head.windower.encode([ARTICLES[1]])
    assert len(encoded[0].windows) > 1
    rows = head.training_rows(encoded[0])[0]
    scores = head.score(**{name: tensor for name, tensor in head.collate(rows).items() if name in INPUTS})
    pooled = pool_by_owner(scores, torch.zeros(len(scores), dtype=torch.long), 1, pooling)[0]
    (read,) = head.decode(encoded, [head.keep(scores.detach(), [])])
    assert list(read.scores["topics"].values()) == pytest.approx(torch.sigmoid(pooled).tolist(), abs=1e-4)


@pytest.mark.parametrize("pooling", ["mean", "max"])
@pytest.mark.parametrize(("kind", "field"), [("multi-label", "topics"), ("multi-class", "topics")])
def test_the_layer_over_means_begins_at_the_base_rate_with_the_names_of_the_labels(kind, field, pooling):
    head = build.__wrapped__("mean", kind)
    head.task = replace(head.task, pooling=pooling)
    texts = ["Gunmen left Gao for Diffa .", "Amina Sow spoke . " * 4, "The location of the blast .", "A person of the army ."]
    gold = [("PERSON",), ("PERSON",), ("LOCATION",), ("PERSON",)]
    articles = [Article(str(number), text, (), {"topics": labels}) for number, (text, labels) in enumerate(zip(texts, gold, strict=True))]
    rows = [head.training_rows(encoded)[0][0] for encoded in head.windower.encode(articles)]
    head.begin(rows)
    batch = head.collate(rows)
    with torch.inference_mode():
        scores = head.eval().score(**{name: tensor for name, tensor in batch.items() if name in INPUTS})
    logits = pool_by_owner(scores, batch["owner"], len(rows), pooling)
    assert torch.sigmoid(logits.mean(dim=0)).tolist() == pytest.approx([4 / 6, 2 / 6], abs=1e-4)
    assert logits.std(dim=0, correction=0).mean().item() == pytest.approx(1, abs=1e-3)
    named = [Article(name, name) for name in ("PERSON", "LOCATION")]
    inputs = pad_windows(
        [head.windower.inputs(encoded, encoded.windows[0]) for encoded in head.windower.encode(named)], head.windower.pad_id
    )
    with torch.inference_mode():
        means = head._means(**inputs)
    assert torch.allclose(torch.nn.functional.normalize(head.classifier.weight), torch.nn.functional.normalize(means), atol=1e-5)


def test_one_article_is_enough_to_begin():
    head = build.__wrapped__("mean", "multi-label")
    head.begin([head.training_rows(encoded)[0][0] for encoded in head.windower.encode(ARTICLES[:1])])
    assert head.classifier.weight.norm(dim=1).max() <= 100.01  # unit vectors, scaled by 1 / LEAST_DEVIATION at most


def test_classes_are_measured_by_their_scores_too():
    head = build("mean", "multi-label")
    pred = [
        ARTICLES[0].bare().with_classes("topics", ("LOCATION",), {"PERSON": 0.4, "LOCATION": 0.6}),
        ARTICLES[1].bare().with_classes("topics", (), {"PERSON": 0.3, "LOCATION": 0.1}),
    ]
    measures = head.measure(ARTICLES, lambda articles: pred)
    assert measures == {"micro_f1": 0.0, "macro_f1": pytest.approx(0), "average_precision": 0.5}  # the second of four is the right one


def test_padding_is_masked():
    batch = pad_windows([{"input_ids": [5, 6, 7], "token_type_ids": [0, 2, 0]}, {"input_ids": [8], "token_type_ids": [3]}], pad_id=9)
    assert batch["input_ids"].tolist() == [[5, 6, 7], [8, 9, 9]]
    assert batch["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert batch["token_type_ids"].tolist() == [[0, 2, 0], [3, 0, 0]]
    assert "token_type_ids" not in pad_windows([{"input_ids": [8]}], pad_id=9)


def test_each_task_has_its_own_heads():
    classes = make_task("multi-label", LABELS, "topics")
    assert (choose_head(None, make_task()), choose_head(None, classes)) == (("crf", CrfHead), ("mean", MeanHead))
    with refused("model.head=crf is no head for task task", "first, mean"):
        choose_head("crf", classes)
