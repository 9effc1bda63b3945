"""Model answers of chapter 05. Logits are (n, classes), one example a row; R[i, j] is the accuracy on task j after task i."""

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F


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


def continual_forward_transfer(R: np.ndarray, start: np.ndarray) -> float:
    """FWT: how much better than by the untrained network a task is answered just before it is learned; the mean over all tasks
    that had something before them.

    R: (tasks, tasks), with at least two tasks.   R[i, j] is the accuracy on task j after training on tasks 0 to i.
    start: (tasks,).   start[j] is the accuracy of the untrained network on task j.
    """
    return float(np.mean([R[j - 1, j] - start[j] for j in range(1, len(R))]))


def continual_replay_batch(batch: int, old_share: float) -> tuple[int, int, float]:
    """A rehearsal batch: how many new and how many old examples it has, and which replay weight it amounts to.

    The number of old examples is batch * old_share, rounded to the nearest whole number. The batch's loss is the plain mean
    over all its examples. Up to a constant factor that is L_new + alpha * L_old, where both losses are means over their
    own examples: so alpha follows from the two whole numbers, and not from the share that was planned.

    Returns (new, old, alpha). Raises ValueError if the batch would not hold at least one example of each kind.
    """
    old = round(batch * old_share)
    new = batch - old
    if old < 1 or new < 1:
        raise ValueError(f"{new} new and {old} old examples: a rehearsal batch needs both kinds")
    return new, old, old / new


