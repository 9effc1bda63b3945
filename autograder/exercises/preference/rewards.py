"""Exercises of chapter 07 on Bradley and Terry's model: a probability, and the loss of a reward model."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import solutions.preference as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- preferred_probability --------------------------------------------------------------------------------------------


def preferred_probability_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case("6 pairs", {"chosen": 1 + normal(rng, 6), "rejected": normal(rng, 6)}),
        Case("a matrix of pairs", {"chosen": 2 + normal(rng, 2, 3), "rejected": 2 + normal(rng, 2, 3)}),
        Case("rewards near ±1000", {
            "chosen": torch.tensor([1000.0, -1000.0, 1000.0, -999.0]) + normal(rng, 4, scale=0.1),
            "rejected": torch.tensor([999.0, -1000.5, -1000.0, 998.0]) + normal(rng, 4, scale=0.1),
        }, "large"),
    ]


def _exponentials(chosen: Tensor, rejected: Tensor) -> Tensor:
    return chosen.exp() / (chosen.exp() + rejected.exp())


preferred_probability = Exercise(
    id="preference.preferred_probability",
    answer=answers.preference_preferred_probability,
    cases=preferred_probability_cases,
    parts=[Part("value", 2, on="main"), Part("rewards of any size", 1, on="large")],
    misconceptions=[
        Misconception(
            "exponentials", _exponentials, earns=2,
            says="Right on paper. But exp(1000) is infinite, and infinite divided by infinite is not a number. Only the "
            "difference of the two rewards counts: write it so that nothing else is ever exponentiated.",
        ),
        Misconception(
            "other_way", lambda chosen, rejected: torch.sigmoid(rejected - chosen),
            "This is the probability that the *second* is preferred: it falls when the first one's reward grows.",
        ),
        Misconception(
            "chosen_alone", lambda chosen, rejected: torch.sigmoid(chosen),
            "You looked at the first reward only. A preference compares: adding a constant to both rewards must change nothing.",
        ),
        Misconception(
            "share", lambda chosen, rejected: chosen / (chosen + rejected),
            "This is the share of the first in the sum. Bradley and Terry's strengths are exp(reward), so that rewards may be "
            "negative.",
        ),
        Misconception(
            "hard", lambda chosen, rejected: (chosen > rejected).float(),
            "You decided for certain. People are not certain: a small difference is a probability near one half.",
        ),
    ],
)

# --- reward_loss ------------------------------------------------------------------------------------------------------


def reward_loss_cases(rng: np.random.Generator) -> list[Case]:
    large = torch.tensor([-1000.0, 700.0, -40.0, 3.0]) + normal(rng, 4)
    return [
        Case("5 pairs", {"chosen": 1 + normal(rng, 5), "rejected": normal(rng, 5)}),
        Case("7 pairs, most of them ranked wrongly", {"chosen": normal(rng, 7) - 1, "rejected": normal(rng, 7)}),
        Case("rewards near ±1000", {"chosen": large, "rejected": large.flip(0) * 0.5}, "large"),
    ]


reward_loss = Exercise(
    id="preference.reward_loss",
    answer=answers.preference_reward_loss,
    cases=reward_loss_cases,
    parts=[Part("value", 2, on="main"), Part("rewards of any size", 1, on="large")],
    misconceptions=[
        Misconception(
            "log_of_sigmoid", lambda chosen, rejected: -torch.sigmoid(chosen - rejected).log().mean(), earns=2,
            says="Right on paper. But where a pair is ranked badly wrong the sigmoid is rounded to 0 and its logarithm is "
            "infinite, and one such pair ends a training. Take the logarithm and the sigmoid in one step.",
        ),
        Misconception(
            "sum", lambda chosen, rejected: -F.logsigmoid(chosen - rejected).sum(),
            "This is the sum over the pairs. The mean is asked for, so that the rate does not depend on the batch.",
        ),
        Misconception(
            "other_way", lambda chosen, rejected: -F.logsigmoid(rejected - chosen).mean(),
            "It falls when the *rejected* response gets the higher reward: the two are the other way round.",
        ),
        Misconception(
            "probability", lambda chosen, rejected: (1 - torch.sigmoid(chosen - rejected)).mean(),
            "This is the mean probability of the other answer, not its log-likelihood. It hardly pushes where a pair is ranked "
            "badly wrong, which is where pushing is needed.",
        ),
        Misconception(
            "difference", lambda chosen, rejected: (rejected - chosen).mean(),
            "This is the mean difference of rewards. It has no minimum: rewards would grow for ever.",
        ),
        Misconception(
            "likelihood", lambda chosen, rejected: F.logsigmoid(chosen - rejected).mean(),
            "The sign is the other one: this is the log-likelihood, which is to be made large. A loss is to be made small.",
        ),
    ],
)
