"""Exercise of chapter 08 on one layer: the forward pass and its scale."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

import solutions.lora as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- forward ----------------------------------------------------------------------------------------------------------


def pair(rng: np.random.Generator, d_out: int, d_in: int, rank: int) -> dict[str, Any]:
    """A frozen matrix and a pair with B ≠ 0. Entries keep every term of the output at a comparable size."""
    return {
        "W0": normal(rng, d_out, d_in),
        "lora_A": normal(rng, rank, d_in),
        "lora_B": normal(rng, d_out, rank),
    }


def forward_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case("4 rows, d_in 6, d_out 5, rank 3, alpha 8", {"x": normal(rng, 4, 6)} | pair(rng, 5, 6, 3) | {"alpha": 8.0}),
        Case("3 rows, square layer, rank 4, alpha 2", {"x": normal(rng, 3, 6)} | pair(rng, 6, 6, 4) | {"alpha": 2.0}),
        Case(
            "batch of 2 sequences of 3 tokens, rank 2, alpha 5",
            {"x": normal(rng, 2, 3, 4)} | pair(rng, 7, 4, 2) | {"alpha": 5.0},
            "sequences",
        ),
    ]


def _forward_scaled(scale: Any) -> Any:
    def wrong(x: Tensor, W0: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> Tensor:
        return x @ W0.T + scale(alpha, lora_A.shape[0]) * (x @ lora_A.T) @ lora_B.T

    return wrong


def scales_everything(x: Tensor, W0: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> Tensor:
    return alpha / lora_A.shape[0] * (x @ W0.T + x @ lora_A.T @ lora_B.T)


def base_not_transposed(x: Tensor, W0: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> Tensor:
    return x @ W0 + alpha / lora_A.shape[0] * x @ lora_A.T @ lora_B.T


def no_base(x: Tensor, W0: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> Tensor:
    return alpha / lora_A.shape[0] * x @ lora_A.T @ lora_B.T


def width_for_rank(x: Tensor, W0: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> Tensor:
    return x @ W0.T + alpha / lora_A.shape[1] * x @ lora_A.T @ lora_B.T


def d_out_for_rank(x: Tensor, W0: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> Tensor:
    return x @ W0.T + alpha / lora_B.shape[0] * x @ lora_A.T @ lora_B.T


def subtracted(x: Tensor, W0: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> Tensor:
    return x @ W0.T - alpha / lora_A.shape[0] * x @ lora_A.T @ lora_B.T


SCALE_MISTAKES = {
    "no_scale": (
        lambda alpha, rank: 1.0,
        "The factor α/r is missing. With α = r nobody would notice; here α and r differ.",
    ),
    "alpha_alone": (
        lambda alpha, rank: alpha,
        "You multiplied by α and did not divide by the rank. The scale is α/r, and r is the number of rows of A.",
    ),
    "upside_down": (
        lambda alpha, rank: rank / alpha,
        "Your scale is r/α: it is the other way up.",
    ),
    "squared": (
        lambda alpha, rank: (alpha / rank) ** 2,
        "You applied the scale twice, once to each factor perhaps: this is (α/r)². It multiplies the product B A once.",
    ),
    "rounded_down": (
        lambda alpha, rank: alpha // rank,
        "Your scale is rounded down: alpha // rank. A scale is no whole number; with α = 2 and r = 4 the update would vanish.",
    ),
    "root_of_rank": (
        lambda alpha, rank: alpha / math.sqrt(rank),
        "This is α/√r, the rank-stabilised scale (rsLoRA). It has its merits, but the exercise asks for the paper's α/r.",
    ),
}


forward = Exercise(
    id="lora.forward",
    answer=answers.lora_forward,
    cases=forward_cases,
    parts=[
        Part("shape", 1, shape_only=True),
        Part("value", 2, on="main"),
        Part("a batch of sequences", 1, on="sequences"),
    ],
    misconceptions=[Misconception(name, _forward_scaled(f), says, earns=1) for name, (f, says) in SCALE_MISTAKES.items()] + [
        Misconception(
            "scales_everything", scales_everything, earns=1,
            says="You scaled the frozen layer too. α/r belongs to the low-rank update alone: with B = 0 the model "
            "must be unchanged.",
        ),
        Misconception(
            "base_not_transposed", base_not_transposed,
            "You multiplied by W0 where W0.T is needed. A row x goes through a (d_out, d_in) weight as x @ "
            "W0.T; only for a square "
            "W0 does the other product run at all.",
        ),
        Misconception(
            "width_for_rank", width_for_rank, earns=1,
            says="You divided by lora_A.shape[1], which is d_in. lora_A is (r, d_in): the rank is its number of rows, shape[0].",
        ),
        Misconception(
            "d_out_for_rank", d_out_for_rank, earns=1,
            says="You divided by lora_B.shape[0], which is d_out. lora_B is (d_out, r): the rank is its number of columns, "
            "shape[1].",
        ),
        Misconception(
            "subtracted", subtracted, earns=1,
            says="You subtracted the update. LoRA adds it: x @ W0.T + α/r · (x @ A.T) @ B.T.",
        ),
        Misconception(
            "no_base", no_base, earns=1,
            says="This is the scaled update alone. LoRA adds it to the frozen layer's output x @ W0.T.",
        ),
    ],
)
