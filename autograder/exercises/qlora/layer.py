"""Exercises of chapter 10 on the layer: forward, the backward pass that trains a network, and merging with a second rounding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.qlora as answers
from autograder.asking.probes import qlora as probes
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.exercises.qlora.coding import rising_levels, weights
from autograder.judging.measures import qlora as measures

# --- forward ----------------------------------------------------------------------------------------------------------


def _weight(rng: np.random.Generator, d_out: int, d_in: int, size: int) -> dict[str, Any]:
    levels = rising_levels(rng, 16)
    codes, absmax = answers.qlora_quantize(weights(rng, levels, d_out * d_in // size, size), levels, size)
    return {"codes": codes, "absmax": absmax, "levels": levels, "block_size": size}


def _pair(rng: np.random.Generator, d_out: int, d_in: int, rank: int, alpha: float) -> dict[str, Any]:
    return {"lora_A": normal(rng, rank, d_in), "lora_B": normal(rng, d_out, rank), "alpha": alpha}


def forward_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, x: Tensor, d_out: int, d_in: int, size: int, rank: int, alpha: float, group: str = "main") -> Case:
        return Case(label, {"x": x} | _weight(rng, d_out, d_in, size) | _pair(rng, d_out, d_in, rank, alpha), group)

    return [
        case("d_out 4, d_in 6, blocks of 8, rank 3, alpha 8", normal(rng, 5, 6), 4, 6, 8, 3, 8.0),
        case("d_out 6, d_in 6, blocks of 4, rank 2, alpha 3", normal(rng, 3, 6), 6, 6, 4, 2, 3.0),
        case("2 sequences of 3 tokens, rank 4, alpha 2", normal(rng, 2, 3, 4), 6, 4, 6, 4, 2.0, "sequences"),
    ]


def _forward(x, codes, absmax, levels, block_size, lora_A, lora_B, alpha, *, scale=None, turned=False, update=True, tiled=False,
             constants=True, frozen=True):
    """The answer with one thing wrong, chosen by a keyword."""
    d_out, d_in, rank = lora_B.shape[0], lora_A.shape[1], lora_A.shape[0]
    each = absmax.repeat(block_size) if tiled else absmax.repeat_interleave(block_size)
    flat = levels[codes.long()] * (each if constants else 1)
    W = flat.reshape(d_in, d_out).T if turned else flat.reshape(d_out, d_in)
    s = alpha / rank if scale is None else scale(alpha, rank)
    return (x @ W.T if frozen else 0) + (s * x @ lora_A.T @ lora_B.T if update else 0)


def _wrong_forward(**how: Any) -> Any:
    return lambda **inputs: _forward(**inputs, **how)


forward = Exercise(
    id="qlora.forward",
    answer=answers.qlora_forward,
    cases=forward_cases,
    parts=[Part("shape", 1, shape_only=True), Part("value", 2, on="main"), Part("a batch of sequences", 1, on="sequences")],
    misconceptions=[
        Misconception(
            "no_scale", _wrong_forward(scale=lambda alpha, rank: 1.0), earns=1,
            says="The factor α/r is missing. The update is scaled as in any LoRA layer.",
        ),
        Misconception(
            "alpha_alone", _wrong_forward(scale=lambda alpha, rank: alpha), earns=1,
            says="You multiplied by α and did not divide by the rank, the number of rows of lora_A.",
        ),
        Misconception(
            "column_by_column", _wrong_forward(turned=True), earns=1,
            says="You read the codes column by column. They are stored row by row: first all of row 0, which has d_in weights.",
        ),
        Misconception(
            "constants_in_turn", _wrong_forward(tiled=True), earns=1,
            says="The constants go to the wrong weights: one constant serves block_size weights that stand next to each other.",
        ),
        Misconception(
            "no_constants", _wrong_forward(constants=False), earns=1,
            says="Your weight consists of levels, from -1 to 1. The blocks' constants are missing.",
        ),
        Misconception(
            "frozen_alone", _wrong_forward(update=False), earns=1,
            says="This is the frozen layer alone. The pair's update has to be added.",
        ),
        Misconception(
            "update_alone", _wrong_forward(frozen=False), earns=1,
            says="This is the pair's update alone. The quantised weight computes as well.",
        ),
    ],
)

# --- backward ---------------------------------------------------------------------------------------------------------


def backward_cases(rng: np.random.Generator) -> list[Case]:
    """One layer; and two, of which the lower one has to learn through a weight and a pair that pull in opposite directions."""
    d, r, alpha, n = 8, 4, 6.0, 256

    def lower() -> tuple[Tensor, Tensor, Tensor, Tensor]:
        W = normal(rng, d, d, scale=1 / math.sqrt(d))
        left, right = (torch.linalg.qr(normal(rng, d, 2))[0] for _ in range(2))
        return W, W + left @ right.T, normal(rng, r, d, scale=1 / math.sqrt(d)), torch.zeros(d, r)

    def upper() -> tuple[Tensor, Tensor, Tensor]:
        """W, and a pair that turns half of what W does round and halves the rest: neither alone points where both do."""
        left, right = (torch.linalg.qr(normal(rng, d, d))[0] for _ in range(2))
        return left @ right.T, torch.tensor([-2.0, -0.5]).repeat(d // 2)[:, None] * right.T, left * (d / alpha)

    def case(label: str, group: str, above: list[tuple]) -> Case:
        W, wanted, A, B = lower()
        x, x_test = normal(rng, n, d), normal(rng, n, d)

        def outputs(first: Tensor, of: Tensor) -> Tensor:
            h = of @ first.T
            for W2, A2, B2 in above:
                h = torch.tanh(h) @ (W2 + alpha / len(A2) * B2 @ A2).T
            return h

        inputs = {"layers": [(W, A, B), *above], "x": x, "y": outputs(wanted, x), "alpha": alpha, "lr": 2.0, "steps": 150,
                  "x_test": x_test}
        return Case(label, inputs, group, held={"y_test": outputs(wanted, x_test), "before": outputs(W, x_test)})

    return [case("one layer", "one", []), case("a layer below another", "two", [upper()])]


def _backward(x, grad_h, W, lora_A, lora_B, alpha, *, frozen=True, pair=True, mean=False):
    """The answer with one thing wrong, chosen by a keyword."""
    s, n = alpha / lora_A.shape[0], len(x) if mean else 1
    grad_x = (grad_h @ W if frozen else 0) + (s * grad_h @ lora_B @ lora_A if pair else 0 * x)
    return grad_x, s * (grad_h @ lora_B).T @ x / n, s * grad_h.T @ (x @ lora_A.T) / n


def _weak(**how: Any) -> Any:
    return lambda **inputs: _backward(**inputs, **how)


ONE = (
    "A single layer did not learn with your gradients of lora_A and lora_B. Look at the scale, the sums over rows, and the "
    "shapes."
)
TWO = (
    "The layer below another did not learn, so grad_x is not right. The gradient of x goes through the frozen weight W *and* "
    "through "
    "the pair beside it, scaled; frozen only means that W itself is not moved."
)

# Error left: tests/autograder/exercises/qlora/test_training.py measures it again, and how far the weak strategies are from it.
backward = Exercise(
    id="qlora.backward",
    answer=answers.qlora_backward,
    probe=probes.train,
    cases=backward_cases,
    expected=lambda x_test, y, **_: torch.zeros(len(x_test), y.shape[1]),
    parts=[
        Part("error left by one layer", 2, on="one", measure=measures.error_left, at_most=0.15, says=ONE),
        Part("error left by a layer below another", 3, on="two", measure=measures.error_left, at_most=0.3, says=TWO),
    ],
    misconceptions=[
        Misconception("nothing_through_the_frozen_weight", _weak(frozen=False), TWO, earns=2),
        Misconception("nothing_through_the_pair", _weak(pair=False), TWO, earns=2),
        Misconception("nothing_below_a_frozen_weight", _weak(frozen=False, pair=False), TWO, earns=2),
        Misconception("mean_over_rows", _weak(mean=True), ONE, earns=0),
    ],
    seconds=10.0,
)

# --- requantize -------------------------------------------------------------------------------------------------------


def requantize_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, d_out: int, d_in: int, size: int, rank: int, alpha: float) -> Case:
        for _ in range(200):  # until rounding decides nothing
            inputs = _weight(rng, d_out, d_in, size)
            pair = _pair(rng, d_out, d_in, rank, alpha)
            inputs["absmax"] = inputs["absmax"].clamp(0.5, 3.0)
            merged = answers.qlora_dequantize(inputs["codes"], inputs["absmax"], inputs["levels"], size).reshape(d_out, d_in)
            merged = (merged + alpha / rank * pair["lora_B"] @ pair["lora_A"]).reshape(-1, size)
            middle = (inputs["levels"][1:] + inputs["levels"][:-1]) / 2
            ratio = merged / merged.abs().amax(1, keepdim=True)
            if (ratio[..., None] - middle).abs().min() > 1e-3:
                break
        return Case(label, inputs | pair)

    return [case("d_out 4, d_in 6, blocks of 8, rank 2, alpha 5", 4, 6, 8, 2, 5.0), case("6 × 6, blocks of 6", 6, 6, 6, 3, 2.0)]


def _requantize(codes, absmax, levels, block_size, lora_A, lora_B, alpha, *, old=False, scale=None, frozen=True, turned=False,
                update=True):
    """The answer with one thing wrong, chosen by a keyword. `old` is the chapter's bug."""
    flat = levels[codes.long()] * absmax.repeat_interleave(block_size)
    change = lora_B @ lora_A * (alpha / len(lora_A) if scale is None else scale)
    if turned:
        change = change.T.contiguous()
    merged = (flat if frozen else 0 * flat) + (change.reshape(-1) if update else 0)
    blocks = merged.reshape(-1, block_size)
    constants = absmax if old else blocks.abs().amax(1)
    return (blocks[..., None] / constants[:, None, None] - levels).abs().argmin(-1).reshape(-1), constants


def _wrong_requantize(**how: Any) -> Any:
    return lambda **inputs: _requantize(**inputs, **how)


requantize = Exercise(
    id="qlora.requantize",
    answer=answers.qlora_requantize,
    cases=requantize_cases,
    keeps_inputs=True,
    parts=[Part("codes", 2, of=0), Part("constants", 1, of=1)],
    misconceptions=[
        Misconception(
            "old_constants", _wrong_requantize(old=True),
            "This is the code as it was: it divides by the old constants. A weight that has grown beyond its block's old "
            "constant is "
            "cut off there. The merged weight needs constants of its own.",
        ),
        Misconception(
            "no_scale", _wrong_requantize(scale=1.0),
            "The constants are new, and the factor α/r is missing from the update.",
        ),
        Misconception(
            "update_alone", _wrong_requantize(frozen=False),
            "You quantised the update alone. It is the sum that is quantised: the dequantised weight plus the update.",
        ),
        Misconception(
            "update_left_out", _wrong_requantize(update=False),
            "You quantised the old weight again, without the update.",
        ),
        Misconception(
            "update_transposed", _wrong_requantize(turned=True),
            "The update is transposed: lora_B @ lora_A already is (d_out, d_in), and row by row it lines up with the codes.",
        ),
    ],
)
