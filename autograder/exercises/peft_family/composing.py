"""Exercises of chapter 09 on adapters together: their sum, and which methods leave no trace in the model's shape."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.peft_family as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- compose ----------------------------------------------------------------------------------------------------------

Triple = tuple[Tensor, Tensor, float]


def compose_cases(rng: np.random.Generator) -> list[Case]:
    def adapter(rank: int, scaling: float) -> Triple:
        return normal(rng, rank, 6), normal(rng, 5, rank), scaling

    return [
        Case("two adapters of rank 2", {"adapters": [adapter(2, 2.0), adapter(2, 0.5)], "weights": [0.6, 1.5]}, "equal"),
        Case("one adapter, weight 0.5", {"adapters": [adapter(3, 4.0)], "weights": [0.5]}, "equal"),
        Case("three of rank 2, one taken away", {"adapters": [adapter(2, 2.0), adapter(2, 1.5), adapter(2, 3.0)],
                                                 "weights": [1.0, -0.8, 0.3]}, "negative"),
        Case("ranks 1, 3 and 2", {"adapters": [adapter(1, 3.0), adapter(3, 2.0), adapter(2, 0.7)],
                                     "weights": [0.9, 0.4, 1.2]}, "ranks"),
    ]


def _sum(adapters: list[Triple], weights: list[float], *, scaled: bool = True, mean: bool = False, unsigned: bool = False,
         once: bool = False, squared: bool = False) -> Tensor:
    """The sum with one thing wrong, chosen by a keyword."""
    total = torch.zeros(len(adapters[0][1]), adapters[0][0].shape[1])
    for weight, (A, B, scaling) in zip(weights, adapters, strict=True):
        factor = (abs(weight) if unsigned else weight) * (scaling if scaled else 1)
        factor = adapters[0][2] * weight if once else factor * abs(factor) if squared else factor
        total = total + factor * B @ A
    return total / sum(weights) if mean else total


def _added_factors(adapters: list[Triple], weights: list[float]) -> Tensor:
    rank = max(len(A) for A, _, _ in adapters)
    sum_A, sum_B = torch.zeros(rank, adapters[0][0].shape[1]), torch.zeros(len(adapters[0][1]), rank)
    for weight, (A, B, scaling) in zip(weights, adapters, strict=True):
        root = math.sqrt(abs(weight * scaling))
        sum_A[: len(A)] += math.copysign(root, weight) * A
        sum_B[:, : len(A)] += root * B
    return sum_B @ sum_A


def _wrong(**how: Any) -> Any:
    return lambda **inputs: _sum(**inputs, **how)


compose = Exercise(
    id="peft_family.compose",
    answer=answers.peft_family_compose,
    cases=compose_cases,
    keeps_inputs=True,
    parts=[Part("equal ranks", 1, on="equal"), Part("a negative weight", 1, on="negative"), Part("unequal ranks", 1, on="ranks")],
    misconceptions=[
        Misconception("added_factors", _added_factors,
                      "You added the factors and multiplied then. That makes cross terms B_i A_j which no adapter was trained "
                      "for: peft's combination type \"linear\". Multiply first, and add the updates."),
        Misconception("no_scaling", _wrong(scaled=False), "The scaling of each adapter is missing: its update is scaling · B A."),
        Misconception("normalised", _wrong(mean=True),
                      "You divided by the sum of the weights. They are what they are, and may be negative: their sum can even "
                      "be zero."),
        Misconception("unsigned", _wrong(unsigned=True), earns=2,
                      says="A negative weight takes an adapter away. You dropped the sign."),
        Misconception("one_scaling", _wrong(once=True), "You used the first adapter's scaling for all of them."),
        Misconception("weights_squared", _wrong(squared=True),
                      "The weight and the scaling stand on both factors, so they act squared."),
    ],
)

# --- predict_merging --------------------------------------------------------------------------------------------------

METHODS = ("lora", "dora", "adalora", "vera", "ia3", "adapter", "prefix", "prompt")
LINEAR = ("lora", "adalora", "vera")


def predict_merging_cases(rng: np.random.Generator) -> list[Case]:
    group = {"adapter": "detours", "prefix": "places", "prompt": "places"}
    return [Case(name, {"method": name}, group.get(name, "weights")) for name in METHODS]


def _believes(*merging: str) -> Any:
    return lambda method: "merges" if method in merging else "stays"


predict_merging = Exercise(
    id="peft_family.predict_merging",
    answer=answers.peft_family_predict_merging,
    cases=predict_merging_cases,
    parts=[Part("what changes a weight", 1, on="weights"), Part("what stands behind a layer", 1, on="detours"),
           Part("what stands before the text", 1, on="places")],
    misconceptions=[
        Misconception("everything", _believes(*METHODS), earns=1,
                      says="You let everything merge. Behind an adapter's ReLU no single matrix does the same, and keys or "
                           "vectors in front of the text are no weights at all."),
        Misconception("nothing_but_lora", _believes("lora"), earns=2,
                      says="Whatever makes the layer compute W' x for some W' can be merged: a product of more factors, rows "
                           "that are scaled or brought to a length. Only LoRA is too few."),
        Misconception("adapters_too", _believes(*LINEAR, "dora", "ia3", "adapter"), earns=2,
                      says="An adapter is not linear: its ReLU lets through another part of its input each time. No matrix does "
                           "that."),
        Misconception("not_dora", _believes(*LINEAR, "ia3"), earns=2,
                      says="DoRA's norm is not linear in A and B, but it does not depend on x: for trained A, B and m it is one "
                           "fixed number for each row. So it merges."),
        Misconception("not_ia3", _believes(*LINEAR, "dora"), earns=2,
                      says="Scaling outputs is scaling rows of W, and of the bias; scaling inputs is scaling columns. (IA)³ "
                           "merges."),
        Misconception("only_sums", _believes(*LINEAR), earns=2,
                      says="You let only what is *added* to W merge. DoRA and (IA)³ multiply rows, and W x with other rows is a "
                           "layer too."),
        Misconception("places_too", _believes(*LINEAR, "dora", "ia3", "prefix", "prompt"), earns=2,
                      says="A prefix or a prompt is no weight: it has to be there, in every layer's keys or before the text, "
                           "each time that the model runs."),
    ],
)
