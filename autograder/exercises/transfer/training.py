"""Exercises of chapter 02 in which something is trained: adapting a network, and gradual unfreezing put right."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import solutions.transfer as answers
from autograder.asking.probes import transfer as probing
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.measures import transfer as measures

# --- adapt ------------------------------------------------------------------------------------------------------------

NUMBERS, COLOUR, SHAPES, EXAMPLES, TESTS = 12, 2, 3, 150, 400


def _pretrained(rng: np.random.Generator) -> tuple[np.ndarray, list[Tensor]]:
    """Three directions, and a network that says along which of them a row is longest: what a first stage would have learned.

    It is written down and not trained, so that drawing costs nothing: |w x| = relu(w x) + relu(-w x), among units with small
    random weights. The colour has no weight in the first layer, for it was always 0.
    """
    directions = np.linalg.qr(rng.standard_normal((NUMBERS, NUMBERS)))[0][:SHAPES]
    first, second, third = (0.08 * rng.standard_normal(size) for size in ((48, NUMBERS + COLOUR), (24, 48), (SHAPES, 24)))
    first[:, NUMBERS:] = 0
    first[: 2 * SHAPES, :NUMBERS] += np.concatenate([directions, -directions])
    for j in range(SHAPES):
        second[j, [j, SHAPES + j]] += 1
        third[j, j] += 3
    return directions, [torch.from_numpy(weight).float() for weight in (first, second, third)]


def _rows(rng: np.random.Generator, directions: np.ndarray, n: int) -> tuple[Tensor, Tensor]:
    """`n` rows with a clear shape and a colour, and their labels: twice the shape plus the colour."""
    numbers = rng.standard_normal((8 * n, NUMBERS))
    length = np.sort(np.abs(numbers @ directions.T), axis=1)
    numbers = numbers[length[:, -1] - length[:, -2] > 0.3][:n]
    colour = rng.choice([-1.0, 1.0], (n, 1)) + 0.4 * rng.standard_normal((n, COLOUR))
    labels = 2 * np.abs(numbers @ directions.T).argmax(1) + (colour.sum(1) > 0)
    return torch.from_numpy(np.concatenate([numbers, colour], 1)).float(), torch.from_numpy(labels)


def adapt_cases(rng: np.random.Generator) -> list[Case]:
    directions, weights = _pretrained(rng)
    (x, y), (x_test, labels) = _rows(rng, directions, EXAMPLES), _rows(rng, directions, TESTS)
    inputs = {"weights": weights, "x": x, "y": y, "classes": 2 * SHAPES, "x_test": x_test}
    return [Case(f"{EXAMPLES} labelled rows", inputs, held={"labels": labels})]


def _trained(network: nn.Sequential, x: Tensor, y: Tensor, parameters: Any, lr: float, steps: int) -> nn.Sequential:
    optimizer = torch.optim.AdamW(parameters, lr=lr)
    for _ in range(steps):
        optimizer.zero_grad()
        F.cross_entropy(network(x), y).backward()
        optimizer.step()
    return network


def _with_head(network: nn.Sequential, classes: int) -> nn.Sequential:
    return nn.Sequential(*network[:-1], nn.Linear(network[-1].in_features, classes))


def from_scratch(network: nn.Sequential, x: Tensor, y: Tensor, classes: int) -> nn.Module:
    fresh = _with_head(network, classes)
    for module in fresh[::2]:
        module.reset_parameters()
    return _trained(fresh, x, y, fresh.parameters(), 3e-3, 200)


def head_alone(network: nn.Sequential, x: Tensor, y: Tensor, classes: int) -> nn.Module:
    new = _with_head(network, classes)
    return _trained(new, x, y, new[-1].parameters(), 3e-2, 200)


def at_a_huge_rate(network: nn.Sequential, x: Tensor, y: Tensor, classes: int) -> nn.Module:
    new = _with_head(network, classes)
    return _trained(new, x, y, new.parameters(), 1.0, 100)


def too_few_steps(network: nn.Sequential, x: Tensor, y: Tensor, classes: int) -> nn.Module:
    new = _with_head(network, classes)
    return _trained(new, x, y, new.parameters(), 1e-3, 10)


SHAPE_LOST = (
    "The shapes, which the pretrained network knew, are not told apart. Either it was not used; or steps that were too large, or "
    "a head that still pointed anywhere, destroyed what it knew; or there were too few steps to connect the head to it."
)
COLOUR_MISSED = (
    "The colours are not told apart. Nothing in the pretrained network looks at them, so a head on frozen features cannot see "
    "them: the first layer has to learn as well."
)

# Over 40 draws: see tests/courselib/transfer/test_adapting.py, which holds the margins.
adapt = Exercise(
    id="transfer.adapt",
    answer=answers.transfer_adapt,
    probe=probing.adapt,
    cases=adapt_cases,
    expected=lambda weights, x, y, classes, x_test: torch.zeros(len(x_test), classes),
    parts=[
        Part("shapes, known before", 2, measure=measures.shape_accuracy, at_least=0.84, says=SHAPE_LOST),
        Part("colours, new", 2, measure=measures.colour_accuracy, at_least=0.85, says=COLOUR_MISSED),
    ],
    misconceptions=[
        Misconception("scratch", from_scratch, SHAPE_LOST, earns=2),
        Misconception("head_alone", head_alone, COLOUR_MISSED, earns=2),
        Misconception("huge_rate", at_a_huge_rate, SHAPE_LOST),
        Misconception("too_few_steps", too_few_steps, SHAPE_LOST),
    ],
    seconds=20.0,  # of which a first optimizer in a process takes seconds to import
)

# --- thaw -------------------------------------------------------------------------------------------------------------


def thaw_cases(rng: np.random.Generator) -> list[Case]:
    def case(sizes: tuple[int, ...], every: int, steps: int, free: bool) -> Case:
        weights = [normal(rng, after, before, scale=before**-0.5) for before, after in zip(sizes, sizes[1:], strict=False)]
        inputs = {"weights": weights, "x": normal(rng, 9, sizes[0]), "y": torch.arange(9) % sizes[-1], "lr": 0.5, "every": every,
                  "steps": steps, "free": free}
        how = "everything free at first" if free else "all but the head frozen at first"
        return Case(f"{len(weights)} layers, every {every} steps, {steps} steps, {how}", inputs)

    return [case((5, 6, 4, 3), 2, integer(rng, 6, 7), False), case((4, 5, 3), 3, integer(rng, 5, 6), True)]


def _thaw(free_at: Callable[[int, int], int], bottom: bool = False) -> Callable:
    """The answer with another number of free layers in step `step`, or from the other end."""

    def wrong(network: nn.Sequential, x: Tensor, y: Tensor, lr: float, every: int, steps: int) -> nn.Sequential:
        network.requires_grad_(True)
        layers = [module for module in network if isinstance(module, nn.Linear)][::-1]
        order = [layers[0], *layers[:0:-1]] if bottom else layers
        for step in range(steps):
            network.zero_grad()
            F.cross_entropy(network(x), y).backward()
            with torch.no_grad():
                for layer in order[: max(1, free_at(step, every))]:
                    for parameter in layer.parameters():
                        parameter -= lr * parameter.grad
        return network

    return wrong


thaw = Exercise(
    id="transfer.thaw",
    answer=answers.transfer_thaw,
    probe=probing.thaw,
    cases=thaw_cases,
    tolerance=1e-4,
    parts=[Part("weights of all layers", 3)],
    misconceptions=[
        Misconception(
            "optimizer_of_the_head", _thaw(lambda step, every: 1),
            "Only the head has moved. An optimizer that is made over what is trainable at the start never hears of what is set "
            "free later.",
        ),
        Misconception(
            "one_early", _thaw(lambda step, every: 1 + (step + 1) // every if step else 1),
            "A layer is set free one step too early. The first `every` steps belong to the head alone.",
        ),
        Misconception(
            "at_once", _thaw(lambda step, every: 2 + step // every),
            "The first layer below the head is free from the first step on: step 0 is a multiple of `every` too.",
        ),
        Misconception(
            "one_late", _thaw(lambda step, every: 1 + max(0, step - 1) // every),
            "A layer is set free one step too late: after `every` steps, counted from 0, the next step already trains it.",
        ),
        Misconception(
            "from_the_bottom", _thaw(lambda step, every: 1 + step // every, bottom=True),
            "You set the lowest layer free first. The uppermost comes first, next to the head.",
        ),
        Misconception(
            "all_at_once", _thaw(lambda step, every: 99),
            "Everything is trained from the first step: requires_grad was left as it came, or the freezing comes too late.",
        ),
    ],
)
