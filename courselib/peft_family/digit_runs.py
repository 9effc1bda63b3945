"""Small runs on digits whose pixels have changed places: seconds where a language model would take minutes.

The reader and the swaps are chapter 08's. Here any method may sit on its layers, with any optimiser groups.

    adapt_digits()   one run: a copy of a reader learns swapped pictures
    wide_reader()    a reader of another width
    merged_scores()  several tasks' updates put into one reader: how much of each task is left
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.forgetting.two_tasks import network
from courselib.lab.classification import accuracy
from courselib.lab.data.digits import Task
from courselib.lab.in_turn import rounds
from courselib.lab.training import fit
from courselib.lora.swaps import START_RATE, START_STEPS, Reader, pixel_order, read_digits

LAYERS = ("0", "2", "4")


class Swapped(NamedTuple):
    """One run: accuracy on swapped test and held-out pictures, the loss on the latter, and the model."""

    test: float
    validation: float
    loss: float
    model: nn.Module


def wide_reader(seed: int, hidden: int) -> Reader:
    """`swaps.read_digits` with another number of hidden units: 64 -> hidden -> hidden -> 10."""
    start = read_digits(seed)
    torch.manual_seed(seed)
    model, task = network(hidden), start.task
    optimizer = torch.optim.AdamW(model.parameters(), lr=START_RATE * (128 / hidden) ** 0.5)
    fit(model, rounds(task, START_STEPS, seed), _loss(task.x_train, task.y_train), optimizer, steps=START_STEPS, progress=False)
    return start._replace(model=model)


def adapt_digits(
    start: Reader, order: Tensor, put: Callable[[nn.Module], nn.Module], groups: Callable[[nn.Module], list[dict]], *,
    steps: int = 100, seed: int | None = None,
) -> Swapped:
    """A copy of the reader, given a method by `put`, trained with AdamW on pictures whose pixels stand in `order` (64,).

    `groups(model)` are the optimiser's groups, with their rates. `seed` draws the method's start; the reader's draws the batches.
    """
    task, (x, y) = start.task, start.held_out
    torch.manual_seed(start.seed if seed is None else seed)
    model = put(copy.deepcopy(start.model))
    swapped = Task("swapped", task.x_train[:, order], task.y_train, task.x_test[:, order], task.y_test)
    optimizer = torch.optim.AdamW(groups(model), weight_decay=0.0)
    batches = rounds(swapped, steps, start.seed + 1000)
    fit(model, batches, _loss(swapped.x_train, swapped.y_train), optimizer, steps=steps, progress=False)
    with torch.no_grad():
        held = model(x[:, order])
        return Swapped(accuracy(model(swapped.x_test), swapped.y_test), accuracy(held, y), F.cross_entropy(held, y).item(), model)


def at_rate(lr: float) -> Callable[[nn.Module], list[dict]]:
    """All that is trained, at one rate: for `groups`."""
    return lambda model: [{"params": [p for p in model.parameters() if p.requires_grad], "lr": lr}]


def orders(count: int, swaps: int, seed: int) -> list[Tensor]:
    """`count` tasks, each with its own pairs of pixels that change places."""
    return [pixel_order(swaps, 1000 * seed + number) for number in range(count)]


@torch.no_grad()
def merged_scores(start: Reader, change: Mapping[str, Tensor], tasks: Sequence[Tensor]) -> list[float]:
    """Adds a change to each weight of the reader, path -> (d_out, d_in); how right it is then on each task's test pictures."""
    model = copy.deepcopy(start.model)
    for path, update in change.items():
        model.get_submodule(path).weight += update
    return [accuracy(model(start.task.x_test[:, order]), start.task.y_test) for order in tasks]


def _loss(x: Tensor, y: Tensor) -> Callable[[nn.Module, Tensor], Tensor]:
    return lambda model, rows: F.cross_entropy(model(x[rows]), y[rows])
