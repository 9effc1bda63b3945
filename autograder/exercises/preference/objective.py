"""Exercises of chapter 07 on the KL-regularised objective of a policy that is a table."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import solutions.preference as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part


def distribution(rng: np.random.Generator, actions: int) -> Tensor:
    """Probabilities of which none is tiny and no two are alike."""
    return (0.8 * normal(rng, actions)).softmax(-1)


# --- best_policy ------------------------------------------------------------------------------------------------------


def best_policy_cases(rng: np.random.Generator) -> list[Case]:
    order = torch.from_numpy(rng.permutation(5)).float()
    return [
        Case("5 actions, beta 0.5", {"reference": distribution(rng, 5), "reward": normal(rng, 5), "beta": 0.5}),
        Case("4 actions, beta 2, rewards around 10", {
            "reference": distribution(rng, 4), "reward": 10 + 2 * normal(rng, 4), "beta": 2.0}),
        Case("5 actions, beta 0.001", {"reference": distribution(rng, 5), "reward": 1 + 0.002 * order, "beta": 0.001}, "small"),
    ]


def _plain(reference: Tensor, reward: Tensor, beta: float) -> Tensor:
    weights = reference * torch.exp(reward / beta)
    return weights / weights.sum()


best_policy = Exercise(
    id="preference.best_policy",
    answer=answers.preference_best_policy,
    cases=best_policy_cases,
    parts=[Part("value", 2, on="main"), Part("beta 0.001", 1, on="small")],
    tolerance=1e-3,  # rewards divided by 0.001 in float32
    misconceptions=[
        Misconception(
            "overflow", _plain, earns=2,
            says="The formula is right, and exp(1 / 0.001) is infinite. Stay in logarithms, log π_ref + r / β, and let a softmax "
            "normalise.",
        ),
        Misconception(
            "no_reference", lambda reference, reward, beta: (reward / beta).softmax(-1),
            "The reference is missing: this is the best policy for an entropy bonus. What the reference never says, the optimum "
            "hardly says either.",
        ),
        Misconception(
            "beta_multiplied", lambda reference, reward, beta: (reference.log() + reward * beta).softmax(-1),
            "You multiplied by β. A large β holds the policy to the reference, so the reward is *divided* by it.",
        ),
        Misconception(
            "not_in_logs", lambda reference, reward, beta: (reference + reward / beta).softmax(-1),
            "You added the reference's probabilities where their logarithms belong: exp(log π_ref + r / β) = π_ref · exp(r / β).",
        ),
        Misconception(
            "greedy", lambda reference, reward, beta: torch.eye(len(reward))[reward.argmax()],
            "This takes the action of the highest reward and nothing else: the limit β → 0. At this β the divergence is worth "
            "something.",
        ),
    ],
)

# --- objective --------------------------------------------------------------------------------------------------------


def objective_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, actions: int, beta: float, zeros: int = 0, group: str = "main") -> Case:
        policy = distribution(rng, actions)
        policy[:zeros] = 0
        inputs = {"policy": policy / policy.sum(), "reference": distribution(rng, actions), "reward": 1 + normal(rng, actions),
                  "beta": beta}
        return Case(label, inputs, group)

    return [
        case("5 actions, beta 0.7", 5, 0.7),
        case("3 actions, beta 2", 3, 2.0),
        case("6 actions, two of which the policy never takes", 6, 1.5, 2, "zeros"),
    ]


def _minus(kl: Tensor, policy: Tensor, reward: Tensor, beta: float) -> Tensor:
    return (policy * reward).sum() - beta * kl


def _kl(p: Tensor, q: Tensor) -> Tensor:
    return (torch.xlogy(p, p) - torch.xlogy(p, q)).sum()


objective = Exercise(
    id="preference.objective",
    answer=answers.preference_objective,
    cases=objective_cases,
    parts=[Part("value", 2, on="main"), Part("zeros in the policy", 1, on="zeros")],
    misconceptions=[
        Misconception(
            "zero_times_infinite",
            lambda policy, reference, reward, beta: _minus((policy * (policy / reference).log()).sum(), policy, reward, beta),
            earns=2,
            says="Right where the policy takes every action. But 0 · log 0 is computed as 0 · (-∞), which is not a number; by "
            "the limit it is 0.",
        ),
        Misconception(
            "reverse", lambda policy, reference, reward, beta: _minus(_kl(reference, policy), policy, reward, beta),
            "This is KL(reference ‖ policy): the arguments are the other way round, and it is infinite as soon as the policy "
            "gives something up.",
        ),
        Misconception(
            "plus", lambda policy, reference, reward, beta: _minus(-_kl(policy, reference), policy, reward, beta),
            "You added the divergence: that rewards running away from the reference.",
        ),
        Misconception(
            "negative_entropy",
            lambda policy, reference, reward, beta: _minus(torch.xlogy(policy, policy).sum(), policy, reward, beta),
            "You left the reference out: this is an entropy bonus. KL(policy ‖ reference) is Σ π (log π - log π_ref).",
        ),
        Misconception(
            "bits", lambda policy, reference, reward, beta: _minus(_kl(policy, reference) / np.log(2), policy, reward, beta),
            "Your divergence is in bits. Nats are asked for: the natural logarithm.",
        ),
        Misconception(
            "beta_on_reward", lambda policy, reference, reward, beta: beta * (policy * reward).sum() - _kl(policy, reference),
            "You multiplied the reward by β. It weighs the divergence.",
        ),
    ],
)
