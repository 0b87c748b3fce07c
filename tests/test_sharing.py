"""Encoders that are the same in all weights: run once a batch, with the same predictions as apart."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from transformers import BertConfig, BertForTokenClassification, BertModel

from sitrep.formats import read_articles
from sitrep.joint import load_joint, open_joint
from sitrep.readers import load_calibrated
from sitrep.sharing import SharedEncoder, share_encoders

FROZEN = ("trainer.learning_rate=0", "trainer.epochs=1", "task.windows.max_tokens=48", "task.windows.overlap=8")


@pytest.fixture(scope="module")
def frozen(train, tmp_path_factory):
    """Finished runs of three tasks whose encoders were left as they were."""
    folder = tmp_path_factory.mktemp("frozen")
    tasks = {"ner": "model.case=false", "topics": "seed=2", "region": "seed=3"}
    return [train(folder / task, f"task={task}", *FROZEN, option) for task, option in tasks.items()]


@pytest.fixture(scope="module")
def articles(corpus):
    return [article.bare() for article in read_articles(corpus)] * 8  # more than one batch


def count_passes(network) -> list:
    """Return a list that grows with each forward pass of a network's encoder."""
    passes = []
    encoder = network.body.base_model if hasattr(network.body, "base_model") else network.body
    encoder = getattr(encoder, "encoder", encoder) if isinstance(encoder, SharedEncoder) else encoder
    encoder.register_forward_hook(lambda *_: passes.append(1))
    return passes


def test_an_encoder_left_as_it_was_is_run_once_for_all_tasks(frozen, articles):
    joint = load_joint(open_joint([str(run.path) for run in frozen]), "cpu", None)
    shared = {id(module) for reader in joint.readers for module in reader.reader.network.modules() if isinstance(module, SharedEncoder)}
    assert len(shared) == 1 and len(joint.groups) == 1
    together, alone = count_passes(joint.readers[1].reader.network), []
    read = list(joint.read(articles))
    for run in frozen:
        reader = load_calibrated(run, "cpu", None)
        alone.append(count_passes(reader.reader.network))
        for one, other in zip(read, reader.read(articles), strict=True):
            field = run.config().task.field
            assert (one.spans == other.spans) if field is None else (one.labels[field], one.scores[field]) == (
                other.labels[field], other.scores[field]
            )  # fmt: skip
    assert len(together) == len(alone[0]) > 1
    assert any(article.spans or article.labels["topics"] for article in read)


def test_encoders_that_have_learnt_are_not_shared(ner_run, topics_run, frozen, articles):
    joint = load_joint(open_joint([str(run.path) for run in (topics_run, frozen[2])]), "cpu", None)
    assert len(joint.groups) == 1  # they cut articles alike all the same
    assert not any(isinstance(module, SharedEncoder) for reader in joint.readers for module in reader.reader.network.modules())
    expected = [load_calibrated(run, "cpu", None).read(articles) for run in (topics_run, frozen[2])]
    for read, topics, region in zip(joint.read(articles), *expected, strict=True):
        assert read.scores == {**topics.scores, **region.scores} and read.labels == {**topics.labels, **region.labels}
    assert (
        len(load_joint(open_joint([str(run.path) for run in (ner_run, topics_run)]), "cpu", None).groups) == 2
    )  # one is told the case of words


class Network:
    """What `share_encoders` looks at."""

    def __init__(self, body):
        self.body = body


def bert(kind=BertModel, **settings):
    torch.manual_seed(0)
    sizes = {"vocab_size": 20, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 8}
    return kind(BertConfig(**sizes, **settings)).eval()


def test_an_encoder_with_other_settings_or_one_other_weight_is_another():
    one, other, wider = (Network(bert(**settings)) for settings in ({}, {}, {"hidden_act": "relu"}))
    with torch.no_grad():
        other.body.encoder.layer[0].output.dense.bias[3] += 1e-6
    share_encoders([one, other, wider])
    assert all(isinstance(network.body, BertModel) for network in (one, other, wider))


def test_an_encoder_below_a_layer_for_labels_is_shared_with_one_alone():
    tagger, plain = Network(bert(BertForTokenClassification, num_labels=3)), Network(bert())
    plain.body.load_state_dict(tagger.body.bert.state_dict(), strict=False)
    ids = torch.tensor([[1, 2, 3]])
    expected = tagger.body(input_ids=ids).logits, plain.body(input_ids=ids).last_hidden_state
    share_encoders([tagger, plain])
    assert tagger.body.bert is plain.body
    assert torch.equal(tagger.body(input_ids=ids).logits, expected[0]) and torch.equal(plain.body(ids).last_hidden_state, expected[1])


def test_what_was_returned_is_known_by_the_tensors_themselves_and_by_thread():
    calls = []
    shared = SharedEncoder(torch.nn.Identity())
    shared.encoder.forward = lambda input_ids, **inputs: calls.append(inputs) or input_ids + len(calls)
    ids, mask = torch.zeros(1), torch.ones(1)
    first = shared(ids, attention_mask=mask)
    assert shared(input_ids=ids, attention_mask=mask, position_ids=None) is first and len(calls) == 1
    shared(ids.clone(), attention_mask=mask), shared(ids, attention_mask=mask), shared(ids)
    assert len(calls) == 4
    with ThreadPoolExecutor(1) as threads:
        threads.submit(shared, ids).result()
    assert len(calls) == 5 and shared(ids) is not first and len(calls) == 5
