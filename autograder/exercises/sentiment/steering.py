"""Exercises of chapter 02b on steering a training: early stopping that comes back, accumulated gradients."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

import solutions.sentiment as answers
from autograder.asking.probes import sentiment as probing
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.measures import sentiment as measures

# --- keep_best --------------------------------------------------------------------------------------------------------

TEXTS, NUMBERS, WRONG, PATIENCE, MOST = 96, 24, 0.2, 12, 90


def keep_best_cases(rng: np.random.Generator) -> list[Case]:
    direction = rng.standard_normal(NUMBERS)

    def rows(n: int, wrong: float) -> tuple[Tensor, Tensor]:
        x = rng.standard_normal((n, NUMBERS))
        right = x @ direction > 0
        return torch.from_numpy(x).float(), torch.from_numpy(np.where(rng.random(n) < wrong, ~right, right).astype(np.int64))

    (x, y), (x_val, y_val), (x_test, labels) = rows(TEXTS, WRONG), rows(200, 0.0), rows(400, 0.0)
    inputs = {"x": x, "y": y, "x_val": x_val, "y_val": y_val, "x_test": x_test, "seed": integer(rng, 0, 10_000),
              "patience": PATIENCE, "most": MOST}
    return [Case("a training set with wrong labels", inputs, held={"labels": labels, "patience": PATIENCE})]


def _steered(stop: Callable[[int, int], bool], *, restore: bool = True, alias: bool = False) -> Callable:
    """Early stopping that ends when `stop(epochs without a better one, patience)`, and keeps the best weights or does not."""

    def wrong(model: nn.Module, train_epoch: Callable, validate: Callable, patience: int, most: int) -> nn.Module:
        lowest, waited, kept = math.inf, 0, {}
        for _ in range(most):
            train_epoch()
            loss = validate()
            waited += 1
            if loss < lowest:
                lowest, waited = loss, 0
                kept = model.state_dict() if alias else copy.deepcopy(model.state_dict())
            if stop(waited, patience):
                break
        if restore:
            model.load_state_dict(kept)
        return model

    return wrong


NOT_STOPPED = (
    "It did not stop where it should: after `patience` epochs in a row without a lower validation loss than the lowest so far. "
    "Count from 0 again at every new lowest, and never at less."
)
NOT_BACK = (
    "What you return is hardly better than the network after the last epoch. Copy the weights at every new "
    "lowest loss, and load them "
    "at the end; model.state_dict() alone is no copy: its tensors go on changing with the model."
)
NOT_THE_BEST = "You returned weights whose validation loss was not the lowest."

# Over 40 draws the share of the last epoch's test loss is 0.59 to 0.93 for the model answer, and 1 without the best weights.
keep_best = Exercise(
    id="sentiment.keep_best",
    answer=answers.transfer_keep_best,
    probe=probing.keep_best,
    cases=keep_best_cases,
    expected=lambda x, y, x_val, y_val, x_test, seed, patience, most: (
        torch.zeros(len(x_test), 2), torch.zeros(len(x_test), 2), torch.zeros(3)),
    parts=[
        Part("stops in time", 1, measure=measures.waited_beyond, at_most=0.5, says=NOT_STOPPED),
        Part("better than the last epoch, on new rows", 2, measure=measures.loss_against_the_last, at_most=0.97, says=NOT_BACK),
        Part("the best of all", 1, measure=measures.above_the_best, at_most=0.001, says=NOT_THE_BEST),
    ],
    misconceptions=[
        Misconception("last_weights", _steered(lambda waited, patience: waited == patience, restore=False), NOT_BACK, earns=1),
        Misconception("no_copy", _steered(lambda waited, patience: waited == patience, alias=True), NOT_BACK, earns=1),
        Misconception("never_stops", _steered(lambda waited, patience: False), NOT_STOPPED, earns=3),
        Misconception("one_late", _steered(lambda waited, patience: waited > patience), NOT_STOPPED, earns=3),
    ],
    seconds=20.0,  # of which a first optimizer in a process takes seconds to import
)

# --- accumulate -------------------------------------------------------------------------------------------------------


def accumulate_cases(rng: np.random.Generator) -> list[Case]:
    def case(sizes: list[int], every: int, group: str) -> Case:
        gradients = [normal(rng, 4) for _ in sizes]
        return Case(f"{len(sizes)} small batches of {sizes}, a step every {every}", {"gradients": gradients, "sizes": sizes,
                                                                                     "every": every}, group)

    a, b = integer(rng, 5, 9), integer(rng, 1, 3)
    return [case([8, 8, a, b], 2, "whole"), case([6, b, 9], 3, "whole"), case([8, a, 8, b, 4], 2, "rest"),
            case([a, 8, b, 7], 3, "rest")]


def _accumulated(gradients: list[Tensor], sizes: list[int], every: int, *, weigh: str = "examples", rest: str = "own",
                 carry: bool = False) -> list[Tensor]:
    steps, before = [], torch.zeros_like(gradients[0])
    for first in range(0, len(gradients), every):
        part, counts = gradients[first : first + every], sizes[first : first + every]
        if rest == "dropped" and len(part) < every:
            break
        if weigh == "examples":
            total = sum(g * n for g, n in zip(part, counts, strict=True)) / sum(counts)
        else:
            total = sum(part) / {"mean": every if rest == "by every" else len(part), "sum": 1}[weigh]
        before = before + total if carry else total
        steps.append(before)
    return steps


def _wrongly(**how: Any) -> Callable:
    return lambda gradients, sizes, every: _accumulated(gradients, sizes, every, **how)


accumulate = Exercise(
    id="sentiment.accumulate",
    answer=answers.transfer_accumulate,
    cases=accumulate_cases,
    parts=[Part("as many steps as are due", 1, shape_only=True), Part("groups that come out even", 2, on="whole"),
           Part("a last group that is smaller", 1, on="rest")],
    misconceptions=[
        Misconception(
            "mean_of_means", _wrongly(weigh="mean"), earns=1,
            says="You averaged the means. A batch of two examples then counts as much as one of eight, so each of its examples "
            "counts four times. Weigh each gradient by its number of examples.",
        ),
        Misconception(
            "sum", _wrongly(weigh="sum"), earns=1,
            says="You added the gradients up. Each is a mean already; their sum is `every` times too long, as if "
            "the learning rate were.",
        ),
        Misconception(
            "divided_by_every", _wrongly(weigh="mean", rest="by every"), earns=1,
            says="You divide by `every`, as loss / every does in many scripts: right only if all small batches "
            "are equally large, and the "
            "last group is whole.",
        ),
        Misconception(
            "rest_dropped", _wrongly(rest="dropped"), earns=2,
            says="The last group is smaller than `every`, and you dropped it. Its examples would never be learned from.",
        ),
        Misconception(
            "not_emptied", _wrongly(carry=True), earns=1,
            says="Your gradients grow from step to step: what was used has to be emptied (zero_grad) before the next group.",
        ),
    ],
)
