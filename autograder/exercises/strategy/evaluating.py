"""Exercises of chapter 12 on evaluation: pairs, and several comparisons."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.strategy as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- paired_interval --------------------------------------------------------------------------------------------------


def paired_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, both: float, only_a: float, only_b: float, z: float) -> Case:
        counts = [round(n * both), round(n * only_a), round(n * only_b)]
        a = torch.tensor([1] * counts[0] + [1] * counts[1] + [0] * (n - counts[0] - counts[1]))
        b = torch.tensor([1] * counts[0] + [0] * counts[1] + [1] * counts[2] + [0] * (n - sum(counts)))
        order = torch.from_numpy(rng.permutation(n))
        return Case(f"{n} texts, z {z:g}", {"right_a": a[order].bool(), "right_b": b[order].bool(), "z": z})

    return [
        case(integer(rng, 180, 220), 0.8, 0.08, 0.03, 1.96), case(integer(rng, 40, 60), 0.6, 0.05, 0.2, 2.576),
        case(12, 0.5, 0.25, 0.08, 1.645),
    ]  # fmt: skip


def _paired(right_a: Tensor, right_b: Tensor, z: float, *, how: str = "") -> tuple[float, float]:
    a, b, n = right_a.double(), right_b.double(), len(right_a)
    d = a - b
    mean, half = d.mean().item(), z * d.std().item() / math.sqrt(n)
    if how == "unpaired":
        half = z * ((a.var() + b.var()) / n).sqrt().item()
    if how == "divided":
        half = z * d.std(correction=0).item() / math.sqrt(n)
    if how == "no_root":
        half = z * d.std().item()
    if how == "whole":
        half = 2 * half
    if how == "disagreements":
        d = d[d != 0]
        mean, half = d.mean().item(), z * d.std().item() / math.sqrt(len(d))
    return (-mean, half) if how == "sign" else (mean, half)


def _wrong_pair(how: str) -> Any:
    return lambda right_a, right_b, z: _paired(right_a, right_b, z, how=how)


paired_interval = Exercise(
    id="strategy.paired_interval",
    answer=answers.strategy_paired_interval,
    cases=paired_cases,
    parts=[Part("difference", 1, of=0), Part("half-width", 2, of=1)],
    misconceptions=[
        Misconception(
            "unpaired", _wrong_pair("unpaired"), earns=1,
            says="The difference is right. Your interval is that of two models on two sets of texts: the variances of both are "
            "added. "
            "Here a hard text is hard for both, so take the spread of the differences, text by text.",
        ),
        Misconception(
            "divided_by_n", _wrong_pair("divided"), earns=1,
            says="The difference is right. Your standard deviation divides by n; that of a sample divides by n - 1.",
        ),
        Misconception(
            "no_root_n", _wrong_pair("no_root"), earns=1,
            says="The difference is right. You gave the spread of single texts; the mean of n texts is √n times as sure.",
        ),
        Misconception(
            "whole_width", _wrong_pair("whole"), earns=1,
            says="The difference is right. You gave the whole width, from end to end; the half-width is what stands behind the "
            "±.",
        ),
        Misconception(
            "only_disagreements", _wrong_pair("disagreements"),
            says="You left out the texts about which both are right or both are wrong. They say that the models hardly differ: "
            "as "
            "zeros they belong to the mean.",
        ),
        Misconception(
            "other_way_round", _wrong_pair("sign"), earns=2,
            says="The half-width is right, and the difference is B minus A: what was asked for is how far A is above B.",
        ),
    ],
)  # fmt: skip

# --- predict_widening -------------------------------------------------------------------------------------------------


def widening_cases(rng: np.random.Generator) -> list[Case]:
    drawn = [0.0, 0.5, 0.9, float(rng.uniform(0.2, 0.45)), float(rng.uniform(0.6, 0.85)), -0.3]
    return [Case(f"correlation {c:.2f}", {"correlation": c}) for c in drawn]


predict_widening = Exercise(
    id="strategy.predict_widening",
    answer=answers.strategy_predict_widening,
    cases=widening_cases,
    parts=[Part("ratio of the widths", 2)],
    misconceptions=[
        Misconception(
            "of_variances", lambda correlation: 1 / (1 - correlation),
            "That is the ratio of the variances. An interval is as wide as the standard deviation: take the root.",
        ),
        Misconception(
            "upside_down", lambda correlation: math.sqrt(1 - correlation),
            "The other way up: what the two methods share falls out of the paired difference, so the unpaired interval is the "
            "wider "
            "one.",
        ),
        Misconception(
            "squared", lambda correlation: 1 / math.sqrt(1 - correlation**2),
            "1 - ρ² is what is left when one score predicts the other. Here they are subtracted: var(a - b) = 2 s² - 2 ρ s².",
        ),
        Misconception(
            "twice", lambda correlation: math.sqrt(2 / (1 - correlation)),
            "The unpaired interval adds two variances, and the paired difference has two of them as well: the 2 cancels. With no "
            "correlation both are as wide.",
        ),
    ],
)  # fmt: skip

# --- corrected --------------------------------------------------------------------------------------------------------


def corrected_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, values: list[float]) -> Case:
        order = torch.from_numpy(rng.permutation(len(values)))
        return Case(label, {"p_values": torch.tensor(values, dtype=torch.float64)[order]})

    # 4 · 0.0121 is more than 3 · 0.0131 and 2 · 0.015: the later must not come out below the earlier
    return [
        case("one below another after correction", [0.001, 0.0121, 0.0131, 0.015, 0.6]),
        case("some above 1", [0.004, 0.02, 0.35, 0.7, 0.8, float(rng.uniform(0.85, 0.95))]),
        case("drawn", [float(x) for x in rng.uniform(0.001, 0.2, size=7)]),
    ]


def _holm(p_values: Tensor, *, rising: bool = True, restored: bool = True, clipped: bool = True, smallest: int = 0) -> Tensor:
    order = p_values.argsort()
    steps = p_values[order] * torch.arange(len(p_values), 0, -1)
    if smallest:
        steps = p_values[order] * torch.arange(1, len(p_values) + 1)
    steps = steps.cummax(0).values if rising else steps
    steps = steps.clamp(max=1.0) if clipped else steps
    return steps[order.argsort()] if restored else steps


def _hochberg(p_values: Tensor) -> Tensor:
    """The false discovery rate of Benjamini and Hochberg, which promises something else."""
    order, m = p_values.argsort(descending=True), len(p_values)
    steps = (p_values[order] * m / torch.arange(m, 0, -1)).cummin(0).values.clamp(max=1.0)
    return steps[order.argsort()]


corrected = Exercise(
    id="strategy.corrected",
    answer=answers.strategy_corrected,
    cases=corrected_cases,
    parts=[Part("corrected", 3)],
    misconceptions=[
        Misconception(
            "bonferroni", lambda p_values: (p_values * len(p_values)).clamp(max=1.0),
            "That is Bonferroni's: all count m times. It is right and gives something away. Once the smallest has passed, only "
            "m - 1 "
            "are left to be wrong about.",
        ),
        Misconception(
            "may_fall", lambda p_values: _holm(p_values, rising=False),
            "A larger p-value comes out below a smaller one. What stands in the way of the smaller stands in the way of the "
            "larger.",
        ),
        Misconception(
            "left_sorted", lambda p_values: _holm(p_values, restored=False),
            "The numbers are right, and sorted. Put each back where it came from: who reads the table wants to know whose it is.",
        ),
        Misconception(
            "above_one", lambda p_values: _holm(p_values, clipped=False),
            "A probability above 1: cut it there.",
        ),
        Misconception(
            "from_the_other_end", lambda p_values: _holm(p_values, smallest=1),
            "You multiply the smallest by 1 and the largest by m. The smallest was picked among m, so it counts m times.",
        ),
        Misconception(
            "false_discovery_rate", _hochberg,
            "That is Benjamini and Hochberg's: it bounds the share of false ones among those that you call. Asked for was the "
            "chance "
            "that there is any.",
        ),
    ],
)  # fmt: skip
