"""Exercises of chapter 08 on merging, and on serving several tasks from one matrix."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.lora as answers
from autograder.exercises.draws import normal
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

# --- serve ------------------------------------------------------------------------------------------------------------


def serve_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, shape: tuple[int, int, int, int], tasks: list[int], alpha: float, group: str) -> Case:
        T, r, d_out, d_in = shape
        return Case(label, {
            "W0": normal(rng, d_out, d_in), "lora_A": normal(rng, T, r, d_in), "lora_B": normal(rng, T, d_out, r), "alpha": alpha,
            "tasks": tasks, "x": normal(rng, len(tasks), d_in),
        }, group)

    return [
        case("one request", (3, 2, 4, 5), [1], 3.0, "one"),
        case("3 tasks, 5 requests, rank 2", (3, 2, 4, 5), [2, 0, 0, 1, 2], 3.0, "several"),
        case("2 tasks, 4 requests, rank 4", (2, 4, 5, 5), [1, 1, 0, 1], 6.0, "several"),
    ]


def _serve(W0: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float, tasks: list[int], x: Tensor, *, rank_axis: int = 1,
           piled: bool = False, mixed: bool = False, last: bool = False, base: bool = True) -> Tensor:
    """The answer with one thing wrong, chosen by a keyword. `piled` is the chapter's bug, on a copy of W0."""
    W, out = W0.clone(), []
    for task, row in zip(tasks, x, strict=True):
        task = tasks[-1] if last else task
        update = alpha / lora_A.shape[rank_axis] * lora_B[task] @ lora_A[tasks[0] if mixed else task]
        W = W + update if piled else W0 * base + update
        out.append(row @ W.T)
    return torch.stack(out)


def _wrong_serve(**how: Any) -> Any:
    return lambda **inputs: _serve(**inputs, **how)


serve = Exercise(
    id="lora.serve",
    answer=answers.lora_serve,
    cases=serve_cases,
    keeps_inputs=True,
    parts=[Part("one request", 1, on="one"), Part("several requests", 2, on="several")],
    misconceptions=[
        Misconception(
            "both_bugs", _wrong_serve(piled=True, rank_axis=0),
            "This is the code as it was: the updates pile up in one matrix, and the scale divides by the number of tasks.",
        ),
        Misconception(
            "piled_up", _wrong_serve(piled=True), earns=1,
            says="The scale is right. The updates still pile up: each request adds its own to what those before have left. `W "
            "= W0` "
            "makes no copy, and `W += ...` changes W0 itself.",
        ),
        Misconception(
            "tasks_for_rank", _wrong_serve(rank_axis=0),
            "Each request has its own adapter now. But len(lora_A), or shape[0], is the number of tasks; the rank is shape[1].",
        ),
        Misconception(
            "first_A_kept", _wrong_serve(mixed=True), earns=1,
            says="You switched B and kept A. An adapter is a pair: one half of it with the half of another is neither.",
        ),
        Misconception(
            "last_task_for_all", _wrong_serve(last=True), earns=1,
            says="Every request was answered with the adapter of the last one.",
        ),
        Misconception(
            "update_alone", _wrong_serve(base=False),
            "These are the adapters' shares alone. W0 has to be in every answer.",
        ),
    ],
)
