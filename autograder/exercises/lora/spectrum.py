"""Exercises of chapter 08 on the low-rank bet."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.lora as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- truncate ---------------------------------------------------------------------------------------------------------


def truncate_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case("5 × 7 matrix, rank 2", {"W": normal(rng, 5, 7), "rank": 2}, "wide"),
        Case("6 × 4 matrix, rank 3", {"W": normal(rng, 6, 4), "rank": 3}, "tall"),
        Case("5 × 5 matrix, rank 1", {"W": normal(rng, 5, 5), "rank": 1}, "wide"),
    ]


def _svd(W: Any) -> tuple[Tensor, Tensor, Tensor]:
    return torch.linalg.svd(torch.as_tensor(W), full_matrices=False)


def smallest_kept(W: Tensor, rank: int) -> Tensor:
    U, S, Vh = _svd(W)
    return (U[:, -rank:] * S[-rank:]) @ Vh[-rank:]


def values_left_out(W: Tensor, rank: int) -> Tensor:
    U, S, Vh = _svd(W)
    return U[:, :rank] @ Vh[:rank]


def v_not_transposed(W: Tensor, rank: int) -> Tensor:
    U, S, Vh = _svd(W)
    return (U[:, :rank] * S[:rank]) @ Vh.T[:rank]


def columns_of_full_v(W: Tensor, rank: int) -> Tensor:
    U, S, Vh = torch.linalg.svd(torch.as_tensor(W))
    return (U[:, :rank] * S[:rank]) @ Vh[:, :rank].T


def one_too_many(W: Tensor, rank: int) -> Tensor:
    U, S, Vh = _svd(W)
    return (U[:, : rank + 1] * S[: rank + 1]) @ Vh[: rank + 1]


def remainder(W: Tensor, rank: int) -> Tensor:
    U, S, Vh = _svd(W)
    return (U[:, rank:] * S[rank:]) @ Vh[rank:]


def values_squared(W: Tensor, rank: int) -> Tensor:
    U, S, Vh = _svd(W)
    return (U[:, :rank] * S[:rank] ** 2) @ Vh[:rank]


def first_rows(W: Tensor, rank: int) -> Tensor:
    out = torch.zeros_like(W)
    out[:rank] = W[:rank]
    return out


truncate = Exercise(
    id="lora.truncate",
    answer=answers.lora_truncate,
    cases=truncate_cases,
    parts=[Part("wide and square", 1, on="wide"), Part("tall", 1, on="tall")],
    misconceptions=[
        Misconception(
            "smallest_kept", smallest_kept,
            "You kept the smallest singular values. They come sorted from large to small: the first ones carry the most.",
        ),
        Misconception(
            "values_left_out", values_left_out,
            "The singular values are missing: put U, diag(S) and Vh together again.",
        ),
        Misconception(
            "v_not_transposed", v_not_transposed,
            "The right singular vectors got mixed up: linalg.svd returns V already transposed, so they are rows, Vh[:rank].",
        ),
        Misconception(
            "columns_of_full_v", columns_of_full_v,
            "You took columns of Vh. linalg.svd returns V already transposed: the right singular vectors are rows, Vh[:rank].",
        ),
        Misconception(
            "one_too_many", one_too_many,
            "You kept one piece too many: S[:rank] already holds the first `rank` values.",
        ),
        Misconception(
            "remainder", remainder,
            "This is what gets lost, W minus its approximation. Return what is kept.",
        ),
        Misconception(
            "values_squared", values_squared,
            "You squared the singular values. The squares add up to the energy; the matrix is made of the σ themselves.",
        ),
        Misconception(
            "first_rows", first_rows,
            "Keeping the first rows gives some matrix of that rank, not the nearest one. Use the singular value decomposition.",
        ),
    ],
)
