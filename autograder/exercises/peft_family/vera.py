"""Exercises of chapter 09 on VeRA: the forward pass, and what is trained."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.peft_family as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- vera_forward -----------------------------------------------------------------------------------------------------


def _layer(rng: np.random.Generator, d_out: int, d_in: int, rank: int, *shape: int) -> dict[str, Any]:
    return {"x": normal(rng, *shape, d_in), "W0": normal(rng, d_out, d_in), "A": normal(rng, rank, d_in),
            "B": normal(rng, d_out, rank), "d": normal(rng, rank), "b": normal(rng, d_out)}


def vera_forward_cases(rng: np.random.Generator) -> list[Case]:
    start = _layer(rng, 4, 5, 3, 3)
    start["b"] = torch.zeros(4)
    return [
        Case("4 rows, 5 → 6, rank 3", _layer(rng, 6, 5, 3, 4), "rows"),
        Case("all widths 4, rank 4, 2 sequences of 3", _layer(rng, 4, 4, 4, 2, 3), "square"),
        Case("the start, b = 0", start, "start"),
    ]


def _forward(x: Tensor, W0: Tensor, A: Tensor, B: Tensor, d: Tensor, b: Tensor, *, use_d: bool = True, use_b: bool = True,
             base: bool = True, scale: float = 1.0, plus: bool = False) -> Tensor:
    """The layer with one thing wrong, chosen by a keyword."""
    z = x @ A.T
    z = z + d if plus else z * d if use_d else z
    h = z @ B.T
    h = h + b if plus else h * b if use_b else h
    return x @ W0.T * base + scale * h


def _wrong(**how: Any) -> Any:
    return lambda **inputs: _forward(**inputs, **how)


vera_forward = Exercise(
    id="peft_family.vera_forward",
    answer=answers.peft_family_vera_forward,
    cases=vera_forward_cases,
    parts=[Part("shape", 1, shape_only=True), Part("different widths", 1, on="rows"), Part("equal widths", 1, on="square"),
           Part("the start", 1, on="start")],
    misconceptions=[
        Misconception("no_d", _wrong(use_d=False), earns=2,
                      says="d is missing. It acts in the narrow middle, on what A gives."),
        Misconception("no_b", _wrong(use_b=False), earns=1,
                      says="b is missing. It acts on the outputs; at the start it is zero, and with it the whole update."),
        Misconception("update_alone", _wrong(base=False), earns=1,
                      says="The frozen layer's own output is missing."),
        Misconception("divided_by_rank", lambda x, W0, A, B, d, b: _forward(x, W0, A, B, d, b, scale=1 / len(d)), earns=2,
                      says="You divided the update by the rank. VeRA has no scale but d and b."),
        Misconception("added", _wrong(plus=True), earns=1,
                      says="You added d and b. They multiply, entry by entry."),
        Misconception("plain_lora", _wrong(use_d=False, use_b=False), earns=1,
                      says="This is the frozen random update itself, without the two vectors that are trained. It is not zero "
                           "at the start, and it never changes."),
    ],
)

# --- vera_parameters --------------------------------------------------------------------------------------------------


def vera_parameters_cases(rng: np.random.Generator) -> list[Case]:
    d_out, d_in, rank = 64 * integer(rng, 5, 40), 64 * integer(rng, 41, 80), integer(rng, 3, 60)
    return [
        Case("4096 → 4096, rank 8", {"d_out": 4096, "d_in": 4096, "rank": 8}, "square"),
        Case(f"{d_in} → {d_out}, rank {rank}", {"d_out": d_out, "d_in": d_in, "rank": rank}, "rectangular"),
    ]


vera_parameters = Exercise(
    id="peft_family.vera_parameters",
    answer=answers.peft_family_vera_parameters,
    cases=vera_parameters_cases,
    parts=[Part("a square weight", 1, on="square"), Part("another weight", 1, on="rectangular")],
    misconceptions=[
        Misconception("both_widths", lambda d_out, d_in, rank: d_out + d_in,
                      "You gave one vector to the outputs and one to the inputs. d acts behind A, where there are only as many "
                      "numbers as the rank. (For 4096 and rank 8 you may meet 8,192; it is 4,104.)"),
        Misconception("as_lora", lambda d_out, d_in, rank: rank * (d_out + d_in),
                      "This is LoRA. VeRA's two matrices are random and frozen."),
        Misconception("input_side", lambda d_out, d_in, rank: d_in + rank, earns=1,
                      says="b multiplies the outputs, so it has d_out numbers. The square weight hides it."),
        Misconception("rank_times_width", lambda d_out, d_in, rank: rank * d_out,
                      "The rank is added, not multiplied: d has one number for each rank."),
        Misconception("only_b", lambda d_out, d_in, rank: d_out, "You counted b and forgot d."),
    ],
)