def continual_reservoir(stream: Iterator, capacity: int, rng: np.random.Generator) -> list:
    """A fair sample of a stream: at most `capacity` of its items, each kept with the same probability, none twice.

    `stream` is an iterator: it gives one item after another, knows no length, and is gone when it ends. Its items may be
    anything. Hold at most `capacity` of them besides the one that has just come: whoever collects them all first is stopped.
    Draw every random number from `rng`, a NumPy generator; `rng.integers(n)` gives one of 0 .. n - 1. A stream of no more than
    `capacity` items is kept whole. The order of the returned list does not matter.
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


def continual_predict_buffer(lengths: list[int], capacity: int, rule: str) -> list[float]:
    """How many examples of each task a buffer holds in the mean, when tasks of these lengths have gone by one after another.

    lengths: the number of examples of each task, in their order.   capacity: the room, less than all of them together.
    rule: "reservoir"    Algorithm R
          "queue"        every new example gets in, and the oldest one goes
          "first come"   the first examples stay, and no later one gets in
          "always in"    every new example gets in, and takes the place of a random one, each as likely as the other
    Until it is full every example gets in, whatever the rule.   Returns one number for each task.
    """
    total = sum(lengths)
    places = np.arange(total)
    chance = {
        "reservoir": np.full(total, capacity / total), "queue": places >= total - capacity, "first come": places < capacity,
        "always in": (1 - 1 / capacity) ** (total - np.maximum(places + 1, capacity)),
    }[rule]  # fmt: skip
    return [float(part.sum()) for part in np.split(chance, np.cumsum(lengths)[:-1])]


def continual_rehearse(
    model: nn.Module, optimizer: torch.optim.Optimizer, x: Tensor, y: Tensor, memory: list, capacity: int, seen: int,
    rng: np.random.Generator,
) -> None:
    """One step on a batch of a stream whose tasks change without notice, with a memory that is bounded.

    model(x) gives logits (n, 10), one head for all tasks; `optimizer` has all its weights. x: (n, d), y: (n,): the batch that has
    just come. `seen` examples came before it, in all batches.
    memory: a list, empty before the first batch, and yours: what you put into it is there at the next call. It may hold pairs
    (one picture (d,), its label), and after the call at most `capacity` of them. Draw random numbers from `rng`.
    Make the step, and bring the memory up to date. Nothing is returned.
    """
    pictures, labels = [x, *(item[0][None] for item in memory)], [y, *(item[1].view(1) for item in memory)]
    logits = model(torch.cat(pictures))
    value = F.cross_entropy(logits[: len(y)], y)
    if memory:
        value = value + F.cross_entropy(logits[len(y) :], torch.cat(labels[1:]))
    optimizer.zero_grad()
    value.backward()
    optimizer.step()
    for number, example in enumerate(zip(x, y, strict=True), start=seen + 1):
        place = len(memory) if len(memory) < capacity else int(rng.integers(number))
        if place < capacity:
            memory[place : place + 1] = [example]


def continual_project_gradient(gradient: tuple[Tensor, ...], reference: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """A-GEM: the gradient of the new task, without what points against the gradient of the old ones.

    gradient, reference: as torch.autograd.grad returns them, one tensor for each weight of the model; all weights together are
    one vector. If the two do not point apart (their scalar product is 0 or more) the gradient comes back as it is. Otherwise the
    nearest vector to it comes back whose scalar product with the reference is 0.   Returns one tensor for each weight.
    """
    along = sum((g * r).sum() for g, r in zip(gradient, reference, strict=True))
    if along >= 0:
        return gradient
    share = along / sum((r * r).sum() for r in reference)
    return tuple(g - share * r for g, r in zip(gradient, reference, strict=True))


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


def continual_lwf_loss(
    new_logits: Tensor, y: Tensor, old_logits: tuple[Tensor, ...], teacher_logits: tuple[Tensor, ...], temperature: float,
    strength: float,
) -> float:
    """The loss of Learning without Forgetting, with a head for each task, on a batch of n new examples.

    new_logits: (n, classes of the new task), of the new head; y: (n,), their labels.
    old_logits, teacher_logits: one tensor for each old task, (n, its classes): what its head answers to the new examples now, and
    what it answered before this task was begun.
    The sum of the cross-entropy of the new head, and `strength` times the distillation loss of every old head at `temperature`:
    T² · KL(teacher ‖ student), the mean over the n rows.   Returns a number.
    """
    kept = [continual_distillation_loss(now, then, temperature) for now, then in zip(old_logits, teacher_logits, strict=True)]
    return float(F.cross_entropy(new_logits, y)) + strength * sum(kept)


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
    and so on. The question is always the same, "is this urgent?". The law forbids keeping patients' records for longer than a
    year. In use, nobody tells the model which department a record comes from. A colleague says: "Take task adapters. They avoid
    forgetting completely."

    What is right and what is wrong in the colleague's sentence? Is this a task-, a domain- or a class-incremental problem? Which
    of replay, distillation and isolation can be used here, and what does it cost? Which numbers would you report after each year,
    and against which would you hold them?

    Write six to nine sentences, and name a measurement of this chapter for each claim about a method.
    """
    return """
The sentence is true under two conditions: the trunk and all older adapters are frozen, and the model is told which task
an input belongs to. Then the old answers are the same bit for bit, as the chapter measured (BWT exactly 0). Heads on a trunk
that goes on training do not give that: their BWT was negative. Here the question stays and the department is not named, so it
is domain-incremental: choosing the adapter would itself be a task that can be forgotten, and the best rows of the chapter's
table, LwF and adapters, are rows of the task-incremental column. Replay of records is ruled out by law, although it was among the
best with one head. Distillation needs only the old model, so it is allowed; but with one head the teacher answers the same
question as the label, about records of a department it has never seen, and the two contradict each other: in the chapter its
diagonal was far lower than replay's, and its ACC lower too. Its BWT near 0 is no proof of safety, for what one task gained
cancelled what another lost. EWC keeps no record either and is worth measuring beside it; a classifier of departments, trained on
what may be kept, would turn the problem into a task-incremental one, with its own errors to count.
After each year I would report the whole row of R: accuracy on the new department and the mean over the older ones, then ACC
and BWT over the years. I would hold them against the naive model, which shows what is lost without a method, and, as long as
the data may be kept, against a model trained on everything. Each year's test records
must be set aside while they are still legal to use, or only their scores can be kept.
"""
