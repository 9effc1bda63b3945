"""Exercises of chapter 10: what a weight costs, its share of the constants included, and the scale that MXFP4 shares."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from torch import Tensor

import solutions.qlora as answers
from autograder.exercises.draws import integer, normal
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

# --- shared_scale -----------------------------------------------------------------------------------------------------


def shared_scale_cases(rng: np.random.Generator) -> list[Case]:
    def block(largest: float) -> Tensor:
        drawn = normal(rng, 32)
        drawn = drawn.clamp(-2, 2) / 4  # nothing above a half
        drawn[integer(rng, 0, 31)] = largest / abs(largest)
        return drawn * abs(largest)

    powers = [2.0 ** integer(rng, 2, 6), 2.0 ** -integer(rng, 4, 9)]
    between = [1.3 * powers[0], 1.7 * powers[0], 1.6 * powers[1]]
    return [
        *[Case(f"the largest is {w:.3g}", {"block": block(w)}, "between") for w in between],
        *[Case(f"the largest is {w:g}, a power of two", {"block": block(w)}, "power") for w in powers],
        Case("the largest is negative", {"block": block(-1.4 * powers[0])}, "negative"),
    ]


def _scale(of: Any = lambda block: float(block.abs().max()), *, whole: Any = math.floor, less: int = 2) -> Any:
    return lambda block: 2.0 ** (whole(math.log2(of(block))) - less)


shared_scale = Exercise(
    id="qlora.shared_scale",
    answer=answers.qlora_shared_scale,
    cases=shared_scale_cases,
    parts=[Part("a largest weight between two powers", 1, on="between"),
           Part("a largest weight that is a power of two", 1, on="power"),
           Part("a negative largest weight", 1, on="negative")],
    misconceptions=[
        Misconception("no_power", lambda block: float(block.abs().max()) / 6,
                      "You took the scale that puts the largest weight exactly on the largest level. MXFP4 has 8 bits for the "
                      "scale, all of them exponent: it has to be a power of two."),
        Misconception("rounded_up", _scale(whole=math.ceil), earns=1,
                      says="You rounded the exponent up. The specification rounds down, so that the largest weight may lie above "
                           "the largest level and is cut off there."),
        Misconception("nothing_taken_off", _scale(less=0),
                      "The 2 is missing. The largest level is not 1 but 6, whose exponent is 2: the scale is smaller by that."),
        Misconception("off_by_one", _scale(less=3),
                      "You took 3 off. The exponent of 6 = 1.5 · 2² is 2."),
        Misconception("largest_with_its_sign", _scale(lambda block: float(block.max())), earns=2,
                      says="You took the largest weight with its sign. A large negative weight counts as much."),
        Misconception("exponent", lambda block: float(math.floor(math.log2(float(block.abs().max()))) - 2),
                      "This is the exponent. The scale is two to the power of it."),
    ],
)
