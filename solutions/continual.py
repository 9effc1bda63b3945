"""Model answers of chapter 05. Logits are (n, classes), one example a row; R[i, j] is the accuracy on task j after task i."""

import math

import numpy as np
import torch
from torch import Tensor


def continual_average_accuracy(R: np.ndarray) -> float:
    """ACC: the mean accuracy over all tasks once the last one has been learned.

    R: (tasks, tasks).   R[i, j] is the accuracy on task j after training on tasks 0 to i, in that order.
    """
    return float(R[-1].mean())


def continual_backward_transfer(R: np.ndarray) -> float:
    """BWT: how much the accuracy on a task has changed since it was learned, in the mean over all tasks but the last.

    R: (tasks, tasks), with at least two tasks.   R[i, j] is the accuracy on task j after training on tasks 0 to i.
    Below 0 means forgetting.
    """
    tasks = len(R)
    changes = [R[tasks - 1, j] - R[j, j] for j in range(tasks - 1)]
    return float(sum(changes) / (tasks - 1))


def continual_replay_batch(batch: int, old_share: float) -> tuple[int, int, float]:
    """A rehearsal batch: how many new and how many old examples it has, and which replay weight it amounts to.

    The number of old examples is batch * old_share, rounded to the nearest whole number. The batch's loss is the plain mean
    over all its examples. Up to a constant factor that is L_new + alpha * L_old, where both losses are means over their
    own examples.

    Returns (new, old, alpha). Raises ValueError if the batch would not hold at least one example of each kind.
    """
    old = round(batch * old_share)
    new = batch - old
    if old < 1 or new < 1:
        raise ValueError(f"{new} new and {old} old examples: a rehearsal batch needs both kinds")
    return new, old, old / new


def continual_reservoir(stream: list, capacity: int, rng: np.random.Generator) -> list:
    """A fair sample of a stream: at most `capacity` of its items, each kept with the same probability, none twice.

    Go through `stream` once, from the front, as if its length were not known. Draw every random number from `rng`, a NumPy
    generator; `rng.integers(n)` gives one of 0 .. n - 1. A stream of no more than `capacity` items is kept whole.
    The order of the returned list does not matter.
    """
    kept = []
    for number, item in enumerate(stream, start=1):
        if len(kept) < capacity:
            kept.append(item)
        else:
            place = int(rng.integers(number))  # 0 .. number - 1, so it is below capacity with probability capacity / number
            if place < capacity:
                kept[place] = item
    return kept


def continual_distillation_loss(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> float:
    """T² · KL(teacher ‖ student) at temperature T, the mean over the rows of the batch.

    student_logits, teacher_logits: (n, classes).   Both are softened with the same T. The sum is over the classes, the mean
    over the n rows; logarithms are natural. Returns a number.
    """
    log_p = torch.log_softmax(teacher_logits / temperature, dim=-1)
    log_q = torch.log_softmax(student_logits / temperature, dim=-1)
    divergence = (log_p.exp() * (log_p - log_q)).sum(dim=-1)  # (n,)
    return float(temperature**2 * divergence.mean())


def continual_distillation_gradient(student_logits: Tensor, teacher_logits: Tensor, temperature: float) -> Tensor:
    """The gradient of the distillation loss above, T² · KL(teacher ‖ student) with the mean over rows, by hand: no autograd.

    student_logits, teacher_logits: (n, classes).   The gradient is with respect to the student's logits.
    Returns (n, classes).
    """
    p = torch.softmax(teacher_logits / temperature, dim=-1)
    q = torch.softmax(student_logits / temperature, dim=-1)
    return temperature * (q - p) / student_logits.shape[0]


def continual_recipe_problems(
    examples: int, batch: int, epochs: int, warmup_steps: int, evaluations_per_epoch: int, patience: int
) -> tuple[int, float, int]:
    """Three numbers that show whether a recipe's parts fit together.

    `examples` is the size of the training set. Every epoch goes through all of it; its last batch may be smaller, and is an
    optimizer step like any other. Step s, counted from 0, uses min(1, s / warmup_steps) of the learning rate; without a
    warm-up (warmup_steps = 0) every step uses all of it. There are `evaluations_per_epoch` evaluations in each epoch.
    Early stopping fires at the evaluation that is the `patience`-th in a row that was not better than the best so far.

    Returns (steps, peak, spare): the optimizer steps of the whole training; the largest share of the learning rate that
    any of them uses; and the evaluations that would still be to come if early stopping fired as early as it can.
    A negative `spare` says how many evaluations are missing for it to fire at all.
    """
    steps = epochs * math.ceil(examples / batch)
    peak = min(1.0, (steps - 1) / warmup_steps) if warmup_steps else 1.0
    spare = epochs * evaluations_per_epoch - (1 + patience)
    return steps, peak, spare


def continual_choose() -> str:
    """A group of hospitals trains one model for its departments, a new department every year: dermatology, then cardiology,
    and so on. The law forbids keeping patients' records for longer than a year. In use, nobody tells the model which
    department a record comes from. A colleague says: "Take task adapters. They avoid forgetting completely."

    What is right and what is wrong in the colleague's sentence? Which of replay, distillation and isolation can be used
    here, and what does it cost? Which numbers would you report after each year, and against which would you hold them?

    Write five to eight sentences, and name a measurement of this chapter for each claim about a method.
    """
    return """
The sentence is true under two conditions: the trunk and all older adapters are frozen, and the model is told which task
an input belongs to. Then the old answers are the same bit for bit, as the chapter measured (BWT exactly 0). Heads on a trunk
that goes on training do not give that: their BWT was negative. Here nobody tells the department, so choosing the adapter
would itself be a task that can be forgotten. Replay of records is ruled out by law, although it had the best ACC of the
methods with one head. Distillation needs only the old model, so it is allowed; with its strength it holds the answers of
last year's model, but it keeps the new task from being learned as well: in the chapter its diagonal is lower than replay's
and so is its ACC. Its BWT near 0 is no proof of safety, because what one task gained cancelled what another lost.
After each year I would report the whole row of R: accuracy on the new department and the mean over the older ones, then ACC
and BWT over the years. I would hold them against the naive model, which shows what is lost without a method, and, as long as
the data may be kept, against a model trained on everything. Each year's test records
must be set aside while they are still legal to use, or only their scores can be kept.
"""
