"""Exercise of chapter 05 that trains: a step that rehearses, with a bounded memory, through a stream of tasks."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import solutions.continual as answers
from autograder.asking.probes import continual as probing
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.measures import continual as measures
from courselib.lab.data.digits import class_tasks

HIDDEN, RATE, KEPT, BATCH, STEPS, PAIRS = 48, 0.02, 60, 16, 50, ((0, 1), (2, 3), (4, 5))  # STEPS a task


def rehearse_cases(rng: np.random.Generator) -> list[Case]:
    """Three tasks of two digits, one after another, one head of ten answers; the labels of no test picture go in."""
    seed = integer(rng, 0, 2**31 - 1)
    tasks = class_tasks(seed, PAIRS)
    order, begin = [], 0
    for task in tasks:
        numbers = np.concatenate([rng.permutation(len(task.x_train)) for _ in range(1 + STEPS * BATCH // len(task.x_train))])
        order.append(begin + numbers[: STEPS * BATCH].reshape(STEPS, BATCH))
        begin += len(task.x_train)
    weights = [normal(rng, *shape, scale=width**-0.5) for shape, width in
               [((HIDDEN, 64), 64), ((HIDDEN,), 64), ((10, HIDDEN), HIDDEN), ((10,), HIDDEN)]]  # fmt: skip
    inputs = {"weights": weights, "x": torch.cat([t.x_train for t in tasks]), "y": torch.cat([t.y_train for t in tasks])}
    inputs |= {"order": torch.from_numpy(np.concatenate(order)), "capacity": KEPT, "lr": RATE, "seed": seed}
    inputs |= {"ask": tuple(t.x_test for t in tasks)}
    return [Case("0 or 1, then 2 or 3, then 4 or 5", inputs, held={"y": tuple(t.y_test.numpy() for t in tasks)})]


def _strategy(keep: Any, new: bool = True, old: bool = True) -> Any:
    """A step with a rule for the memory; with or without the new batch, with or without a rehearsal."""

    def step(model: nn.Module, optimizer: Any, x: Tensor, y: Tensor, memory: list, capacity: int, seen: int, rng: Any) -> None:
        terms = [F.cross_entropy(model(x), y)] if new or not memory else []
        if memory and old:
            terms.append(F.cross_entropy(model(torch.stack([a for a, _ in memory])), torch.stack([b for _, b in memory])))
        optimizer.zero_grad()
        sum(terms).backward()
        optimizer.step()
        for example in zip(x, y, strict=True):
            keep(memory, example, capacity)

    return step


def _queue(memory: list, example: tuple, capacity: int) -> None:
    memory.append(example)
    del memory[:-capacity]


def _first(memory: list, example: tuple, capacity: int) -> None:
    if len(memory) < capacity:
        memory.append(example)


OLD_LOST = (
    "An old task is lost. Every step has to rehearse: old examples beside the new ones, in one loss. And the memory has to "
    "hold some of *every* task gone by, although nobody says where one ends: what of the stream does a queue hold, what does "
    "first come, first served, and what a reservoir?"
)
NEW_LOST = "The newest task is not learned: the batch that has just come belongs into the loss as well."
# Over 40 seeds the model answer has 0.74 to 0.94 on the worst old task and 0.96 to 1.00 on the newest; every weak strategy has
# 0.00 on the one, or on both.

rehearse = Exercise(
    id="continual.rehearse",
    answer=answers.continual_rehearse,
    cases=rehearse_cases,
    probe=probing.through_a_stream,
    expected=lambda **inputs: tuple(torch.zeros(len(x), dtype=torch.int64) for x in inputs["ask"]),
    parts=[
        Part("worst of the old tasks", 3, measure=measures.worst_old, at_least=0.5, says=OLD_LOST),
        Part("newest task", 1, measure=measures.newest, at_least=0.8, says=NEW_LOST),
    ],
    misconceptions=[
        Misconception("never_rehearses", _strategy(_first, old=False), OLD_LOST, earns=1),
        Misconception("queue", _strategy(_queue), OLD_LOST, earns=1),
        Misconception("first_come", _strategy(_first), OLD_LOST, earns=1),
        Misconception("rehearses_only", _strategy(_first, new=False), OLD_LOST, earns=0),
    ],
    seconds=20.0,  # the first optimizer of a process alone takes one: torch imports its compiler for it
)
