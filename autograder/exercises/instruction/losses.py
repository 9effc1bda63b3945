"""Exercises of chapter 06 on the loss of a response, and on who gets how much of a step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.instruction as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- response_loss ----------------------------------------------------------------------------------------------------


def response_loss_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, spans: list[tuple[int, int]], group: str = "batch") -> Case:
        batch, seq, vocab = len(spans), max(end for _, end in spans) + 1, 6
        labels = torch.full((batch, seq), -100)
        for row, (begin, end) in enumerate(spans):
            labels[row, begin:end] = torch.from_numpy(rng.integers(0, vocab, end - begin))
        return Case(label, {"logits": normal(rng, batch, seq, vocab, scale=2.0), "labels": labels}, group)

    return [
        case("one response", [(2, 6)], "one"),
        case("responses of 2 and 7 tokens", [(4, 6), (1, 8)]),
        case("three rows, one of them without a label", [(3, 9), (5, 5), (2, 4)]),
    ]


def _loss(
    logits: Tensor, labels: Tensor, *, shift: int = 1, mean: str = "tokens", sign: float = -1.0, soft: bool = False
) -> float:
    """The answer with one thing wrong, chosen by a keyword."""
    logits, labels = torch.as_tensor(logits), torch.as_tensor(labels)
    if shift == 1:
        logits, labels = logits[:, :-1], labels[:, 1:]
    elif shift == -1:
        logits, labels = logits[:, 1:], labels[:, :-1]
    logits = logits.softmax(-1) if soft else logits
    log_p = logits.log_softmax(-1).gather(-1, labels.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    counted = labels != -100
    each = log_p if mean == "all as token 0" else log_p * counted
    sums = {
        "tokens": each.sum() / counted.sum(), "sum": each.sum(), "places": each.mean(), "all as token 0": each.mean(),
        "rows": (each.sum(1) / counted.sum(1).clamp(min=1))[counted.any(1)].mean(), "a row": each.sum() / len(each),
    }
    return sign * sums[mean].item()


def _wrong_loss(**how: Any) -> Callable[..., float]:
    return lambda logits, labels: _loss(logits, labels, **how)


response_loss = Exercise(
    id="instruction.response_loss",
    answer=answers.instruction_response_loss,
    cases=response_loss_cases,
    parts=[Part("one response", 1, on="one"), Part("several responses", 2, on="batch")],
    misconceptions=[
        Misconception(
            "not_shifted", _wrong_loss(shift=0),
            "You held each position's logits against the token at that position, which the model has just read. Shift by one.",
        ),
        Misconception(
            "shifted_back", _wrong_loss(shift=-1),
            "You shifted the wrong way: the logits at a position are about the next token, so drop the last logits and the "
            "first label.",
        ),
        Misconception(
            "mean_of_rows", _wrong_loss(mean="rows"), earns=1,
            says="You took the mean of each response and then the mean of those. Asked is the mean over all counted tokens of "
            "the batch: "
            "a long response counts for more.",
        ),
        Misconception(
            "all_places", _wrong_loss(mean="places"),
            "You divided by all positions. Those with -100 are neither in the sum nor in the count.",
        ),
        Misconception(
            "ignored_as_token", _wrong_loss(mean="all as token 0"),
            "You counted the -100 as if they were some token. They have to be left out.",
        ),
        Misconception("sum", _wrong_loss(mean="sum"), "This is the sum. Divide it by the number of counted tokens."),
        Misconception(
            "a_row", _wrong_loss(mean="a row"),
            "You divided the sum by the number of rows. It is a mean over tokens.",
        ),
        Misconception("other_sign", _wrong_loss(sign=1.0), "This is the log-likelihood. The loss is what one minimises: minus "
        "that."),
        Misconception(
            "softmax_twice", _wrong_loss(soft=True),
            "You took the softmax twice: cross_entropy and log_softmax expect logits, not probabilities.",
        ),
    ],
)

# --- share_of_gradient ------------------------------------------------------------------------------------------------


def share_cases(rng: np.random.Generator) -> list[Case]:
    short, long = integer(rng, 2, 6), integer(rng, 30, 60)
    drawn = [integer(rng, 2, 12), integer(rng, 20, 60), integer(rng, 13, 19), integer(rng, 61, 90)]
    return [
        Case("two responses, mean over tokens", {"lengths": [short, long], "mean": "token", "micro_batch": 1}, "token"),
        Case("four responses, mean over tokens", {"lengths": drawn, "mean": "token", "micro_batch": 2}, "token"),
        Case("four responses, mean over sequences", {"lengths": drawn, "mean": "sequence", "micro_batch": 2}, "sequence"),
        Case("accumulated, two at a time", {"lengths": drawn, "mean": "accumulated", "micro_batch": 2}, "accumulated"),
        Case("accumulated, one at a time", {"lengths": drawn, "mean": "accumulated", "micro_batch": 1}, "accumulated"),
    ]


def _by_length(lengths: list[int]) -> tuple[float, ...]:
    return tuple(length / sum(lengths) for length in lengths)


def _equal(lengths: list[int]) -> tuple[float, ...]:
    return (1 / len(lengths),) * len(lengths)


def _inverse(lengths: list[int]) -> tuple[float, ...]:
    return tuple(1 / length / sum(1 / other for other in lengths) for length in lengths)


def _sums_of_pieces(lengths: list[int], micro_batch: int) -> tuple[float, ...]:
    """A piece is shared out evenly, and pieces count by their tokens."""
    pieces = [lengths[i : i + micro_batch] for i in range(0, len(lengths), micro_batch)]
    return tuple(sum(piece) / sum(lengths) / len(piece) for piece in pieces for _ in piece)


share_of_gradient = Exercise(
    id="instruction.share_of_gradient",
    answer=answers.instruction_share_of_gradient,
    cases=share_cases,
    parts=[Part("mean over tokens", 1, on="token"), Part("mean over sequences", 1, on="sequence"),
           Part("accumulated", 2, on="accumulated")],
    misconceptions=[
        Misconception(
            "always_equal", lambda lengths, mean, micro_batch: _equal(lengths), earns=1,
            says="You gave every response the same share. In a mean over tokens a response of 60 tokens has ten times the "
            "share of one of 6.",
        ),
        Misconception(
            "always_by_length", lambda lengths, mean, micro_batch: _by_length(lengths), earns=1,
            says="You let every mean share out by length. A mean over sequences gives each response the same, whatever its "
            "length.",
        ),
        Misconception(
            "accumulation_changes_nothing",
            lambda lengths, mean, micro_batch: _equal(lengths) if mean == "sequence" else _by_length(lengths), earns=2,
            says="You took accumulation for the mean over the whole batch. The mean of the pieces' means is another number, "
            "unless all pieces "
            "have equally many tokens.",
        ),
        Misconception(
            "accumulated_is_sequence",
            lambda lengths, mean, micro_batch: _by_length(lengths) if mean == "token" else _equal(lengths), earns=2,
            says="You took accumulation for the mean over sequences. That is so with one response a piece; within a piece of "
            "several the longer "
            "ones have more.",
        ),
        Misconception(
            "upside_down", lambda lengths, mean, micro_batch: _inverse(lengths) if mean == "token" else _equal(lengths),
            earns=1, says="You gave short responses the larger share of a mean over tokens. A token is a token: the response "
            "with more of them has "
            "more.",
        ),
        Misconception(
            "pieces_the_wrong_way",
            lambda lengths, mean, micro_batch: _sums_of_pieces(lengths, micro_batch) if mean == "accumulated" else
            _equal(lengths) if mean == "sequence" else _by_length(lengths), earns=2,
            says="It is the other way about: each piece counts the same, and within a piece the tokens do.",
        ),
    ],
)
