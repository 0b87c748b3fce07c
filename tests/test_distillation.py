"""Students: half an encoder that learns from the scores of a whole one, and teachers whose scores it cannot read."""

import itertools
from dataclasses import replace

import pytest
import torch
from factories import refused
from tiny import ENTITIES, SMALL, compose, own_data, write_encoder

from sitrep.articles import Article, Span
from sitrep.corpus import load_corpus
from sitrep.distillation import Teacher, batch_loss, load_teacher
from sitrep.heads import chain
from sitrep.models import build_model, load_model
from sitrep.sampling import BudgetBatches
from sitrep.training import encode_training, tokens_per_second

TASKS = [
    ("task=ner",),
    ("task=ner", "model.head=softmax"),
    ("task=topics",),
    ("task=topics", "task.pooling=max", "model.head=first"),
    ("task=region",),
]
CPU = torch.device("cpu")


@pytest.fixture
def student(corpus, encoder):
    """Return a function that composes the config of a student of one layer."""

    def compose_student(*arguments: str):
        model = ("model=hub", f"model.path={encoder}", "model.layers=[1]", *SMALL)
        return compose("train", *own_data(corpus), *model, *arguments)

    return compose_student


def batches_of(model, config):
    """Return some training batches."""
    data = encode_training(model, load_corpus(config.data, config.task).train)
    chosen = itertools.islice(BudgetBatches(data.cuts, config.trainer.batch_tokens, seed=0), 3)
    return [model.network.collate([data.rows[row] for row in rows]) for rows in chosen]


@pytest.mark.parametrize("arguments", TASKS)
def test_a_student_that_is_its_teacher_s_equal_has_nothing_to_learn_from_it(student, arguments):
    config = student(*arguments, "model.layers=null")
    model, twin = build_model(config.model, config.task), build_model(config.model, config.task)
    if "transitions" in dict(model.network.named_parameters()):
        torch.nn.init.normal_(model.network.transitions)
    twin.network.load_state_dict(model.network.state_dict())
    network, teacher = model.network.eval(), Teacher(twin.network, 3.0, 1.0, CPU)
    for batch in batches_of(model, config):
        loss = batch_loss(network, batch, teacher, network)
        loss.backward()
        assert loss.item() == pytest.approx(0, abs=1e-4)
    gradients = [parameter.grad.abs().max().item() for parameter in network.parameters() if parameter.grad is not None]
    assert len(gradients) > 10 and max(gradients) < 1e-4


@pytest.mark.parametrize("arguments", TASKS)
def test_a_student_comes_nearer_to_its_teacher_and_the_teacher_stays_as_it_is(student, arguments):
    config = student(*arguments)
    model = build_model(config.model, config.task)
    torch.manual_seed(0)  # of the teacher, whichever tests ran before
    whole = build_model(replace(config.model, layers=None), config.task).network
    for name, parameter in whole.named_parameters():
        if "classifier" in name or "transitions" in name:
            torch.nn.init.normal_(parameter)
    before = {name: tensor.clone() for name, tensor in whole.state_dict().items()}
    network, teacher = model.network.eval(), Teacher(whole, 2.0, 1.0, CPU)
    batches = batches_of(model, config)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-2)
    losses = []
    for _ in range(15):
        losses.append(sum(batch_loss(network, batch, teacher, network) for batch in batches))
        optimizer.zero_grad()
        losses[-1].backward()
        optimizer.step()
    assert 0 < losses[-1].item() < 0.5 * losses[0].item()
    assert not whole.training and all(torch.equal(tensor, before[name]) for name, tensor in whole.state_dict().items())
    assert all(parameter.grad is None for parameter in whole.parameters())


def test_the_weight_is_the_teacher_s_share_of_the_loss(student):
    config = student()
    model, whole = build_model(config.model, config.task), build_model(replace(config.model, layers=None), config.task)
    network = model.network.eval()
    batch = batches_of(model, config)[0]
    labels, scores = batch_loss(network, batch, None, network), batch_loss(network, batch, Teacher(whole.network, 2.0, 1.0, CPU), network)
    mixed = batch_loss(network, batch, Teacher(whole.network, 2.0, 0.3, CPU), network)
    assert labels.item() == network(**batch).item() != pytest.approx(scores.item(), rel=0.01)
    assert mixed.item() == pytest.approx(0.3 * scores.item() + 0.7 * labels.item(), rel=1e-4)


def test_what_the_teacher_costs_is_timed(student):
    config = student()
    model, whole = build_model(config.model, config.task), build_model(replace(config.model, layers=None), config.task)
    data, calls = encode_training(model, load_corpus(config.data, config.task).train), []
    whole.network.register_forward_pre_hook(lambda *_: calls.append(1))
    whole.network.body.register_forward_pre_hook(lambda *_: calls.append(1))
    assert tokens_per_second(model, data, config.trainer, CPU, Teacher(whole.network, 1.0, 1.0, CPU)) > 0
    assert calls == [1]


