"""One task after another, and what a method does about forgetting: a class with a hook for each moment.

    begin(seed)               once, before the first task
    before_task(model, task)  a task is about to be learned
    loss(model, x, y)         a batch of it, in every step
    after_step(model)         the optimizer has moved the weights
    after_task(model, task)   it has been learned; the last time that its data can be seen

`Method` itself does nothing about forgetting: it is the naive one. A remedy is a subclass in the file of its idea (L2-SP and EWC,
replay, distillation, isolation and their relatives) and overrides what it needs. The hooks are those of Avalanche's plugins
(Lomonaco et al. 2021), fewer. Whoever trains in turn calls `begin` once and then `learn_next` for each task.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.lab.data.digits import Task
from courselib.lab.training import Step, fit

BATCH, MOMENTUM = 32, 0.9


def plain_loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Cross-entropy of the task at hand: nothing in it mentions any other task."""
    return F.cross_entropy(model(x), y)


class Method:
    """The naive method, and the base of all others: trains on the task at hand and thinks of no other.

    `model(x)` gives logits (n, classes). One object serves one run: a method keeps what it remembers of old tasks.
    """

    def begin(self, seed: int) -> None:
        """Before the first task. `seed` is for what the method itself draws."""

    def before_task(self, model: nn.Module, task: Task) -> None:
        """Before the training on `task`, with the model as the tasks before have left it."""

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """What one step minimises on the batch x (n, d), y (n,): a scalar."""
        return plain_loss(model, x, y)

    def after_step(self, model: nn.Module) -> None:
        """After each step of the optimizer, for a method that follows the weights on their way."""

    def after_task(self, model: nn.Module, task: Task) -> None:
        """After the training on `task`, of which the method may now keep something."""


def sgd(model: nn.Module, lr: float, weight_decay: float = 0.0) -> torch.optim.SGD:
    """Stochastic gradient descent with momentum 0.9 on all trainable weights."""
    trainable = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.SGD(trainable, lr=lr, momentum=MOMENTUM, weight_decay=weight_decay)


def rounds(task: Task, steps: int, seed: int) -> list[Tensor]:
    """Indices of `steps` mini-batches of 32, from one shuffled round through the task after another.

    What does not fill a batch at the end of a round is left out, so that every step sees as many examples.
    """
    generator, found = torch.Generator().manual_seed(seed), []
    while len(found) < steps:
        found += torch.randperm(len(task.x_train), generator=generator).split(BATCH)[: len(task.x_train) // BATCH]
    return found[:steps]


def train_on(
    model: nn.Module, task: Task, loss: Callable[[nn.Module, Tensor, Tensor], Tensor] = plain_loss, *, steps: int, seed: int,
    lr: float = 0.01, weight_decay: float = 0.0, callbacks: Iterable[Callable[[Step], Any]] = (),
) -> list[float]:
    """Trains on one task with `sgd` and `loss(model, x, y)`; returns the losses. The seed draws the order of the batches.

    The gradient is clipped to norm 1, or a strong penalty would throw the weights about. Raises ValueError for a task with
    fewer training examples than a batch.
    """
    if len(task.x_train) < BATCH:
        raise ValueError(f"The task {task.name!r} has {len(task.x_train)} training examples; a batch takes {BATCH}.")

    def of_batch(model: nn.Module, i: Tensor) -> Tensor:
        return loss(model, task.x_train[i], task.y_train[i])

    return fit(
        model, rounds(task, steps, seed), of_batch, sgd(model, lr, weight_decay), steps=steps, max_grad_norm=1.0,
        callbacks=callbacks, progress=False,
    )


def learn_next(
    model: nn.Module, task: Task, method: Method, *, callbacks: Iterable[Callable[[Step], Any]] = (), **how: Any
) -> list[float]:
    """The next task, learned with a method: its hooks in their order. `how` goes to `train_on`. Returns the losses."""

    def told(step: Step) -> None:
        method.after_step(step.model)

    method.before_task(model, task)
    losses = train_on(model, task, method.loss, callbacks=(told, *callbacks), **how)
    method.after_task(model, task)
    return losses
