"""Task A, then task B, and what is left of A: the smallest experiment in which a network forgets.

A network of three layers learns to read digits (task A). A copy of it learns a second task, of which there are four:

    permuted         the same digits, their 64 pixels shuffled once and for all      (Goodfellow et al. 2013)
    by class         A has the digits 0 to 4, B the digits 5 to 9, one head for all  (van de Ven and Tolias 2019)
    aligned          the same digits, their pixels slightly blurred by noise: what helps B helps A
    contradictory    the same pictures, each to be called by the next digit: no weights can do both

Everything is small on purpose: a run takes a fraction of a second, so each comparison can have its seeds.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from courselib.lab.classification import accuracy
from courselib.lab.data.digits import Task, class_tasks, permuted_tasks
from courselib.lab.in_turn import Method, learn_next, train_on
from courselib.lab.training import Step

HALVES = ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9))
KINDS = ("permuted", "by class", "aligned", "contradictory")
LEARNING_RATE = 0.03
HIDDEN = 128
FIRST_STEPS, SECOND_STEPS = 210, 252  # five and six times through the pictures


@dataclass(frozen=True)
class Start:
    """A network that has learned task A. `untrained` is what it scored on A and B before it had learned anything."""

    seed: int
    kind: str
    A: Task
    B: Task
    model: nn.Module
    untrained: tuple[float, float]

    @property
    def before(self) -> tuple[float, float]:
        """Accuracy on A and on B before B is learned."""
        return score(self.model, self.A), score(self.model, self.B)


@dataclass(frozen=True)
class Run:
    """A copy that has learned B as well. `history` holds (step, accuracy on A, accuracy on B) as often as was asked."""

    model: nn.Module
    old: float
    new: float
    history: list[tuple[int, float, float]]


def network(hidden: int = HIDDEN) -> nn.Sequential:
    """64 pixels -> hidden -> hidden -> 10 logits."""
    layers = [nn.Linear(64, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 10)]
    return nn.Sequential(*layers)


def score(model: nn.Module, task: Task) -> float:
    """Accuracy on the test half of a task."""
    with torch.no_grad():
        return accuracy(model(task.x_test), task.y_test)


def pair(kind: str, seed: int) -> tuple[Task, Task]:
    """Tasks A and B of one of the four kinds. The seed draws the split, the shuffling and the noise."""
    if kind not in KINDS:
        raise ValueError(f"There is no pair of tasks called {kind!r}; there are {', '.join(map(repr, KINDS))}.")
    if kind == "by class":
        return tuple(class_tasks(seed, HALVES))
    A, B = permuted_tasks(2, seed)
    if kind == "aligned":
        generator = torch.Generator().manual_seed(seed)
        noisy = [x + 0.2 * torch.randn(x.shape, generator=generator) for x in (A.x_train, A.x_test)]
        B = Task("noisy", noisy[0], A.y_train, noisy[1], A.y_test)
    if kind == "contradictory":
        B = Task("renamed", A.x_train, (A.y_train + 1) % 10, A.x_test, (A.y_test + 1) % 10)
    return A, B


def other_second(start: Start, kind: str) -> Start:
    """The same learned network, before a second task of another kind. Only for kinds that share their task A."""
    if "by class" in (kind, start.kind):
        raise ValueError("'by class' has a task A of its own. Try first_task(seed, 'by class').")
    return replace(start, kind=kind, B=pair(kind, start.seed)[1])


def first_task(
    seed: int, kind: str = "permuted", steps: int = FIRST_STEPS, *, lr: float = LEARNING_RATE, hidden: int = HIDDEN
) -> Start:
    """A fresh network, trained on A. The seed draws everything: tasks, weights, batches."""
    A, B = pair(kind, seed)
    torch.manual_seed(seed)
    model = network(hidden)
    untrained = score(model, A), score(model, B)
    train_on(model, A, steps=steps, seed=seed, lr=lr)
    return Start(seed, kind, A, B, model, untrained)


def second_task(
    start: Start, method: Method | None = None, *, lr: float = LEARNING_RATE, steps: int = SECOND_STEPS,
    weight_decay: float = 0.0, prepare: Callable[[nn.Module], object] | None = None, watch: tuple[int, ...] = (),
    callbacks: tuple[Callable[[Step], object], ...] = (),
) -> Run:
    """A copy of `start.model`, trained on B alone, with a method that has seen the end of A (naive unless told otherwise).

    The batches of B are the same for every method, so runs of one seed can be compared pair by pair. `prepare` may
    change the copy before training (add adapters, freeze layers). After each of the steps in `watch` both
    accuracies are written down. `callbacks` go to `fit`.
    """
    model, method = copy.deepcopy(start.model), method or Method()
    if prepare:
        prepare(model)
    method.begin(start.seed)
    method.after_task(model, start.A)
    history: list[tuple[int, float, float]] = []

    def look(step: Step) -> None:
        if step.number in watch:
            history.append((step.number, score(model, start.A), score(model, start.B)))

    learn_next(
        model, start.B, method, steps=steps, seed=start.seed + 1000, lr=lr, weight_decay=weight_decay,
        callbacks=(look, *callbacks),
    )
    return Run(model, score(model, start.A), score(model, start.B), history)