@pytest.mark.parametrize("n_steps", [1, 3])
def test_the_divergence_of_two_chains_is_that_of_their_paths(n_steps):
    torch.manual_seed(n_steps)
    n_tags = 3
    theirs, ours = ((torch.randn(2, 4, n_tags).double(), torch.randn(n_tags, n_tags).double()) for _ in range(2))
    theirs[1][0, 2] = ours[1][0, 2] = chain.FORBIDDEN
    mask = torch.arange(4) < torch.tensor([[n_steps], [4]])
    found = chain.divergence(theirs, ours, mask)
    for row, length in enumerate((n_steps, 4)):
        paths = torch.tensor(list(itertools.product(range(n_tags), repeat=length)))
        p, q = (_log_probabilities(emissions[row], moves, paths) for emissions, moves in (theirs, ours))
        expected = (p.exp() * (p - q)).sum().item()
        assert expected > 0.01 and found[row].item() == pytest.approx(expected, abs=1e-9)


def _log_probabilities(emissions, moves, paths):
    """Return the log probability of each of all `paths`."""
    steps = torch.arange(paths.shape[1])
    scores = emissions[steps, paths].sum(dim=1) + moves[paths[:, :-1], paths[:, 1:]].sum(dim=1)
    return scores.log_softmax(dim=0)


def test_words_without_a_label_do_not_count(student):
    config = student("model.head=softmax")
    model = build_model(config.model, config.task)
    head, other = model.network, build_model(replace(config.model, layers=None), config.task).network
    scores, taught = torch.randn(1, 4, 9), torch.randn(1, 4, 9)
    labels = torch.tensor([[-100, 1, 2, -100]])
    found = head.imitation(scores, other, taught, 2.0, labels=labels)
    assert found.item() == pytest.approx(head.imitation(scores[:, 1:3], other, taught[:, 1:3], 2.0, labels=labels[:, 1:3]).item())
    assert head.imitation(scores, other, taught, 2.0, labels=torch.full((1, 4), -100)).item() == 0


def test_a_text_without_words_teaches_nothing(student):
    config = student()
    model, whole = build_model(config.model, config.task), build_model(replace(config.model, layers=None), config.task)
    torch.nn.init.normal_(whole.network.body.classifier.weight)
    articles = [Article("a", " \n "), Article("b", "Gao fell.", (Span(0, 3, ENTITIES[2]),))]
    rows = encode_training(model, articles).rows
    teacher, network = Teacher(whole.network, 2.0, 1.0, CPU), model.network.eval()
    empty, both, one = (batch_loss(network, network.collate([rows[i] for i in which]), teacher, network) for which in ((0,), (0, 1), (1,)))
    assert empty.item() == 0 and both.item() == pytest.approx(one.item(), rel=1e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (("model.head=softmax",), "its head is crf, the student's softmax; set model.head=crf"),
        (("model.case=false",), "model.case=true"),
    ],
)
def test_a_teacher_whose_scores_mean_something_else(student, ner_run, changes, message):
    config = student(f"distil_from={ner_run.path}", *changes)
    with refused(f"distil_from={ner_run.path}: ", message):
        load_teacher(config, build_model(config.model, config.task), CPU)


def test_a_teacher_with_other_tokens(student, ner_run, tmp_path):
    config = student(f"distil_from={ner_run.path}", f"model.path={write_encoder(tmp_path / 'encoder', 'byte-bpe')}")
    with refused("its tokenizer has other tokens than the student's"):
        load_teacher(config, build_model(config.model, config.task), CPU)


def test_the_scores_of_pairs_of_tokens_are_not_learnt(student, train, tmp_path):
    run = train(tmp_path / "run", "model.head=span", "trainer.epochs=1")
    config = student(f"distil_from={run.path}", "model.head=span")
    with refused("the scores of the head span cannot be learnt"):
        load_teacher(config, build_model(config.model, config.task), CPU)


def test_a_student_starts_as_its_teacher_without_some_layers_and_is_a_model_like_any_other(train, ner_run, tmp_path):
    taught = (f"distil_from={ner_run.path}", f"model.init_from={ner_run.path}", "model.layers=[1]", "distil.weight=0.7")
    rates = ("trainer.epochs=3", "trainer.learning_rate=1e-2", "trainer.head_learning_rate=1e-2")
    run = train(tmp_path / "run", *taught, *rates)
    assert run.metrics("dev")["strict"]["micro"]["f1"] > 0.5
    teacher, student = load_model(ner_run.checkpoint_path), load_model(run.checkpoint_path)
    assert (teacher.network.body.config.num_hidden_layers, student.network.body.config.num_hidden_layers) == (2, 1)
    assert student.n_parameters < teacher.n_parameters and student.task == teacher.task
    info = run.info()
    assert info["config"]["distil_from"] == info["teacher"]["path"] == str(ner_run.path)
    assert info["config"]["distil"] == {"temperature": 3.0, "weight": 0.7}
    assert f"{ner_run.path} ({info['teacher']['model_sha256']})" in (run.checkpoint_path / "README.md").read_text()
    assert info["teacher"]["model_sha256"] in (run.path / "report.html").read_text()
