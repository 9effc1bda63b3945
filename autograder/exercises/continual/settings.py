"""Exercise of chapter 05 on a recipe whose numbers do not fit together."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import solutions.continual as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part


def recipe_cases(rng: np.random.Generator) -> list[Case]:
    def case(group: str, *values: int) -> Case:
        names = ("examples", "batch", "epochs", "warmup_steps", "evaluations_per_epoch", "patience")
        inputs = dict(zip(names, values, strict=True))
        return Case(", ".join(f"{name} {value}" for name, value in inputs.items()), inputs, group)

    examples = 50 * integer(rng, 10, 20) + integer(rng, 1, 15)  # an epoch ends in a batch less than a third full
    epochs, patience = integer(rng, 2, 4), integer(rng, 1, 3)
    return [
        case("main", 1000, 32, 3, 100, 1, 3),
        case("main", examples, 50, epochs, 10, integer(rng, 2, 4), patience),
        case("main", 1000, 50, 2, 40, 2, 3),  # the warm-up ends with the training
        case("no warm-up", examples, 50, epochs, 0, 1, epochs),
    ]


def _numbers(examples: int, batch: int, epochs: int, warmup_steps: int, evaluations_per_epoch: int, patience: int, *,
             count: Any = lambda n, b, e: e * math.ceil(n / b), last: int = 1, cap: bool = True, mark: int = 1,
             per_epoch: bool = True) -> tuple[int, float, int]:
    """The answer with one thing wrong, chosen by a keyword."""
    steps = count(examples, batch, epochs)
    peak = (steps - last) / warmup_steps if warmup_steps else 1.0
    evaluations = epochs * evaluations_per_epoch if per_epoch else epochs
    return steps, min(1.0, peak) if cap else peak, evaluations - (mark + patience)


def _wrong(**how: Any) -> Any:
    return lambda **inputs: _numbers(**inputs, **how)


recipe_problems = Exercise(
    id="continual.recipe_problems",
    answer=answers.continual_recipe_problems,
    cases=recipe_cases,
    parts=[
        Part("steps", 1, of=0, on="main"),
        Part("peak", 1, of=1, on="main"),
        Part("spare evaluations", 1, of=2, on="main"),
        Part("no warm-up", 1, on="no warm-up"),
    ],
    misconceptions=[
        Misconception(
            "last_batch_dropped", _wrong(count=lambda n, b, e: e * (n // b)), earns=1,
            says="You rounded the batches of an epoch down. The last, smaller batch makes a step too, unless drop_last is set.",
        ),
        Misconception(
            "rounded_once", _wrong(count=lambda n, b, e: math.ceil(e * n / b)), earns=1,
            says="You rounded once for the whole training. Every epoch ends with a smaller batch of its own, so round up first "
            "and multiply then.",
        ),
        Misconception(
            "one_epoch", _wrong(count=lambda n, b, e: math.ceil(n / b)), earns=1,
            says="These are the steps of one epoch. The warm-up runs over the whole training.",
        ),
        Misconception(
            "counted_from_one", _wrong(last=0), earns=3,
            says="You took the last step's number to be `steps`. Steps are counted from 0, so the last one is steps − 1: a "
            "warm-up as long as the training never gets to its end.",
        ),
        Misconception(
            "not_capped", _wrong(cap=False), earns=3,
            says="Your peak goes beyond 1. After the warm-up the learning rate is the full one and rises no further.",
        ),
        Misconception(
            "first_evaluation_counted", _wrong(mark=0), earns=2,
            says="You let early stopping fire after `patience` evaluations. The first evaluation only sets the mark to beat, so "
            "it needs one more.",
        ),
        Misconception(
            "one_evaluation_per_epoch", _wrong(per_epoch=False), earns=3,
            says="You counted one evaluation in each epoch. There are `evaluations_per_epoch`.",
        ),
    ],
)
