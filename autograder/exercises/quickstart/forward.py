"""Exercises of chapter 00: one, small enough to see how an exercise works."""

import numpy as np
from torch import Tensor

import solutions.quickstart as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part


def lora_forward_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, n: int, d_in: int, d_out: int, rank: int, group: str) -> Case:
        inputs = {"x": normal(rng, n, d_in), "W0": normal(rng, d_out, d_in)}
        inputs |= {"lora_A": normal(rng, rank, d_in), "lora_B": normal(rng, d_out, rank)}
        return Case(label, inputs, group)

    return [
        case("3 rows, d_in 5, d_out 4, rank 2", 3, 5, 4, 2, "main"),
        case("2 rows, square layer, rank 3", 2, 6, 6, 3, "main"),
        case("one row, rank 1", 1, 4, 7, 1, "one row"),
    ]


def base_only(x: Tensor, W0: Tensor, lora_A: Tensor, lora_B: Tensor) -> Tensor:
    return x @ W0.T


def update_only(x: Tensor, W0: Tensor, lora_A: Tensor, lora_B: Tensor) -> Tensor:
    return x @ lora_A.T @ lora_B.T


def not_transposed(x: Tensor, W0: Tensor, lora_A: Tensor, lora_B: Tensor) -> Tensor:
    return x @ W0 + x @ lora_A.T @ lora_B.T


def scaled(x: Tensor, W0: Tensor, lora_A: Tensor, lora_B: Tensor) -> Tensor:
    return x @ W0.T + x @ lora_A.T @ lora_B.T / lora_A.shape[0]


lora_forward = Exercise(
    id="quickstart.lora_forward",
    answer=answers.lora_forward,
    cases=lora_forward_cases,
    parts=[
        Part("shape", 1, shape_only=True),
        Part("value", 2, on="main"),
        Part("one row", 1, on="one row"),
    ],
    misconceptions=[
        Misconception(
            "base_only", base_only, earns=1,
            says="This is the frozen layer alone. Add the low-rank path: x goes through A, then through B.",
        ),
        Misconception(
            "update_only", update_only, earns=1,
            says="This is the low-rank update alone. LoRA adds it to the frozen layer's output; it does not replace it.",
        ),
        Misconception(
            "not_transposed", not_transposed, earns=0,
            says="You multiplied by W0 where W0.T is needed. torch stores a layer as (d_out, d_in), so a row x goes through it "
            "as x @ W0.T. With a square W0 both run, and only one is right.",
        ),
        Misconception(
            "scaled", scaled, earns=2,
            says="You divided the update by the rank. Here the update is added as it is; the factor alpha / r comes "
            "in chapter 08.",
        ),
    ],
)

