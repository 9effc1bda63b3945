"""Distillation: keep the old model, and ask the new one to answer as it would (Hinton et al. 2015; Li and Hoiem 2016, "LwF")."""

from __future__ import annotations

import copy

from torch import Tensor, nn
from torch.nn import functional as F

from courselib.lab.data.digits import Task
from courselib.lab.in_turn import Method


def softened(logits: Tensor, temperature: float) -> Tensor:
    """softmax(logits / T) over the last dimension: T > 1 shows what the model holds for the second-best answer."""
    if temperature <= 0:
        raise ValueError(f"The temperature is {temperature}; it has to be above 0. Try 2.")
    return (logits / temperature).softmax(-1)


def distillation_loss(student: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """T^2 * KL(softmax(teacher / T) || softmax(student / T)), the mean over the rows of logits (n, classes).

    The gradient of the KL alone shrinks as 1 / T^2: one 1/T from the student's logits, one because softened
    answers differ less. T^2 puts it back, so that T changes what is taught and not how loudly (Hinton, Vinyals
    and Dean 2015, section 2). No gradient reaches the teacher. Raises ValueError if the shapes differ.
    """
    if student.shape != teacher.shape:
        raise ValueError(
            f"The student's logits have shape {tuple(student.shape)} and the teacher's {tuple(teacher.shape)}; they have to "
            "be about the same examples and classes. Has the student a new head? Then compare the old one only."
        )
    target = softened(teacher.detach(), temperature)  # (n, classes)
    log_student = (student / temperature).log_softmax(-1)
    return temperature**2 * F.kl_div(log_student, target, reduction="none").sum(-1).mean()


def distillation_gradient(student: Tensor, teacher: Tensor, temperature: float = 2.0) -> Tensor:
    """The gradient of `distillation_loss` with respect to the student's logits (n, classes), by hand: T/n (q - p).

    One of the two T of T^2 is used up by the chain rule, for the loss sees student/T; 1/n is the mean over the rows.
    """
    return temperature / len(student) * (softened(student, temperature) - softened(teacher, temperature))


class Distillation(Method):
    """Asks the model to answer the *new* examples as the model before this task would: no old example is kept.

    `strength` is the weight of `distillation_loss` and `temperature` its T. State: `teacher`, the frozen model of before; none
    before the first task. Limit: with one head for all tasks the teacher answers the very question that the label answers, about
    pictures it has never seen, and the two contradict each other. Learning without Forgetting as it was published gives each task
    a head of its own, and has no such conflict: see `heads.LwF`. Raises ValueError for a negative strength and for a
    temperature that is not above 0.
    """

    def __init__(self, strength: float = 1.0, temperature: float = 2.0):
        if strength < 0 or temperature <= 0:
            raise ValueError(
                f"Distillation got strength {strength} and temperature {temperature}; the strength is 0 or more and the "
                "temperature above 0. Try 1 and 2."
            )
        self.strength, self.temperature = strength, temperature
        self.teacher: nn.Module | None = None

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        logits = model(x)
        value = F.cross_entropy(logits, y)
        if self.teacher is None:
            return value
        return value + self.strength * distillation_loss(logits, self.teacher(x), self.temperature)

    def after_task(self, model: nn.Module, task: Task) -> None:
        self.teacher = copy.deepcopy(model).requires_grad_(False)  # never trained again
