"""Exercises of chapter 07 on learning from preferences directly, and from groups."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import solutions.preference as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- dpo_loss ---------------------------------------------------------------------------------------------------------


def dpo_loss_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, pairs: int, beta: float, spread: float, group: str = "main") -> Case:
        reference = -20 + 4 * normal(rng, 2, pairs)
        policy = reference + spread * normal(rng, 2, pairs) + torch.tensor([[0.5], [-0.5]])
        names = ("policy_chosen", "policy_rejected", "reference_chosen", "reference_rejected")
        return Case(label, dict(zip(names, [*policy, *reference], strict=True)) | {"beta": beta}, group)

    far = case("log-ratios of many hundred", 4, 1.0, 1.0, "large")
    far.inputs["policy_chosen"][:2] -= 600
    return [
        case("5 pairs, beta 0.5", 5, 0.5, 2.0),
        case("7 pairs, beta 0.1", 7, 0.1, 5.0),
        far,
    ]


def _loss(margin: Tensor, beta: float) -> Tensor:
    return -F.logsigmoid(beta * margin).mean()


dpo_loss = Exercise(
    id="preference.dpo_loss",
    answer=answers.preference_dpo_loss,
    cases=dpo_loss_cases,
    parts=[Part("value", 3, on="main"), Part("log-ratios of any size", 1, on="large")],
    misconceptions=[
        Misconception(
            "log_of_sigmoid",
            lambda policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta: -torch.sigmoid(
                beta * (policy_chosen - reference_chosen - policy_rejected + reference_rejected)).log().mean(),
            earns=3,
            says="Right on paper. But the sigmoid of a large negative number is rounded to 0, and its logarithm is infinite: "
            "take the two in one step.",
        ),
        Misconception(
            "no_reference",
            lambda policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta: _loss(
                policy_chosen - policy_rejected, beta),
            "The reference is missing. Then a response that was likelier from the start is taken for a better one, and nothing "
            "holds the policy.",
        ),
        Misconception(
            "swapped",
            lambda policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta: _loss(
                policy_rejected - reference_rejected - policy_chosen + reference_chosen, beta),
            "Chosen and rejected are exchanged: this loss falls when the rejected response becomes likelier.",
        ),
        Misconception(
            "reference_first",
            lambda policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta: _loss(
                (policy_chosen - policy_rejected) + (reference_chosen - reference_rejected), beta),
            "You added the reference's log-ratio. It is subtracted: what counts is how far the policy has *moved* from the "
            "reference.",
        ),
        Misconception(
            "no_beta",
            lambda policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta: _loss(
                policy_chosen - reference_chosen - policy_rejected + reference_rejected, 1.0),
            "β is missing inside the sigmoid. (At the last case, where β = 1, nobody would notice.)", earns=1,
        ),
        Misconception(
            "beta_outside",
            lambda policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta: beta * _loss(
                policy_chosen - reference_chosen - policy_rejected + reference_rejected, 1.0),
            "You multiplied the loss by β. It belongs inside, where it decides how far the policy has to move before a pair is "
            "done.", earns=1,
        ),
        Misconception(
            "sum",
            lambda policy_chosen, policy_rejected, reference_chosen, reference_rejected, beta: len(policy_chosen) * _loss(
                policy_chosen - reference_chosen - policy_rejected + reference_rejected, beta),
            "This is the sum over the pairs; the mean is asked for.",
        ),
    ],
)

# --- group_advantages -------------------------------------------------------------------------------------------------


def group_advantages_cases(rng: np.random.Generator) -> list[Case]:
    level = torch.from_numpy(6 * rng.permutation(4)).float()[:, None]  # prompts that are easier and harder
    spread = torch.tensor([[2.0], [3.0], [5.0], [8.0]])
    right = torch.zeros(3, 6)
    for row, count in enumerate((1, 3, 5)):
        right[row, torch.from_numpy(rng.permutation(6)[:count])] = 1
    tied = torch.stack([torch.ones(5), torch.zeros(5), 2e-4 * normal(rng, 5)])
    return [
        Case("4 groups of 5 samples", {"rewards": level + spread * normal(rng, 4, 5)}),
        Case("right or wrong, 3 groups of 6 samples", {"rewards": right}),
        Case("groups whose samples are all alike, or nearly", {"rewards": tied}, "alike"),
    ]


def _centred(rewards: Tensor) -> Tensor:
    return rewards - rewards.mean(dim=1, keepdim=True)


group_advantages = Exercise(
    id="preference.group_advantages",
    answer=answers.preference_group_advantages,
    cases=group_advantages_cases,
    parts=[Part("shape", 1, shape_only=True), Part("value", 2, on="main"), Part("groups without variance", 1, on="alike")],
    tolerance=1e-3,  # the 1e-4 beside an ordinary deviation is no mistake to be marked twice
    misconceptions=[
        Misconception(
            "over_the_batch", lambda rewards: (rewards - rewards.mean()) / (rewards.std() + 1e-4), earns=1,
            says="You took mean and deviation over the whole batch. Then all samples of an easy prompt look good: each group is "
            "its own baseline.",
        ),
        Misconception(
            "down_the_columns", lambda rewards: (rewards - rewards.mean(0)) / (rewards.std(0) + 1e-4), earns=1,
            says="You went down the columns: that compares samples of different prompts. A group is a row.",
        ),
        Misconception(
            "divided_by_n", lambda rewards: _centred(rewards) / (rewards.std(1, correction=0, keepdim=True) + 1e-4), earns=1,
            says="Your standard deviation divides by n. For a sample of n it is n - 1, and with groups of 5 that is 12 % more.",
        ),
        Misconception(
            "no_deviation", _centred, earns=1,
            says="You left the standard deviation out. (Dr. GRPO does so on purpose; here it is asked for.)",
        ),
        Misconception(
            "no_epsilon", lambda rewards: _centred(rewards) / rewards.std(1, keepdim=True), earns=3,
            says="Where all samples are alike you divide 0 by 0. The 1e-4 in the denominator makes those advantages 0: such a "
            "group teaches nothing.",
        ),
        Misconception(
            "variance", lambda rewards: _centred(rewards) / (rewards.var(1, keepdim=True) + 1e-4), earns=1,
            says="You divided by the variance. Its root, the standard deviation, has the rewards' own unit.",
        ),
    ],
)
