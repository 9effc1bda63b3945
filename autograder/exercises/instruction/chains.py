"""Exercises of chapter 06 on chains of thought and on length."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.instruction as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- chain_loss -------------------------------------------------------------------------------------------------------


def chain_cases(rng: np.random.Generator) -> list[Case]:
    def chain(*lengths: int) -> list[Tensor]:
        return [-normal(rng, length).abs() - 0.1 * (number + 1) for number, length in enumerate(lengths)]

    return [
        Case("steps of 4, 9 and 2 tokens, an answer of 3", {"steps": chain(4, 9, 2, 3)}),
        Case(f"a step of {(n := integer(rng, 10, 20))} tokens, an answer of 1", {"steps": chain(n, 1)}),
        Case("no reasons: an answer of 5 tokens", {"steps": chain(5)}, "answer"),
    ]


def _chain(function: Callable[[list[Tensor]], Any]) -> Callable[..., float]:
    return lambda steps: float(function([torch.as_tensor(step) for step in steps]))


chain_loss = Exercise(
    id="instruction.chain_loss",
    answer=answers.instruction_chain_loss,
    cases=chain_cases,
    parts=[Part("reasons and an answer", 2, on="main"), Part("an answer alone", 1, on="answer")],
    misconceptions=[
        Misconception(
            "by_steps", _chain(lambda steps: -sum(step.sum() for step in steps) / len(steps)),
            "You divided by the number of steps, K + 1. The formula is often printed so. The loss is a mean over tokens, and "
            "the steps have "
            "many each.",
        ),
        Misconception(
            "mean_of_means", _chain(lambda steps: -sum(step.mean() for step in steps) / len(steps)), earns=1,
            says="You took each step's mean and then the mean of those. Then a token of a short step counts for more than one "
            "of a long step.",
        ),
        Misconception("sum", _chain(lambda steps: -torch.cat(steps).sum()), "This is the sum. Divide by the number of tokens."),
        Misconception(
            "answer_only", _chain(lambda steps: -steps[-1].mean()), earns=1,
            says="You counted the answer alone. The reasons are part of the response, and are learned with it.",
        ),
        Misconception(
            "reasons_divisor", _chain(lambda steps: -torch.cat(steps).sum() / max(1, sum(map(len, steps[:-1])))),
            "The sum is right, and the divisor lacks the answer's tokens.",
        ),
        Misconception("other_sign", _chain(lambda steps: torch.cat(steps).mean()), "The sign: a loss is minus the "
        "log-likelihood."),
    ],
)

# --- answer_log_probability -------------------------------------------------------------------------------------------


def answer_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, seq: int, start: int, group: str = "several") -> Case:
        ids = torch.from_numpy(rng.integers(0, 7, seq))
        inputs = {"logits": normal(rng, seq, 7, scale=1.5), "input_ids": ids, "answer_start": start}
        return Case(label, inputs, group)

    return [
        case("the last 3 of 9 tokens", 9, 6), case("the last 5 of 12 tokens", 12, 7), case("the last token", 8, 7, "one token"),
    ]


def _answer(logits: Tensor, input_ids: Tensor, answer_start: int, *, shift: int = 1, mean: bool = False, begin: int = 0,
            log: bool = True, sign: float = 1.0) -> float:
    """The answer with one thing wrong, chosen by a keyword."""
    log_p, ids = torch.as_tensor(logits).log_softmax(-1), torch.as_tensor(input_ids)
    places = range(begin or answer_start, len(ids))
    found = torch.stack([log_p[at - shift, ids[at]] for at in places])
    total = found.mean() if mean else found.sum()
    return sign * (total if log else total.exp()).item()


def _wrong_answer(**how: Any) -> Callable[..., float]:
    return lambda logits, input_ids, answer_start: _answer(logits, input_ids, answer_start, **how)


answer_log_probability = Exercise(
    id="instruction.answer_log_probability",
    answer=answers.instruction_answer_log_probability,
    cases=answer_cases,
    parts=[Part("an answer of several tokens", 2, on="several"), Part("an answer of one token", 1, on="one token")],
    misconceptions=[
        Misconception(
            "not_shifted", _wrong_answer(shift=0),
            "You read the logits at the answer's own positions. The token at a position is predicted by the logits one before "
            "it.",
        ),
        Misconception(
            "mean", _wrong_answer(mean=True), earns=1,
            says="This is a mean a token. The probability of the whole answer is a product over its tokens, so its logarithm "
            "is the sum.",
        ),
        Misconception(
            "reasons_too", _wrong_answer(begin=1),
            "You added up the question and the reasons as well: that is the log-probability of everything. Asked is the "
            "answer, given those.",
        ),
        Misconception(
            "probability", _wrong_answer(log=False), "This is the probability. Asked is its logarithm, in nats.",
        ),
        Misconception("loss", _wrong_answer(sign=-1.0), "The sign is that of a loss. A log-probability is at most 0."),
    ],
)

# --- length_weight ----------------------------------------------------------------------------------------------------


def length_cases(rng: np.random.Generator) -> list[Case]:
    longest, gamma = integer(rng, 20, 60), float(rng.uniform(0.02, 0.06))
    return [
        Case("half the length", {"length": longest // 2, "max_length": longest, "gamma": gamma}, "short"),
        Case("exactly max_length", {"length": longest, "max_length": longest, "gamma": gamma}, "short"),
        Case("15 tokens too long", {"length": longest + 15, "max_length": longest, "gamma": gamma}, "long"),
        Case("twice as long, gamma 0.01", {"length": 2 * longest, "max_length": longest, "gamma": 0.01}, "long"),
    ]


length_weight = Exercise(
    id="instruction.length_weight",
    answer=answers.instruction_length_weight,
    cases=length_cases,
    parts=[Part("up to max_length", 1, on="short"), Part("beyond it", 2, on="long")],
    misconceptions=[
        Misconception(
            "no_limit", lambda length, max_length, gamma: math.exp(-gamma * (length - max_length)), earns=2,
            says="Below max_length your weight is above 1: short examples would count for more than others. Only the excess "
            "counts.",
        ),
        Misconception(
            "whole_length", lambda length, max_length, gamma: math.exp(-gamma * length),
            "You weight by the whole length. What counts is how far it is above max_length.",
        ),
        Misconception(
            "grows", lambda length, max_length, gamma: math.exp(gamma * max(0, length - max_length)), earns=1,
            says="Your weight grows with the length. The sign of the exponent is minus.",
        ),
        Misconception(
            "cut_off", lambda length, max_length, gamma: float(length <= max_length), earns=1,
            says="You throw long examples away. They are to count for less, the more so the longer they are.",
        ),
        Misconception(
            "straight", lambda length, max_length, gamma: 1 - gamma * max(0, length - max_length), earns=1,
            says="A straight line becomes negative for long examples, and the model would unlearn them. Each token more "
            "multiplies by exp(-gamma).",
        ),
        Misconception(
            "relative", lambda length, max_length, gamma: math.exp(-gamma * max(0, length / max_length - 1)), earns=1,
            says="You took the excess as a share of max_length. It is counted in tokens.",
        ),
        Misconception(
            "penalty", lambda length, max_length, gamma: gamma * max(0, length - max_length),
            "This is a penalty, to be added to a loss. Asked is a weight, by which an example's loss is multiplied.",
        ),
    ],
)
