"""Exercises of chapter 08 on one layer: forward, scale, gradients."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.lora as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part, Written

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
            "no_base", no_base, earns=1,
            says="This is the scaled update alone. LoRA adds it to the frozen layer's output x @ W0.T.",
        ),
    ],
)

# --- gradient ---------------------------------------------------------------------------------------------------------


def gradient_cases(rng: np.random.Generator) -> list[Case]:
    def case(n: int, d_in: int, d_out: int, rank: int, alpha: float, group: str = "main") -> Case:
        inputs = {
            "x": normal(rng, n, d_in),
            "grad_h": normal(rng, n, d_out),
            "lora_A": normal(rng, rank, d_in),
            "lora_B": normal(rng, d_out, rank) if group == "main" else torch.zeros(d_out, rank),
            "alpha": alpha,
        }
        label = f"batch of {n}, d_in {d_in}, d_out {d_out}, rank {rank}, alpha {alpha:g}"
        return Case(label + ("" if group == "main" else ", B = 0"), inputs, group)

    return [case(4, 6, 5, 3, 8.0), case(3, 5, 5, 2, 1.0), case(3, 4, 6, 2, 6.0, group="start")]


def _gradient(scale: float, x: Tensor, grad_h: Tensor, lora_A: Tensor, lora_B: Tensor) -> tuple[Tensor, Tensor]:
    return scale * (grad_h @ lora_B).T @ x, scale * grad_h.T @ (x @ lora_A.T)


def gradient_averaged(x: Tensor, grad_h: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    return _gradient(alpha / lora_A.shape[0] / x.shape[0], x, grad_h, lora_A, lora_B)


def gradient_swapped(x: Tensor, grad_h: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    return _gradient(alpha / lora_A.shape[0], x, grad_h, lora_A, lora_B)[::-1]


def gradient_transposed(x: Tensor, grad_h: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    grad_A, grad_B = _gradient(alpha / lora_A.shape[0], x, grad_h, lora_A, lora_B)
    return grad_A.T, grad_B.T


def gradient_scale_once(x: Tensor, grad_h: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    grad_A, grad_B = _gradient(1.0, x, grad_h, lora_A, lora_B)
    return grad_A, alpha / lora_A.shape[0] * grad_B


def gradient_B_transposed(x: Tensor, grad_h: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    grad_A, grad_B = _gradient(alpha / lora_A.shape[0], x, grad_h, lora_A, lora_B)
    return grad_A, grad_B.T


def gradient_scale_in_A(x: Tensor, grad_h: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    grad_A, grad_B = _gradient(1.0, x, grad_h, lora_A, lora_B)
    return alpha / lora_A.shape[0] * grad_A, grad_B


gradient = Exercise(
    id="lora.gradient",
    answer=answers.lora_gradient,
    cases=gradient_cases,
    parts=[
        Part("shapes", 1, shape_only=True),
        Part("grad_A", 2, of=0, on="main"),
        Part("grad_B", 2, of=1, on="main"),
        Part("first step, where B = 0", 1, on="start"),
    ],
    misconceptions=[
        Misconception(
            "no_scale", lambda x, grad_h, lora_A, lora_B, alpha: _gradient(1.0, x, grad_h, lora_A, lora_B), earns=1,
            says="The factor α/r is missing from both gradients. It multiplies the forward pass, so the chain rule keeps it.",
        ),
        Misconception(
            "averaged", gradient_averaged, earns=1,
            says="You divided by the batch size. If the loss is a mean, that 1/n already sits inside grad_h; here "
            "the rows are summed.",
        ),
        Misconception(
            "swapped", gradient_swapped,
            "Both gradients are right, in the wrong order: return (grad_A, grad_B).",
        ),
        Misconception(
            "transposed", gradient_transposed,
            "Both gradients are transposed. A gradient always has the shape of the thing it belongs to: grad_A is (r, d_in).",
        ),
        Misconception(
            "scale_in_B_only", gradient_scale_once, earns=4,
            says="grad_B is right, grad_A lacks the factor α/r. The scale stands in front of the whole product B A x, so both "
            "factors see it.",
        ),
        Misconception(
            "scale_in_A_only", gradient_scale_in_A, earns=3,
            says="grad_A is right, grad_B lacks the factor α/r. The scale stands in front of the whole product, so both see it.",
        ),
        Misconception(
            "grad_B_transposed", gradient_B_transposed, earns=2,
            says="grad_A is right, grad_B is transposed. It has the shape of lora_B, (d_out, r), so grad_h.T goes first.",
        ),
        Misconception(
            "alpha_alone", lambda x, grad_h, lora_A, lora_B, alpha: _gradient(alpha, x, grad_h, lora_A, lora_B), earns=1,
            says="You multiplied both gradients by α and did not divide by the rank. The scale is α/r.",
        ),
    ],
)

# --- why_scale --------------------------------------------------------------------------------------------------------

why_scale = Written(
    id="lora.why_scale",
    answer=answers.lora_why_scale,
    rubric=[
        (1, "α is a strength that can be set apart from the rank (like a learning rate of the update), so α ≠ r makes sense"),
        (1, "α/r was meant to let the rank change without tuning the learning rate again"),
        (1, "α/r does not cancel the rank: the mean square of the update goes like α²/r and falls as r grows"),
        (1, "α/√r keeps it constant, with the chapter's measurement over r as evidence"),
    ],
)
