"""An exercise of chapter 10: what a weight costs, its share of the constants included."""

from __future__ import annotations

from typing import Any

import numpy as np

import solutions.qlora as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part


def bits_per_parameter_cases(rng: np.random.Generator) -> list[Case]:
    block, second = 32 * integer(rng, 3, 9), 32 * integer(rng, 3, 9)
    return [
        Case("blocks of 64", {"block_size": 64, "second_block_size": None}, "single"),
        Case(f"blocks of {block}", {"block_size": block, "second_block_size": None}, "single"),
        Case("blocks of 64, of these 256", {"block_size": 64, "second_block_size": 256}, "double"),
        Case(f"blocks of {block}, of these {second}", {"block_size": block, "second_block_size": second}, "double"),
    ]


def _bits(single: Any, double: Any) -> Any:
    return lambda block_size, second_block_size: (
        single(block_size) if second_block_size is None else double(block_size, second_block_size)
    )


bits_per_parameter = Exercise(
    id="qlora.bits_per_parameter",
    answer=answers.qlora_bits_per_parameter,
    cases=bits_per_parameter_cases,
    tolerance=1e-6,
    parts=[Part("float32 constants", 1, on="single"), Part("8-bit constants", 2, on="double")],
    misconceptions=[
        Misconception(
            "codes_alone", _bits(lambda b: 4.0, lambda b, s: 4.0),
            "These are the codes alone. Every block has a constant, and its bits are shared out among the block's weights.",
        ),
        Misconception(
            "second_constants_forgotten", _bits(lambda b: 4 + 32 / b, lambda b, s: 4 + 8 / b), earns=1,
            says="You left out the float32 that the 8-bit constants share. It is little, but it is there: 32 bits for every "
            "block of "
            "blocks.",
        ),
        Misconception(
            "second_not_per_weight", _bits(lambda b: 4 + 32 / b, lambda b, s: 4 + 8 / b + 32 / s), earns=1,
            says="You spread the second constant over second_block_size weights. It serves that many *blocks*, so many more "
            "weights.",
        ),
        Misconception(
            "both_kept", _bits(lambda b: 4 + 32 / b, lambda b, s: 4 + 40 / b + 32 / (b * s)), earns=1,
            says="You kept the float32 constants as well. Double quantisation puts 8-bit constants in their place.",
        ),
        Misconception(
            "bytes", _bits(lambda b: 4 + 4 / b, lambda b, s: 4 + 1 / b + 4 / (b * s)),
            "You counted the constants in bytes and the codes in bits. A float32 has 32 bits.",
        ),
        Misconception(
            "what_constants_cost", _bits(lambda b: 32 / b, lambda b, s: 8 / b + 32 / (b * s)),
            "These are the constants alone. The weight's own four bits belong to it.",
        ),
        Misconception(
            "half_precision", _bits(lambda b: 4 + 16 / b, lambda b, s: 4 + 8 / b + 16 / (b * s)),
            "You counted constants of 16 bits. They are float32, and so is the one that the 8-bit constants share.",
        ),
    ],
)
