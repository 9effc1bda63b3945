"""Pretrain, then fine-tune, in its smallest honest form: a small network, real digits, and six first stages to choose from.

The target is always the same: tell the digits 5 to 9 apart, from very few labelled pictures. What differs is what the
network did before:

    nothing              scratch
    hidden pixels        other pictures of the same digits *without labels*: half of the pixels are covered, and to be guessed
    same digits, noisy   the same five digits in other, noisy pictures, with their labels: the same question, asked before
    other digits         the digits 0 to 4, whose pictures are clean and whose labels are right
    wrong names          the same digits, but each is called by the next one's name; then a new head
    wrong names, kept    the same, and the head that learned the wrong names is kept

That a first stage helps is not a law. Where it costs accuracy, one speaks of negative transfer (Rosenstein et al. 2005,
"To transfer or not to transfer"; Wang et al. 2019, arXiv:1811.09751).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.lab import runtime
from courselib.lab.classification import accuracy
from courselib.lab.data import digits
from courselib.lab.training import Step, fit

SOURCES = ("nothing", "hidden pixels", "same digits, noisy", "other digits", "wrong names", "wrong names, kept")
PICTURES = 160  # that can be target examples; the others of the digits 5 to 9 are source examples
WIDTH, CLASSES, BATCH, RATE = 64, 5, 32, 3e-3
SOURCE_STEPS, TARGET_STEPS, GUESSING_STEPS = 160, 40, 300


def pretrain_then_finetune(source: str, labels: int, seed: int) -> dict[str, float]:
    """One network, two stages. Returns the accuracy on test digits 5 to 9 at the end, and `begin`: before any target step.

    `labels` is how many labelled target pictures there are, 1 to 160. The seed draws the pictures, the weights and the new
    head; it gives every source the same target pictures and the same new head. Raises ValueError for an unknown source or
    a number of labels out of range.
    """
    if source not in SOURCES:
        raise ValueError(f"There is no source {source!r}; choose one of {', '.join(SOURCES)}.")
    if not 1 <= labels <= PICTURES:
        raise ValueError(f"{labels} labels were asked for; there are 1 to {PICTURES} target pictures.")
    _, high = digits.class_tasks(seed, ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9)))
    x_test, y_test = high.x_test, high.y_test - 5
    network = second_stage(source, seed)
    begin = accuracy(network(x_test), y_test)
    train_stage(network, high.x_train[:labels], high.y_train[:labels] - 5, TARGET_STEPS)
    return {"accuracy": accuracy(network(x_test), y_test), "begin": begin}


def learning_curve(source: str, labels: int, seed: int, steps: int, every: int) -> list[float]:
    """The same run, watched: the accuracy on test digits 5 to 9 before the second stage and after every `every` steps of it."""
    _, high = digits.class_tasks(seed, ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9)))
    network, x_test, y_test = second_stage(source, seed), high.x_test, high.y_test - 5
    curve = [accuracy(network(x_test), y_test)]

    def watch(step: Step) -> None:
        if step.number % every == 0:
            curve.append(accuracy(network(x_test), y_test))

    train_stage(network, high.x_train[:labels], high.y_train[:labels] - 5, steps, watch)
    return curve


def second_stage(source: str, seed: int) -> nn.Sequential:
    """The network as the second stage finds it: what the first stage learned, with a fresh head unless it is kept."""
    network = copy.deepcopy(pretrained(source.removesuffix(", kept"), seed))
    if not source.endswith("kept"):
        network[-1] = _layer(WIDTH, CLASSES, 1000 + seed)
    return network


@cache
def pretrained(source: str, seed: int) -> nn.Sequential:
    """The network after its first stage, head included. Not to be changed: it is kept for the next who asks."""
    runtime.set_seed(seed)
    outputs = 64 if source == "hidden pixels" else CLASSES
    network = nn.Sequential(_layer(64, WIDTH, seed), nn.ReLU(), _layer(WIDTH, WIDTH, 100 + seed), nn.ReLU(),
                            _layer(WIDTH, outputs, 200 + seed))
    if source == "hidden pixels":
        guess_pixels(network, source_pictures(source, seed)[0], seed)
    elif source != "nothing":
        train_stage(network, *source_pictures(source, seed), SOURCE_STEPS)
    return network


def source_pictures(source: str, seed: int) -> tuple[Tensor, Tensor]:
    """What the first stage sees: pictures `(n, 64)` and labels `(n,)` from 0 to 4. None of them is a target picture."""
    low, high = digits.class_tasks(seed, ((0, 1, 2, 3, 4), (5, 6, 7, 8, 9)))
    x, y = high.x_train[PICTURES:], high.y_train[PICTURES:] - 5
    if source == "hidden pixels":
        return x, y  # the labels are not looked at
    if source == "same digits, noisy":
        generator = torch.Generator().manual_seed(seed)
        return x + 0.3 * torch.randn(x.shape, generator=generator), y
    if source == "wrong names":
        return x, (y + 1) % CLASSES
    return low.x_train, low.y_train


def guess_pixels(network: nn.Module, x: Tensor, seed: int) -> None:
    """The first stage that needs no label: of each picture half of the pixels are set to 0, and these are to be guessed.

    What masked words are for texts (chapter 01). Mean squared error on the hidden pixels only, 64 pictures a step.
    """
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for _ in range(GUESSING_STEPS):
        chosen = x[torch.randint(0, len(x), (64,), generator=generator)]
        batches.append((chosen, torch.rand(chosen.shape, generator=generator) < 0.5))

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        pictures, hidden = batch
        return (model(pictures * ~hidden) - pictures)[hidden].square().mean()

    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, fused=True)
    fit(network, batches, loss, optimizer, steps=GUESSING_STEPS, progress=False)


def train_stage(network: nn.Module, x: Tensor, y: Tensor, steps: int, *callbacks: Callable[[Step], None]) -> list[float]:
    """AdamW on as few batches of equal size as keep to 32 pictures each. Returns the losses."""
    parts = -(-len(x) // BATCH)
    batches = list(zip(x.tensor_split(parts), y.tensor_split(parts), strict=True))

    def loss(model: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(model(batch[0]), batch[1])

    optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, fused=True)
    return fit(network, batches, loss, optimizer, steps=steps, callbacks=callbacks, progress=False)


def _layer(d_in: int, d_out: int, seed: int) -> nn.Linear:
    """A fresh linear layer whose weights depend on `seed` alone."""
    runtime.set_seed(seed)
    return nn.Linear(d_in, d_out)
