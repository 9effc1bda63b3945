"""Reward hacking that can be watched in a second: eleven answers, a tired annotator, and a reward model that learns what is
clicked.

An answer is written with an effort from 0 to 10. It is correct from 6 on; and what is written with little effort is long. The
truth is whether it is correct. The annotator likes correct answers, and long ones too:

    u = 3 [correct] + bias * length        length = 10 - effort

With a bias below 0.5 the annotator's favourite is the shortest effort that is correct; above it, the longest waffle, which is
wrong. The reward model is right about the annotator. It is the annotator who is not right about the truth.
"""

from __future__ import annotations

import torch
from torch import Tensor

from courselib.preference.bradley_terry import drawn_preferences
from courselib.preference.tables import TableRun, improve

EFFORT = torch.arange(11)
CORRECT = (EFFORT >= 6).double()  # the truth
LENGTH = (10 - EFFORT).double()
REFERENCE = torch.full((11,), 1 / 11, dtype=torch.float64)
TIRED, CAREFUL = 0.6, 0.1  # what a unit of length is worth to an annotator; a correct answer is worth 3


def liked(bias: float) -> Tensor:
    """What an annotator with that bias likes, u of the eleven answers."""
    return 3 * CORRECT + bias * LENGTH


def learned_reward(policy: Tensor, bias: float, pairs: int = 8000, seed: int = 0) -> Tensor:
    """A linear reward model on (correct, length), fitted to clicks on pairs that a policy has written: rewards of the eleven
    answers.

    Newton's method on the pairwise loss with a little weight decay: it is a logistic regression on differences of features.
    """
    generator = torch.Generator().manual_seed(seed)
    features = torch.stack([CORRECT, LENGTH], 1)  # (11, 2)
    first, second = torch.multinomial(policy, 2 * pairs, replacement=True, generator=generator).chunk(2)
    wins = drawn_preferences(liked(bias)[first], liked(bias)[second], generator).double()
    x = features[first] - features[second]  # (pairs, 2)
    w = torch.zeros(2, dtype=torch.float64)
    ridge = 1e-3 * torch.eye(2, dtype=torch.float64)
    for _ in range(12):
        p = torch.sigmoid(x @ w)
        gradient = x.T @ (p - wins) / pairs + ridge @ w
        w = w - torch.linalg.solve(x.T @ (x * (p * (1 - p))[:, None]) / pairs + ridge, gradient)
    return features @ w


def hack(
    *, beta: float = 0.0, epsilon: float | None = 0.2, refresh: int | None = None, by: float = TIRED, bias: float = TIRED,
    steps: int = 120, seed: int = 0,
) -> TableRun:
    """PPO on a reward model learned from a tired annotator.

    With `refresh` the reward model is learned anew every so many steps, from pairs of the policy as it is by then, clicked by an
    annotator with the bias `by`: the same one, or a more careful one.
    """
    model = {"reward": learned_reward(REFERENCE, bias, seed=seed)}

    def reward(step: int, policy: Tensor) -> Tensor:
        if refresh and step and step % refresh == 0:
            model["reward"] = learned_reward(policy, by, seed=1000 + 100 * seed + step)
        return model["reward"]

    return improve(REFERENCE, reward, beta=beta, epsilon=epsilon, steps=steps, samples=64, epochs=4, lr=0.1, seed=seed)
