"""Exercises of chapter 06 on packing, on data, and a question in words."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import solutions.instruction as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part, Written

# --- block_mask -------------------------------------------------------------------------------------------------------


def block_mask_cases(rng: np.random.Generator) -> list[Case]:
    def segments(*lengths: int) -> Tensor:
        return torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))

    return [
        Case("one conversation of 4 tokens", {"segments": segments(4)}, "one"),
        Case("conversations of 3, 1 and 4 tokens", {"segments": segments(3, 1, 4)}, "several"),
        Case("two conversations", {"segments": segments(integer(rng, 2, 4), integer(rng, 5, 6)) + 3}, "several"),
    ]


def _allowed(segments: Tensor, *, causal: str = "tril", block: bool = True) -> Tensor:
    segments = torch.as_tensor(segments)
    full = torch.ones(len(segments), len(segments), dtype=torch.bool)
    seen = {"tril": full.tril(), "none": full, "triu": full.triu(), "strict": full.tril(-1)}[causal]
    return seen & (segments[:, None] == segments) if block else seen


block_mask = Exercise(
    id="instruction.block_mask",
    answer=answers.instruction_block_mask,
    cases=block_mask_cases,
    parts=[Part("one conversation", 1, on="one"), Part("several", 2, on="several")],
    misconceptions=[
        Misconception(
            "causal_only", lambda segments: _allowed(segments, block=False), earns=1,
            says="This is the causal mask alone: every conversation reads those before it in the row. That is the leak.",
        ),
        Misconception(
            "sees_the_future", lambda segments: _allowed(segments, causal="none"),
            "The conversations are kept apart, but within one a token sees what comes after it, and so the answer it is to "
            "predict.",
        ),
        Misconception(
            "transposed", lambda segments: _allowed(segments, causal="triu"),
            "Row i says where token i may look. Yours looks ahead: rows and columns are exchanged.",
        ),
        Misconception(
            "not_itself", lambda segments: _allowed(segments, causal="strict"),
            "A token may look at itself. The first of a conversation would have nothing to look at, and its softmax nothing to "
            "divide by.",
        ),
        Misconception(
            "forbidden", lambda segments: ~_allowed(segments),
            "Yours says what is forbidden. Asked is what is allowed (libraries have both; look before you pass one on).",
        ),
    ],
)

# --- break_even_quality -----------------------------------------------------------------------------------------------


def break_even_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case("1,000 at quality 1 against 52,000", {"samples": 1000, "quality": 1.0, "other_samples": 52_000}, "larger"),
        Case("a larger set", {"samples": 100 * integer(rng, 5, 9), "quality": float(rng.uniform(0.6, 0.95)),
                              "other_samples": 100 * integer(rng, 20, 60)}, "larger"),
        Case("a smaller set", {"samples": 3000, "quality": float(rng.uniform(0.7, 0.9)), "other_samples": 1000}, "smaller"),
    ]


break_even_quality = Exercise(
    id="instruction.break_even_quality",
    answer=answers.instruction_break_even_quality,
    cases=break_even_cases,
    parts=[Part("against a larger set", 1, on="larger"), Part("against a smaller set", 1, on="smaller")],
    misconceptions=[
        Misconception(
            "upside_down", lambda samples, quality, other_samples: quality * other_samples / samples,
            "The ratio is upside down: a larger set needs *less* quality for the same product.",
        ),
        Misconception(
            "quality_forgotten", lambda samples, quality, other_samples: samples / other_samples, earns=0,
            says="You left out the first set's own quality. What has to be equal are the products.",
        ),
        Misconception(
            "clipped", lambda samples, quality, other_samples: min(1.0, samples * quality / other_samples), earns=1,
            says="You cut the result at 1. Above 1 it says something: that no quality is enough for so small a set.",
        ),
        Misconception(
            "square_root", lambda samples, quality, other_samples: quality * (samples / other_samples) ** 0.5, earns=0,
            says="You gave the number of samples the exponent ½. In this law both have the same exponent, so it cancels.",
        ),
    ],
)

# --- choose_data ------------------------------------------------------------------------------------------------------

choose_data = Written(
    id="instruction.choose_data",
    answer=answers.instruction_choose_data,
    rubric=[
        (1, "chooses by measurements of the chapter: cites the grid of number and share of wrong responses, or the fit with "
        "two exponents"),
        (1, "says what the law N·q would predict for the three offers, and that it is not to be relied on"),
        (1, "sees that a set of one kind of instruction does not carry over to other kinds, and cites the measurement at a "
        "fixed number"),
        (1, "says what to measure first: small samples of each offer, several seeds, held-out wordings, a check of A's share "
        "of errors by hand"),
        (1, "says of at least one measurement why it may not carry over: random errors against systematic ones, a fresh model, "
        "the size"),
    ],
)
