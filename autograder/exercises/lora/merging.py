"""Exercises of chapter 08 on merging."""

from __future__ import annotations

from typing import Any

import numpy as np

import solutions.lora as answers
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.exercises.lora.layer import SCALE_MISTAKES, pair

# --- merge ------------------------------------------------------------------------------------------------------------


def merge_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case("5 × 6 matrix, rank 3, alpha 8", pair(rng, 5, 6, 3) | {"alpha": 8.0}, "rectangular"),
        Case("6 × 6 matrix, rank 2, alpha 3", pair(rng, 6, 6, 2) | {"alpha": 3.0}, "square"),
    ]


def _merge_scaled(scale: Any) -> Any:
    return lambda W0, lora_A, lora_B, alpha: W0 + scale(alpha, lora_A.shape[0]) * lora_B @ lora_A


merge = Exercise(
    id="lora.merge",
    answer=answers.lora_merge,
    cases=merge_cases,
    keeps_inputs=True,
    parts=[
        Part("shape", 1, shape_only=True),
        Part("rectangular matrix", 1, on="rectangular"),
        Part("square matrix", 1, on="square"),
    ],
    misconceptions=[Misconception(name, _merge_scaled(f), says, earns=1) for name, (f, says) in SCALE_MISTAKES.items()] + [
        Misconception(
            "update_transposed",
            lambda W0, lora_A, lora_B, alpha: W0 + alpha / lora_A.shape[0] * (lora_B @ lora_A).T,
            "You added (B A) transposed. B A already is (d_out, d_in), like W0; the square matrix hides it, "
            "the rectangular one does not.",
        ),
        Misconception(
            "subtracted",
            lambda W0, lora_A, lora_B, alpha: W0 - alpha / lora_A.shape[0] * lora_B @ lora_A, earns=1,
            says="This subtracts the update, which is what unmerging does to an already merged matrix.",
        ),
        Misconception(
            "update_alone",
            lambda W0, lora_A, lora_B, alpha: alpha / lora_A.shape[0] * lora_B @ lora_A, earns=1,
            says="This is ΔW alone. Merging adds it to W0, so that one matrix does the work of both paths.",
        ),
        Misconception(
            "scales_everything",
            lambda W0, lora_A, lora_B, alpha: alpha / lora_A.shape[0] * (W0 + lora_B @ lora_A), earns=1,
            says="You scaled W0 too. α/r belongs to B A alone: with B = 0 the merged matrix must be W0.",
        ),
        Misconception(
            "width_for_rank",
            lambda W0, lora_A, lora_B, alpha: W0 + alpha / lora_A.shape[1] * lora_B @ lora_A, earns=1,
            says="You divided by lora_A.shape[1], which is d_in. lora_A is (r, d_in): the rank is its number of rows, shape[0].",
        ),
    ],
)
