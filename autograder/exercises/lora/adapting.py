"""Exercise of chapter 08 that trains: a LoRA pair beside one frozen layer, from the start to the end."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.lora as answers
from autograder.asking.probes import lora as probes
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.measures import lora as measures

# --- adapt ------------------------------------------------------------------------------------------------------------


def adapt_cases(rng: np.random.Generator) -> list[Case]:
    """Layers whose new outputs ask for a change of exactly the rank that is given, and a little noise that nobody can learn."""

    def case(label: str, n: int, d_in: int, d_out: int, rank: int, alpha: float, lr: float, steps: int) -> Case:
        W0 = normal(rng, d_out, d_in, scale=1 / math.sqrt(d_in))
        left, right = (torch.linalg.qr(normal(rng, d, rank))[0] for d in (d_out, d_in))
        change = left @ torch.diag(torch.linspace(1.5, 0.8, rank)) @ right.T  # (d_out, d_in), of that rank
        x, x_test = normal(rng, n, d_in), normal(rng, 64, d_in)
        y = x @ (W0 + change).T + 0.05 * normal(rng, n, d_out)
        inputs = {"x": x, "y": y, "W0": W0, "rank": rank, "alpha": alpha, "lr": lr, "steps": steps}
        return Case(label, inputs, held={"x_test": x_test, "missing": x_test @ change.T, "alpha": alpha, "rank": rank})

    return [
        case("d_in 16, d_out 12, rank 2, alpha 6", 96, 16, 12, 2, 6.0, 0.5, 250),
        case("d_in 10, d_out 14, rank 4, alpha 2", 96, 10, 14, 4, 2.0, 2.0, 250),
    ]


def _form(x: Tensor, y: Tensor, W0: Tensor, rank: int, **_: Any) -> tuple:
    lora_A, lora_B = torch.zeros(rank, x.shape[1]), torch.zeros(y.shape[1], rank)
    return lora_A, lora_B, lora_A, lora_B, 0.0


def _adapt(x, y, W0, rank, alpha, lr, steps, *, start_A=1.0, start_B=0.0, scale=None, only_B=False, train="", most=None):
    """The training with one thing wrong, chosen by a keyword."""
    W0 = W0.clone() if train == "copy" else W0
    s = alpha / rank if scale is None else scale
    A = start_A * torch.randn(rank, x.shape[1]) / math.sqrt(x.shape[1])
    B = start_B * torch.randn(y.shape[1], rank)
    for _ in range(min(steps, most or steps)):
        G = 2 / y.numel() * (x @ W0.T + s * x @ A.T @ B.T - y)
        grad_A, grad_B = s * (G @ B).T @ x, s * G.T @ (x @ A.T)
        A, B = A if only_B else A - lr * grad_A, B - lr * grad_B
        if train:
            W0 -= min(lr, 0.5) * G.T @ x
    return A, B


def _weak(**how: Any) -> Any:
    return lambda **inputs: _adapt(**inputs, **how)


MOVED = "W0 is no longer what it was. It is frozen, and others use it too: only lora_A and lora_B are trained."
NOT_AT_ZERO = (
    "Before the first step the pair already changes the layer. lora_B lora_A has to start at zero: one of the two at random, the "
    "other at zero."
)
NOT_LEARNED = (
    "The pair did not learn the change. Does one of the two start at random, does every step move both, does the factor alpha/r "
    "stand in the output and in both gradients, and is nothing else trained?"
)

# Error left, over 40 seeds: the model answer and four other right ones (autograd, AdamW, another start) 0.0002 to 0.007, those
# that have not learned 0.33 and more in the first case, 0.24 and more in the second. The layer as it was has 1.
adapt = Exercise(
    id="lora.adapt",
    answer=answers.lora_adapt,
    probe=probes.adapt,
    cases=adapt_cases,
    expected=_form,
    parts=[
        Part("change of W0", 1, measure=measures.moved, at_most=0, says=MOVED),
        Part("update before the first step", 1, measure=measures.start_size, at_most=1e-6, says=NOT_AT_ZERO),
        Part("error left", 3, measure=measures.error_left, at_most=0.1, says=NOT_LEARNED),
    ],
    misconceptions=[
        Misconception("both_at_zero", _weak(start_A=0.0), NOT_LEARNED, earns=2),
        Misconception("scale_forgotten", _weak(scale=1.0), NOT_LEARNED, earns=2),
        Misconception("only_B_trained", _weak(only_B=True), NOT_LEARNED, earns=2),
        Misconception("one_step", _weak(most=1), NOT_LEARNED, earns=2),
        Misconception("a_copy_of_W0_trained_too", _weak(train="copy"), NOT_LEARNED, earns=2),
        Misconception("W0_trained_too", _weak(train="W0"), MOVED, earns=1),
        Misconception("B_at_random", _weak(start_B=0.3), NOT_AT_ZERO, earns=4),
    ],
)
