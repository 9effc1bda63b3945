"""Exercise of chapter 10 that runs: levels of the student's own, tried on weights that were held back."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.qlora as answers
from autograder.asking.probes import qlora as probes
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.measures import qlora as measures

# --- fit_levels -------------------------------------------------------------------------------------------------------


def fit_levels_cases(rng: np.random.Generator) -> list[Case]:
    """Weights from a lopsided source, and from one with heavy tails: what NF4 was not made for."""

    def lopsided(n: int) -> Tensor:
        return torch.where(torch.from_numpy(rng.random(n)) < 0.7, 0.25 * normal(rng, n) - 0.2, 0.2 * normal(rng, n) + 1.0)

    def heavy(n: int) -> Tensor:
        return normal(rng, n) / (normal(rng, n, 3).square().mean(1)).sqrt()  # Student's t with 3 degrees of freedom

    def case(label: str, source: Any, group: str) -> Case:
        nf4 = answers.qlora_nf4_levels().float()
        return Case(label, {"weights": source(64 * 300), "block_size": 64, "count": 16}, group,
                    held={"weights": source(64 * 300), "block_size": 64, "nf4": nf4})

    return [case("lopsided weights", lopsided, "lopsided"), case("weights with heavy tails", heavy, "heavy")]


def _quantiles(weights: Tensor, block_size: int, count: int) -> Tensor:
    blocks = weights.reshape(-1, block_size)
    ratio = (blocks / blocks.abs().amax(1, keepdim=True)).reshape(-1)
    return torch.quantile(ratio, (torch.arange(count) + 0.5) / count)


def _few_rounds(weights: Tensor, block_size: int, count: int) -> Tensor:
    """Lloyd's iteration on the quotients, broken off before the levels stand still."""
    blocks = weights.reshape(-1, block_size)
    ratio = (blocks / blocks.abs().amax(1, keepdim=True)).reshape(-1)
    levels = _quantiles(weights, block_size, count)
    for _ in range(4):
        near = torch.bucketize(ratio, (levels[1:] + levels[:-1]) / 2)
        n = torch.bincount(near, minlength=count)
        levels = torch.where(n > 0, torch.zeros(count).index_add_(0, near, ratio) / n.clamp_min(1), levels)
    return levels


def _raw(weights: Tensor, block_size: int, count: int) -> Tensor:
    """Lloyd's iteration on the weights as they are, without dividing blocks by their constants; scaled in the end."""
    levels = torch.quantile(weights, (torch.arange(count) + 0.5) / count)
    for _ in range(60):
        near = torch.bucketize(weights, (levels[1:] + levels[:-1]) / 2)
        n = torch.bincount(near, minlength=count)
        levels = torch.where(n > 0, torch.zeros(count).index_add_(0, near, weights) / n.clamp_min(1), levels)
    return (levels / weights.abs().max()).sort().values


LOPSIDED = (
    "On lopsided weights your levels lose no less than NF4 does. Divide the sample's blocks by their constants first, as "
    "quantising "
    "will; then move each level to the mean of what is nearest to it, many times."
)
HEAVY = (
    "On weights with heavy tails your levels are no better than NF4. Equal use of the codes is not the aim, and a start from "
    "quantiles "
    "needs many rounds until its outer levels have found their place: go on until nothing moves."
)
ORDER = "The levels have to rise, from -1 to 1 at most."

fit_levels = Exercise(
    id="qlora.fit_levels",
    answer=answers.qlora_fit_levels,
    probe=probes.fit,
    cases=fit_levels_cases,
    expected=lambda weights, block_size, count: torch.zeros(count),
    parts=[
        Part("order", 1, measure=measures.out_of_order, at_most=1e-6, says=ORDER),
        Part("error beside NF4, lopsided", 2, on="lopsided", measure=measures.beside_nf4, at_most=0.6, says=LOPSIDED),
        Part("error beside NF4, heavy tails", 2, on="heavy", measure=measures.beside_nf4, at_most=0.9, says=HEAVY),
    ],
    misconceptions=[
        Misconception("nf4_again", lambda weights, block_size, count: answers.qlora_nf4_levels().float(), LOPSIDED, earns=1),
        Misconception("linear", lambda weights, block_size, count: torch.linspace(-1, 1, count), LOPSIDED, earns=1),
        Misconception("not_divided_by_the_constants", _raw, LOPSIDED, earns=1),
        Misconception("quantiles", _quantiles, LOPSIDED, earns=1),
        Misconception("a_few_rounds", _few_rounds, HEAVY, earns=3),
        Misconception("falling", lambda **inputs: answers.qlora_fit_levels(**inputs).flip(0), ORDER, earns=4),
    ],
    seconds=10.0,
)
