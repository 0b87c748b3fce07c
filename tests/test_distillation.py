"""Students: half an encoder that learns from the scores of a whole one; what is learnt, and which teachers are refused."""

import itertools
import json
import shutil
from dataclasses import replace

import pytest
import torch
from conftest import NER
from factories import refused
from tiny import SMALL, compose, own_data, write_encoder

from sitrep import jobs
from sitrep.corpus import load_corpus
from sitrep.distillation import Teacher, load_teacher
from sitrep.heads import chain
from sitrep.models import build_model, load_model
from sitrep.sampling import BudgetBatches
from sitrep.training import encode_training

TASKS = [
    ("task=ner",),
    ("task=ner", "model.head=softmax"),
    ("task=topics",),
    ("task=topics", "task.pooling=max", "model.head=first"),
    ("task=region",),
]
CPU = torch.device("cpu")


@pytest.fixture
def student_config(corpus, encoder):
    """Return a function that composes the config of a student of one layer."""

    def compose_student(*arguments: str):
        model = ("model=hub", f"model.path={encoder}", "model.layers=[1]", *SMALL)
        return compose("train", *own_data(corpus), *model, *arguments)

    return compose_student


def batches(model, config):
    """Return some training batches, of cuts of their own."""
    data = encode_training(model, load_corpus(config.data, config.task).train)
    chosen = itertools.islice(BudgetBatches(data.cuts, config.trainer.batch_tokens, seed=0), 3)
    return [model.network.collate([data.rows[row] for row in rows]) for rows in chosen]


@pytest.mark.parametrize("arguments", TASKS)
@pytest.mark.parametrize("temperature", [1.0, 3.0])
def test_a_student_that_is_its_teacher_s_equal_has_nothing_to_learn_from_it(student_config, arguments, temperature):
    config = student_config(*arguments, "model.layers=null")
    model = build_model(config.model, config.task)
    if hasattr(model.network, "transitions"):
        torch.nn.init.normal_(model.network.transitions)
    equal = build_model(config.model, config.task).network
    equal.load_state_dict(model.network.state_dict())
    teacher = Teacher(equal, temperature, 1.0, CPU)
    student = model.network.eval()
    for batch in batches(model, config):
        loss = teacher.loss(student, batch, student)
        loss.backward()
        assert loss.item() == pytest.approx(0, abs=1e-4)
    gradients = [parameter.grad.abs().max().item() for parameter in student.parameters() if parameter.grad is not None]
    assert len(gradients) > 10 and max(gradients) < 1e-4
