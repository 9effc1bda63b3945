"""Exercises of chapter 10 on codes: quantise, dequantise, pack."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.qlora as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- what is drawn ----------------------------------------------------------------------------------------------------


def rising_levels(rng: np.random.Generator, count: int) -> Tensor:
    """Levels from -1 to 1 at distances that grow outwards, 0 among them, as NF4 has them."""

    def half(n: int) -> Tensor:
        gaps = 1.6 ** torch.arange(n) * torch.from_numpy(0.8 + 0.4 * rng.random(n)).float()
        return torch.cumsum(gaps, 0) / gaps.sum()

    below = -half(count // 2).flip(0)
    return torch.cat([below, torch.zeros(1), half(count - count // 2 - 1)])


def weights(rng: np.random.Generator, levels: Tensor, blocks: int, size: int) -> Tensor:
    """Weights of blocks of different sizes, none of which lies near the middle of two levels, where rounding would decide."""
    middle = (levels[1:] + levels[:-1]) / 2
    ratio = normal(rng, blocks, size)
    ratio = ratio / ratio.abs().amax(1, keepdim=True)
    near = (ratio[..., None] - middle).abs().amin(-1) < 0.01
    nearest = levels[(ratio[..., None] - levels).abs().argmin(-1)]
    ratio = torch.where(near, nearest, ratio)
    sizes = torch.logspace(-1, 1, blocks)[torch.from_numpy(rng.permutation(blocks))]
    return (ratio * sizes[:, None]).reshape(-1)


# --- quantize ---------------------------------------------------------------------------------------------------------


def quantize_cases(rng: np.random.Generator) -> list[Case]:
    sixteen, five, nine = (rising_levels(rng, n) for n in (16, 5, 9))
    zeros = torch.cat([weights(rng, nine, 2, 12), torch.zeros(12), weights(rng, nine, 2, 12)])
    return [
        Case("16 levels, 5 blocks of 8", {"w": weights(rng, sixteen, 5, 8), "levels": sixteen, "block_size": 8}),
        Case("5 levels, 3 blocks of 4", {"w": -weights(rng, five, 3, 4), "levels": five, "block_size": 4}),
        Case("one block of zeros among five", {"w": zeros, "levels": nine, "block_size": 12}, "zeros"),
    ]


def _quantize(w: Tensor, levels: Tensor, block_size: int, *, constant: str = "absmax", nearest: str = "level") -> tuple:
    """The answer with one thing wrong, chosen by a keyword."""
    blocks = w.reshape(-1, block_size)
    absmax = blocks.abs().amax(1)
    if constant == "whole":
        absmax = absmax.max().expand(len(blocks)).clone()
    elif constant == "largest":
        absmax = blocks.amax(1)
    elif constant == "mean":
        absmax = blocks.abs().mean(1)
    elif constant == "strided":
        blocks = w.reshape(block_size, -1).T
        absmax = blocks.abs().amax(1)
    ratio = blocks if constant == "none" else blocks / torch.where(absmax == 0, 1.0, absmax)[:, None]
    if nearest == "level":
        codes = (ratio[..., None] - levels).abs().argmin(-1)
    elif nearest == "below":
        codes = (torch.bucketize(ratio, levels, right=True) - 1).clamp_min(0)
    else:
        codes = ((ratio + 1) / 2 * (len(levels) - 1)).round().long().clamp(0, len(levels) - 1)
    return (codes.T if constant == "strided" else codes).reshape(-1), absmax


def _wrong_quantize(**how: Any) -> Any:
    return lambda w, levels, block_size: _quantize(w, levels, block_size, **how)


def zero_block_divides(w: Tensor, levels: Tensor, block_size: int) -> tuple:
    codes, absmax = _quantize(w, levels, block_size)
    return torch.where(absmax.repeat_interleave(block_size) == 0, 0, codes), absmax  # argmin of nan is 0


quantize = Exercise(
    id="qlora.quantize",
    answer=answers.qlora_quantize,
    cases=quantize_cases,
    parts=[Part("codes", 2, of=0, on="main"), Part("constants", 1, of=1, on="main"), Part("a block of zeros", 1, on="zeros")],
    misconceptions=[
        Misconception(
            "one_constant_for_all", _wrong_quantize(constant="whole"),
            "You divided by the largest weight of all. Each block has a constant of its own; that is what blocks are for.",
        ),
        Misconception(
            "largest_not_absolute", _wrong_quantize(constant="largest"),
            "You took the largest weight of each block, with its sign. A block whose largest weight is negative then leaves the "
            "range "
            "from -1 to 1: take the absolute value first.",
        ),
        Misconception(
            "mean_size", _wrong_quantize(constant="mean"),
            "You divided by the mean size of a block's weights. Then its large weights lie beyond the last level, and are cut "
            "off.",
        ),
        Misconception(
            "not_divided", _wrong_quantize(constant="none"), earns=1,
            says="The constants are right, but the weights were not divided by them before the nearest level was looked up.",
        ),
        Misconception(
            "next_below", _wrong_quantize(nearest="below"), earns=1,
            says="You took the next level below. Nearest may be the one above, and that halves the error.",
        ),
        Misconception(
            "as_if_linear", _wrong_quantize(nearest="linear"), earns=1,
            says="You computed the code as if the levels had equal distances. They are given, and they have not: look for the "
            "nearest.",
        ),
        Misconception(
            "strided_blocks", _wrong_quantize(constant="strided"),
            "Your blocks take every so-and-so-manyth weight. A block is block_size weights that stand next to each other.",
        ),
        Misconception(
            "zero_divided_by_zero", zero_block_divides, earns=3,
            says="All is right but the block of zeros: 0 / 0 is nan, and the nearest level to nan is whatever comes first, here "
            "-1. "
            "Its codes should be those of the level nearest to 0.",
        ),
    ],
)

# --- dequantize -------------------------------------------------------------------------------------------------------


def dequantize_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, count: int, blocks: int, size: int, group: str) -> Case:
        levels = rising_levels(rng, count)
        w = weights(rng, levels, blocks, size)
        codes, absmax = answers.qlora_quantize(w, levels, size)
        absmax = absmax if absmax.argmax() else absmax.roll(1)  # the first constant is not the largest
        return Case(label, {"codes": codes, "absmax": absmax, "levels": levels, "block_size": size}, group)

    return [
        case("one block of 8", 16, 1, 8, "one"),
        case("4 blocks of 6", 16, 4, 6, "several"),
        case("6 blocks of 3, 5 levels", 5, 6, 3, "several"),
    ]


def tiled(codes: Tensor, absmax: Tensor, levels: Tensor, block_size: int) -> Tensor:
    return levels[codes.long()] * absmax.repeat(block_size)


dequantize = Exercise(
    id="qlora.dequantize",
    answer=answers.qlora_dequantize,
    cases=dequantize_cases,
    parts=[Part("one block", 1, on="one"), Part("several blocks", 2, on="several")],
    misconceptions=[
        Misconception(
            "constants_in_turn", tiled, earns=1,
            says="`absmax.repeat(block_size)` gives the constants in turn, weight by weight. A constant belongs to block_size "
            "weights "
            "that stand next to each other: `repeat_interleave`.",
        ),
        Misconception(
            "no_constant", lambda codes, absmax, levels, block_size: levels[codes.long()],
            "These are the levels, from -1 to 1. Each has to be multiplied by its block's constant.",
        ),
        Misconception(
            "largest_constant", lambda codes, absmax, levels, block_size: levels[codes.long()] * absmax.max(), earns=1,
            says="You multiplied all blocks by the largest constant. Each block has its own.",
        ),
        Misconception(
            "divided", lambda codes, absmax, levels, block_size: levels[codes.long()] / absmax.repeat_interleave(block_size),
            "You divided by the constants. Quantising divides; the way back multiplies.",
        ),
        Misconception(
            "first_constant", lambda codes, absmax, levels, block_size: levels[codes.long()] * absmax[0], earns=1,
            says="You used the constant of the first block for all.",
        ),
        Misconception(
            "codes_as_numbers",
            lambda codes, absmax, levels, block_size: (2 * codes / (len(levels) - 1) - 1) * absmax.repeat_interleave(block_size),
            "You turned the codes into numbers at equal distances from -1 to 1. A code is a place in `levels`.",
        ),
    ],
)

# --- pack -------------------------------------------------------------------------------------------------------------


def pack_cases(rng: np.random.Generator) -> list[Case]:
    def codes(pairs: int) -> Tensor:
        high = torch.from_numpy(rng.permutation(16)[:pairs])
        low = (high + 1 + torch.from_numpy(rng.integers(0, 14, pairs))) % 16  # never the same as the high one
        return torch.stack([high, low], 1).reshape(-1).to(torch.int64)

    several = [Case("8 codes", {"codes": codes(4)}), Case("20 codes", {"codes": codes(10)})]
    return [*several, Case("2 codes", {"codes": codes(1)}, "two")]


pack = Exercise(
    id="qlora.pack",
    answer=answers.qlora_pack,
    cases=pack_cases,
    parts=[Part("one byte", 1, on="two"), Part("several bytes", 2, on="main")],
    misconceptions=[
        Misconception(
            "first_in_the_low_half", lambda codes: codes[1::2] * 16 + codes[0::2],
            "The halves are exchanged: the first code of a pair belongs into the high half of the byte.",
        ),
        Misconception(
            "halves_of_the_list", lambda codes: codes[: len(codes) // 2] * 16 + codes[len(codes) // 2 :], earns=1,
            says="You paired the first half of the codes with the second half. A byte holds two codes that stand next to each "
            "other.",
        ),
        Misconception(
            "times_fifteen", lambda codes: codes[0::2] * 15 + codes[1::2],
            "You multiplied by 15. The high half of a byte counts sixteens.",
        ),
        Misconception(
            "shifted_by_eight", lambda codes: codes[0::2] * 256 + codes[1::2],
            "You moved the first code by eight bits: that is a whole byte further. Half a byte has four.",
        ),
        Misconception(
            "added", lambda codes: codes[0::2] + codes[1::2],
            "You added the two codes, and cannot tell them apart any more. The first counts sixteens.",
        ),
        Misconception(
            "not_moved", lambda codes: codes[0::2] | codes[1::2],
            "You laid the two codes on top of each other. The first has to be moved by four bits.",
        ),
    ],
)
