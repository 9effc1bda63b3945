"""Exercises of chapter 10 on levels: Lloyd's iteration and the construction of NF4."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.qlora as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- lloyd_max_step ---------------------------------------------------------------------------------------------------


def _apart(samples: Tensor, levels: Tensor, least: float = 0.02) -> Tensor:
    """The samples that are not close to the middle of two levels: rounding must not decide where one goes."""
    middle = (levels[1:] + levels[:-1]) / 2
    return samples[(samples[:, None] - middle).abs().amin(1) > least]


def lloyd_max_step_cases(rng: np.random.Generator) -> list[Case]:
    uneven = torch.tensor([-1.5, -0.4, 0.3, 1.1]) + 0.1 * normal(rng, 4)
    far = torch.tensor([-3.0, -0.5, 0.5, 40.0])
    samples = torch.cat([normal(rng, 60).square() - 1, uneven + 0.05, uneven + 0.1])  # lopsided: mean and median differ
    return [
        Case("4 levels, some 50 lopsided samples", {"levels": uneven, "samples": _apart(samples, uneven)}, "cells"),
        Case("a level that nothing is nearest to", {"levels": far, "samples": _apart(1.5 * normal(rng, 40), far)}, "empty"),
    ]


def _step(levels: Tensor, samples: Tensor, *, mean: Any = torch.mean, empty: str = "stays", below: bool = False) -> Tensor:
    """The step with one thing wrong, chosen by a keyword."""
    if below:
        nearest = (torch.bucketize(samples, levels) - 1).clamp(0, len(levels) - 1)
    else:
        nearest = torch.bucketize(samples, (levels[1:] + levels[:-1]) / 2)
    out = []
    for place, level in enumerate(levels):
        mine = samples[nearest == place]
        missing = {"stays": level, "zero": torch.tensor(0.0), "nan": torch.tensor(float("nan"))}[empty]
        out.append(mean(mine) if len(mine) else missing)
    return torch.stack(out)


def midpoints(levels: Tensor, samples: Tensor) -> Tensor:
    edges = torch.cat([samples.min()[None], (levels[1:] + levels[:-1]) / 2, samples.max()[None]])
    return (edges[1:] + edges[:-1]) / 2


lloyd_max_step = Exercise(
    id="qlora.lloyd_max_step",
    answer=answers.qlora_lloyd_max_step,
    cases=lloyd_max_step_cases,
    parts=[Part("shape", 1, shape_only=True), Part("means of the cells", 2, on="cells"), Part("an empty cell", 1, on="empty")],
    misconceptions=[
        Misconception(
            "median", lambda levels, samples: _step(levels, samples, mean=torch.median), earns=1,
            says="You took the median of each cell. That minimises the sum of absolute errors; for squared errors it is the "
            "mean.",
        ),
        Misconception(
            "empty_to_zero", lambda levels, samples: _step(levels, samples, empty="zero"), earns=3,
            says="The full cells are right. A level that no sample is nearest to went to 0; it should stay where it is.",
        ),
        Misconception(
            "empty_to_nan", lambda levels, samples: _step(levels, samples, empty="nan"), earns=3,
            says="The full cells are right. The mean of an empty cell is 0/0, so that level became nan; it should stay where it "
            "is.",
        ),
        Misconception(
            "sum_of_the_cell", lambda levels, samples: _step(levels, samples, mean=torch.sum), earns=1,
            says="These are the sums of the cells. Divide each by the number of its samples.",
        ),
        Misconception(
            "next_below", lambda levels, samples: _step(levels, samples, below=True), earns=1,
            says="You gave each sample to the level below it. Nearest means: the border between two levels is half way between "
            "them.",
        ),
        Misconception(
            "middles_of_cells", midpoints, earns=1,
            says="You moved each level to the middle of its cell. It belongs where the samples are: at their mean.",
        ),
    ],
)

# --- nf4_levels -------------------------------------------------------------------------------------------------------

D = 0.9677083


def _quantiles(points: int, most: float = D) -> Tensor:
    return torch.special.ndtri(torch.linspace(most, 0.5, points, dtype=torch.float64)[:-1])


def _nf4(*, above: int = 9, below: int = 8, scaled: bool = True, most: float = D) -> Tensor:
    levels = torch.cat([-_quantiles(below, most), torch.zeros(1, dtype=torch.float64), _quantiles(above, most)]).sort().values
    return levels / levels.abs().max() if scaled else levels


def symmetric() -> Tensor:
    levels = torch.special.ndtri(torch.linspace(1 - D, D, 16, dtype=torch.float64))
    return levels / levels.max()


def unsorted() -> Tensor:
    levels = torch.cat([_quantiles(9), torch.zeros(1, dtype=torch.float64), -_quantiles(8)])
    return levels / levels.max()


def medians() -> Tensor:
    levels = torch.special.ndtri((torch.arange(16, dtype=torch.float64) + 0.5) / 16)
    return levels / levels.max()


nf4_levels = Exercise(
    id="qlora.nf4_levels",
    answer=answers.qlora_nf4_levels,
    cases=lambda rng: [Case("the sixteen levels", {})],
    parts=[Part("shape", 1, shape_only=True), Part("values", 3)],
    misconceptions=[
        Misconception(
            "symmetric", symmetric, earns=1,
            says="These are sixteen quantiles at equal distances from 1 - d to d. They are symmetric, so none of them is 0. NF4 "
            "makes "
            "its two halves apart, and puts a 0 between them.",
        ),
        Misconception(
            "halves_exchanged", lambda: _nf4(above=8, below=9), earns=1,
            says="You have eight negative levels and seven positive ones. NF4 has it the other way about.",
        ),
        Misconception(
            "not_scaled", lambda: _nf4(scaled=False), earns=1,
            says="These are the quantiles themselves. Divide all of them by the largest, so that the levels end at -1 and 1.",
        ),
        Misconception(
            "linear", lambda: torch.linspace(-1, 1, 16), earns=1,
            says="These are sixteen levels at equal distances. In NF4 the *probabilities* have equal distances.",
        ),
        Misconception(
            "unsorted", unsorted, earns=1,
            says="These are the right numbers, and they do not rise: a code is a place, so the order is part of the format.",
        ),
        Misconception(
            "medians", medians, earns=1,
            says="These are the medians of sixteen cells of equal probability. NF4 is made otherwise: from d to 1/2, each half "
            "apart.",
        ),
    ],
)
