"""A student learns from its teacher's scores, beside the labels (Hinton, Vinyals and Dean 2015, "Distilling the Knowledge").

The teacher reads each batch as the student does, so that it teaches every cut of an article; it learns nothing itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from sitrep.config import TrainConfig
from sitrep.errors import InputError
from sitrep.finding import open_run
from sitrep.heads.base import INPUTS, Batch, Head
from sitrep.models import Model, load_model


class Teacher:
    """A trained network that marks a student's batches.

    Args:
        network: the teacher's, whose windows must be the student's.
        temperature, weight: see DistilConfig.
    """

    def __init__(self, network: Head, temperature: float, weight: float, device: torch.device) -> None:
        self.network = network.to(device).eval().requires_grad_(False)
        self.temperature, self.weight = temperature, weight

    def loss(self, called: nn.Module, batch: Batch, student: Head) -> Tensor:
        """Return the loss of a batch: how far `student` is from its teacher, and from the labels, by their shares."""
        inputs = {name: tensor for name, tensor in batch.items() if name in INPUTS}
        targets = {name: tensor for name, tensor in batch.items() if name not in INPUTS}
        with torch.no_grad():
            taught = self.network.score(**inputs).float()
        scores = called(**inputs).float()
        imitation = student.imitation(scores, self.network, taught, self.temperature, **targets)
        return self.weight * imitation + (1 - self.weight) * student.loss(scores, **targets)


def batch_loss(called: nn.Module, batch: Batch, teacher: Teacher | None, network: Head) -> Tensor:
    """Return the loss of a batch that `network` learns, with a teacher or without.

    called: the network as it is to be called: itself, or what wraps it where several processes train it
    """
    return teacher.loss(called, batch, network) if teacher else called(**batch)


def load_teacher(config: TrainConfig, student: Model, device: torch.device) -> Teacher:
    """Return the teacher of a student that `config` trains.

    Raises:
        InputError: if it reads other windows than the student, or its head scores otherwise; the message names what differs.
    """
    what = f"distil_from={config.distil_from}"
    model = load_model(open_run(str(config.distil_from)).checkpoint_path)
    if model.head != student.head:
        raise InputError(f"{what}: its head is {model.head}, the student's {student.head}; set model.head={model.head}")
    if not student.network.imitates:
        raise InputError(
            f"{what}: the scores of the head {student.head} cannot be learnt; train teacher and student with another model.head"
        )
    if model.tokenizer.get_vocab() != student.tokenizer.get_vocab():
        raise InputError(
            f"{what}: its tokenizer has other tokens than the student's; choose a student of its family, as model=minilm3 is of minilm's"
        )
    theirs, ours = model.network.windower, student.network.windower
    if theirs.case_types != ours.case_types:
        raise InputError(
            f"{what}: the teacher's token types for the case of words are {theirs.case_types}, the student's {ours.case_types}; "
            f"set model.case={'true' if theirs.case_types else 'false'}"
        )
    if (theirs.prefix, theirs.suffix) != (ours.prefix, ours.suffix) or theirs.size != ours.size:
        raise InputError(
            f"{what}: its tokenizer puts other special tokens around a window than the student's; choose a student of its family"
        )
    assert config.distil is not None
    return Teacher(model.network, config.distil.temperature, config.distil.weight, device)
