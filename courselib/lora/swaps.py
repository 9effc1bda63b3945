"""A task that asks for a change of a known rank: read digits whose pixels have changed places in pairs.

A network reads digits. Then `swaps` pairs of pixels change places, for all pictures alike. The old answers come back if the
first layer's weight W0 becomes W0 P, where P exchanges those columns. That change, W0 P - W0, has a rank of at most `swaps`: the
two columns of a pair move by one and the same vector, with opposite signs. So there is a dial for what a task asks of
LoRA, from one pair to all 64 pixels. Only the first layer is trained, in full or by an adapter.

    read_digits()   the start, a network of three layers
    exact_change()  W0 P - W0
    relearn()       one run, with what it learned and what it forgot as it went on
    first_moves()   how far the first steps of an optimiser move the layer's output

What this cannot tell: how thin the changes are that language asks for, or what happens in a deep network.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from courselib.forgetting.two_tasks import network
from courselib.lab.classification import accuracy
from courselib.lab.data.digits import PIXELS, Task, digits
from courselib.lab.in_turn import plain_loss, rounds
from courselib.lab.training import Step, fit
from courselib.lora.inject import add_lora, disabled

FIRST = "0"  # the name of the first layer in the network
ALPHA = 8.0  # for every rank: with AdamW one learning rate then suits most of them
VALIDATION = 200  # pictures of the training half that no run trains on; rates are chosen on them
START_STEPS, START_RATE, STEPS, EVERY = 200, 3e-3, 100, 10


class Reader(NamedTuple):
    """A network that reads digits, and the digits: `task` trains, `held_out` (x, y) is for choosing a learning rate."""

    seed: int
    task: Task
    held_out: tuple[Tensor, Tensor]
    model: nn.Sequential


@dataclass(frozen=True)
class Relearned:
    """One run. `history` holds (step, accuracy on the swapped test pictures, on the old ones), from step 0 on.

    `validation` is the accuracy on the swapped held-out pictures; `off` says whether, without its adapter, the network
    gives every old output bit for bit (None where there is no adapter).
    """

    trained: int
    validation: float
    history: list[tuple[int, float, float]]
    off: bool | None
    model: nn.Module

    @property
    def new(self) -> float:
        return self.history[-1][1]

    @property
    def old(self) -> float:
        return self.history[-1][2]

    def old_when_new_reaches(self, level: float) -> float:
        """Accuracy on the old pictures where that on the swapped ones first reaches `level`; NaN if it never does."""
        return next((old for _, new, old in self.history if new >= level), float("nan"))


def pixel_order(swaps: int, seed: int) -> Tensor:
    """Where each of the 64 pixels comes from, once `swaps` pairs have changed places: (64,). ValueError above 32 pairs."""
    if not 0 <= swaps <= PIXELS // 2:
        raise ValueError(f"64 pixels have 0 to 32 pairs to swap, but {swaps} came.")
    drawn = torch.randperm(PIXELS, generator=torch.Generator().manual_seed(seed))
    order = torch.arange(PIXELS)
    first, second = drawn[:swaps], drawn[swaps : 2 * swaps]
    order[first], order[second] = second, first
    return order


def exact_change(weight: Tensor, swaps: int, seed: int) -> Tensor:
    """W0 P - W0 for a first layer's weight (hidden, 64): what makes it answer swapped pictures as it answered the old ones."""
    return (weight[:, pixel_order(swaps, seed)] - weight).detach()  # an exchange of pairs is its own inverse


def read_digits(seed: int) -> Reader:
    """A network trained to read digits. The seed draws the split, the weights and the batches."""
    whole = digits(seed)
    cut = len(whole.x_train) - VALIDATION
    task = Task("digits", whole.x_train[:cut], whole.y_train[:cut], whole.x_test, whole.y_test)
    torch.manual_seed(seed)
    model = network()
    optimizer = torch.optim.AdamW(model.parameters(), lr=START_RATE, fused=True)
    fit(model, rounds(task, START_STEPS, seed), _loss(task), optimizer, steps=START_STEPS, progress=False)
    return Reader(seed, task, (whole.x_train[cut:], whole.y_train[cut:]), model)


def relearn(
    start: Reader, swaps: int, rank: int | None, lr: float, *, alpha: float = ALPHA, dropout: float = 0.0,
    steps: int = STEPS, pictures: int | None = None,
) -> Relearned:
    """A copy of the network, its first layer trained on swapped pictures: every weight of it (`rank` None), or an adapter.

    The scale is alpha / rank. `pictures` trains on so many only, 32 at least. The batches of a seed are the same for every
    method.
    """
    order = pixel_order(swaps, start.seed)
    old, (x, y) = start.task, start.held_out
    new = Task("swapped", old.x_train[:pictures, order], old.y_train[:pictures], old.x_test[:, order], old.y_test)
    model = copy.deepcopy(start.model).requires_grad_(False)
    torch.manual_seed(start.seed)  # draws A, and dropout
    if rank is None:
        model.get_submodule(FIRST).weight.requires_grad_(True)
    else:
        add_lora(model, (FIRST,), rank, alpha, dropout)
    trained = [p for p in model.parameters() if p.requires_grad]
    history = [(0, _score(model, new), _score(model, old))]

    def look(step: Step) -> None:
        if step.number % EVERY == 0 or step.number == steps:
            history.append((step.number, _score(model, new), _score(model, old)))

    optimizer = torch.optim.AdamW(trained, lr=lr, weight_decay=0.0, fused=True)
    halves = iter(rounds(new, 2 * steps, start.seed + 1000))
    batches = [torch.cat(pair) for pair in zip(halves, halves, strict=True)]  # of 64: steadier at the end than 32
    fit(model, batches, _loss(new), optimizer, steps=steps, callbacks=[look], progress=False)
    with torch.no_grad():
        validation = accuracy(model(x[:, order]), y)
        off = None
        if rank is not None:
            with disabled(model):
                off = torch.equal(model(old.x_test), start.model(old.x_test))
    return Relearned(sum(p.numel() for p in trained), validation, history, off, model)


def first_moves(start: Reader, rank: int, optimiser: type[torch.optim.Optimizer], lr: float, steps: int, *, alpha: float = ALPHA,
                rslora: bool = False) -> float:
    """Mean square of what an adapter adds to the first layer's output, after so many steps with all 32 pairs swapped."""
    order = pixel_order(32, start.seed)
    task = Task("swapped", start.task.x_train[:, order], start.task.y_train, start.task.x_test[:, order], start.task.y_test)
    model = copy.deepcopy(start.model)
    torch.manual_seed(start.seed)
    add_lora(model, (FIRST,), rank, alpha, rslora=rslora)
    stepper = optimiser([p for p in model.parameters() if p.requires_grad], lr=lr, weight_decay=0.0)
    fit(model, rounds(task, steps, start.seed), _loss(task), stepper, steps=steps, progress=False)
    return (task.x_train @ model.get_submodule(FIRST).delta_weight().T).square().mean().item()


def gentlest(scores: dict[float, float], within: float = 0.01) -> float:
    """The smallest of the learning rates whose score comes within 0.01 of the best one: a tie goes to the gentler."""
    return min(lr for lr, score in scores.items() if score >= max(scores.values()) - within)


def _loss(task: Task) -> Callable[[nn.Module, Tensor], Tensor]:
    return lambda model, rows: plain_loss(model, task.x_train[rows], task.y_train[rows])


@torch.no_grad()
def _score(model: nn.Module, task: Task) -> float:
    model.eval()
    return accuracy(model(task.x_test), task.y_test)
