"""Exercises of chapter 11 on noise: how much there is, how it is put in, and what is left when it is taken out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.dreambooth as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- alpha_bar --------------------------------------------------------------------------------------------------------


def alpha_bar_cases(rng: np.random.Generator) -> list[Case]:
    drawn = torch.from_numpy(rng.uniform(0.05, 0.4, 7)).float()
    return [
        Case("seven steps", {"betas": drawn}, "few"),
        Case("200 steps, betas from 1e-4 to 0.05", {"betas": torch.linspace(1e-4, 0.05, 200)}, "many"),
    ]


alpha_bar = Exercise(
    id="dreambooth.alpha_bar",
    answer=answers.dreambooth_alpha_bar,
    cases=alpha_bar_cases,
    parts=[Part("shape", 1, shape_only=True), Part("a few steps", 1, on="few"), Part("many steps", 1, on="many")],
    misconceptions=[
        Misconception(
            "one_step",
            lambda betas: 1 - betas,
            earns=1,
            says="This is what each step alone keeps. After t steps the shares of all of them have been multiplied.",
        ),
        Misconception(
            "sum",
            lambda betas: 1 - betas.cumsum(0),
            earns=1,
            says="You took the betas off one after another. A step takes its share of what is *left*, so shares multiply.",
        ),
        Misconception(
            "of_betas",
            lambda betas: betas.cumprod(0),
            earns=1,
            says="You multiplied the betas. What is kept is 1 - beta of each step.",
        ),
        Misconception(
            "one_late",
            lambda betas: torch.cat([torch.ones(1), (1 - betas).cumprod(0)[:-1]]),
            earns=1,
            says="Your list begins with 1, as if the first step had not been taken. Its first entry is that *after* the "
            "first step.",
        ),
        Misconception(
            "root",
            lambda betas: (1 - betas).cumprod(0).sqrt(),
            earns=1,
            says="This is the factor in front of the signal, the root. alpha_bar is the share of the variance.",
        ),
        Misconception(
            "noise_share",
            lambda betas: 1 - (1 - betas).cumprod(0),
            earns=1,
            says="This is the share of noise. alpha_bar is what is left of the signal.",
        ),
    ],
)

# --- add_noise --------------------------------------------------------------------------------------------------------


def _levels(rng: np.random.Generator, n: int) -> Tensor:
    return torch.from_numpy(rng.permutation(np.linspace(0.15, 0.85, n))).float()


def add_noise_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, group: str, *shape: int) -> Case:
        return Case(label, {"x0": normal(rng, *shape), "noise": normal(rng, *shape), "alpha_bar": _levels(rng, shape[0])}, group)

    return [
        case("pictures (4, 3, 5, 5)", "pictures", 4, 3, 5, 5),
        case("as many pictures as columns", "pictures", 4, 2, 3, 4),
        case("vectors (5, 3)", "vectors", 5, 3),
        case("numbers (6,)", "vectors", 6),
    ]


def _mix(signal: Any, fresh: Any) -> Any:
    """x_t with other factors: each a function of the level, which stands beside the examples."""

    def mixed(x0: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
        a = alpha_bar.reshape(-1, *[1] * (x0.dim() - 1))
        return signal(a) * x0 + fresh(a) * noise

    return mixed


add_noise = Exercise(
    id="dreambooth.add_noise",
    answer=answers.dreambooth_add_noise,
    cases=add_noise_cases,
    parts=[Part("shape", 1, shape_only=True), Part("pictures", 2, on="pictures"), Part("vectors and numbers", 1, on="vectors")],
    misconceptions=[
        Misconception(
            "no_roots",
            _mix(lambda a: a, lambda a: 1 - a),
            earns=1,
            says="You mixed with alpha_bar and 1 - alpha_bar. These are shares of the variance; in front of signal and "
            "noise stand "
            "their roots.",
        ),
        Misconception(
            "exchanged",
            _mix(lambda a: (1 - a).sqrt(), lambda a: a.sqrt()),
            earns=1,
            says="You exchanged the two factors: alpha_bar belongs to the signal, what is missing to one belongs to the noise.",
        ),
        Misconception(
            "noise_whole",
            _mix(lambda a: a.sqrt(), lambda a: torch.ones_like(a)),
            earns=1,
            says="You added the noise whole, so the variance grows. It gets the root of 1 - alpha_bar, and the sum keeps "
            "its size.",
        ),
        Misconception(
            "one_minus_root",
            _mix(lambda a: a.sqrt(), lambda a: 1 - a.sqrt()),
            earns=1,
            says="In front of the noise you have one minus the root. It is the root of one minus alpha_bar: the *squares* of the "
            "two factors add up to one.",
        ),
        Misconception(
            "one_level_for_all",
            _mix(lambda a: a[:1].sqrt(), lambda a: (1 - a[:1]).sqrt()),
            earns=1,
            says="You gave every example the first one's level. Each has a level of its own.",
        ),
    ],
)

# --- predict_x0 -------------------------------------------------------------------------------------------------------


def predict_x0_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, group: str, *shape: int) -> Case:
        return Case(label, {"x_t": normal(rng, *shape), "noise": normal(rng, *shape), "alpha_bar": _levels(rng, shape[0])}, group)

    return [case("pictures (4, 3, 5, 5)", "pictures", 4, 3, 5, 5), case("numbers (6,)", "numbers", 6)]


def _solve(how: Any) -> Any:
    return lambda x_t, noise, alpha_bar: how(x_t, noise, alpha_bar.reshape(-1, *[1] * (x_t.dim() - 1)))


predict_x0 = Exercise(
    id="dreambooth.predict_x0",
    answer=answers.dreambooth_predict_x0,
    cases=predict_x0_cases,
    parts=[Part("shape", 1, shape_only=True), Part("pictures", 1, on="pictures"), Part("numbers", 1, on="numbers")],
    misconceptions=[
        Misconception(
            "subtracted_whole",
            _solve(lambda x, e, a: (x - e) / a.sqrt()),
            earns=1,
            says="You took the noise away whole. There is the root of 1 - alpha_bar of it in x_t.",
        ),
        Misconception(
            "not_divided",
            _solve(lambda x, e, a: x - (1 - a).sqrt() * e),
            earns=1,
            says="This is the signal as small as it is in x_t. Divide by the factor that stood in front of it.",
        ),
        Misconception(
            "no_root_below",
            _solve(lambda x, e, a: (x - (1 - a).sqrt() * e) / a),
            earns=1,
            says="You divided by alpha_bar. In front of the signal stood its root.",
        ),
        Misconception(
            "no_root_above",
            _solve(lambda x, e, a: (x - (1 - a) * e) / a.sqrt()),
            earns=1,
            says="You took 1 - alpha_bar of the noise away. That is its share of the variance; the factor is the root.",
        ),
        Misconception(
            "added",
            _solve(lambda x, e, a: (x + (1 - a).sqrt() * e) / a.sqrt()),
            earns=1,
            says="You added the noise once more, where it has to be taken out.",
        ),
    ],
)
