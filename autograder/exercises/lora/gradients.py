"""Exercise of chapter 08 on the gradients of one layer."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import solutions.lora as answers
from autograder.asking.probes import without_autograd
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

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


def gradient_A_transposed(x: Tensor, grad_h: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    grad_A, grad_B = _gradient(alpha / lora_A.shape[0], x, grad_h, lora_A, lora_B)
    return grad_A.T, grad_B


def gradient_downhill(x: Tensor, grad_h: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    return _gradient(-alpha / lora_A.shape[0], x, grad_h, lora_A, lora_B)


def gradient_scale_in_A(x: Tensor, grad_h: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    grad_A, grad_B = _gradient(1.0, x, grad_h, lora_A, lora_B)
    return alpha / lora_A.shape[0] * grad_A, grad_B


gradient = Exercise(
    id="lora.gradient",
    answer=answers.lora_gradient,
    probe=without_autograd,
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
            "grad_A_transposed", gradient_A_transposed, earns=2,
            says="grad_B is right, grad_A is transposed. It has the shape of lora_A, (r, d_in), so x goes last.",
        ),
        Misconception(
            "downhill", gradient_downhill, earns=1,
            says="Both gradients have the other sign. A gradient points uphill; it is the optimiser that subtracts it.",
        ),
        Misconception(
            "squared",
            lambda x, grad_h, lora_A, lora_B, alpha: _gradient((alpha / lora_A.shape[0]) ** 2, x, grad_h, lora_A, lora_B),
            earns=1,
            says="You applied the scale twice: (α/r)². It stands once in front of B A, so once in front of each gradient.",
        ),
        Misconception(
            "alpha_alone", lambda x, grad_h, lora_A, lora_B, alpha: _gradient(alpha, x, grad_h, lora_A, lora_B), earns=1,
            says="You multiplied both gradients by α and did not divide by the rank. The scale is α/r.",
        ),
    ],
)
