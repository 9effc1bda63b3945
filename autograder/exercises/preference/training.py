"""Exercises of chapter 07 that train: a step of DPO, and a step of policy gradient with groups."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

import solutions.preference as answers
from autograder.asking.probes import preference as probing
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.measures import preference as measures

FEATURES, ACTIONS, TEST = 6, 8, 200

# --- dpo_step ---------------------------------------------------------------------------------------------------------


def dpo_step_cases(rng: np.random.Generator) -> list[Case]:
    pairs, beta = 3000, 0.5
    truth, reference = 0.6 * normal(rng, FEATURES, ACTIONS), 0.6 * normal(rng, FEATURES, ACTIONS)
    x, x_test = normal(rng, pairs, FEATURES), normal(rng, TEST, FEATURES)
    generator = torch.Generator().manual_seed(int(rng.integers(2**31)))
    drawn = torch.multinomial((x @ reference).softmax(-1), 2, generator=generator)  # (pairs, 2), two actions that differ
    paid = (x @ truth).gather(1, drawn)  # (pairs, 2)
    first = torch.rand(pairs, generator=generator) < torch.sigmoid(paid[:, 0] - paid[:, 1])
    chosen, rejected = torch.where(first, drawn[:, 0], drawn[:, 1]), torch.where(first, drawn[:, 1], drawn[:, 0])
    probabilities = (x_test @ reference).softmax(-1)
    best = (probabilities.log() + x_test @ truth / beta).softmax(-1)
    return [Case(
        f"{pairs} preferences among {ACTIONS} actions, beta {beta}",
        {"reference": reference, "x": x, "chosen": chosen, "rejected": rejected, "x_test": x_test, "beta": beta, "lr": 4.0,
         "batch": 100, "epochs": 5},
        held={"reward": x_test @ truth, "reference": probabilities, "best": best},
    )]


def _step(loss: Any) -> Any:
    """A step on another loss of the two log-ratios and log-probabilities."""
    def wrong(W: Tensor, reference: Tensor, x: Tensor, chosen: Tensor, rejected: Tensor, beta: float, lr: float) -> Tensor:
        W = W.clone().requires_grad_()
        log_p, log_ref = (x @ W).log_softmax(-1), (x @ reference).log_softmax(-1)
        of = [log.gather(1, a[:, None])[:, 0] for log in (log_p, log_ref) for a in (chosen, rejected)]
        (gradient,) = torch.autograd.grad(loss(*of, beta), W)
        return (W - lr * gradient).detach()

    return wrong


LEARNED = (
    "The policy did not learn what is preferred. Each step should make the chosen action likelier than it was under the "
    "reference, relative to the rejected one, and most where the policy still has it the wrong way round."
)
NEAR = (
    "The policy went much further from the reference than the preferences ask for. What holds a pair back is the reference "
    "within the margin, and the sigmoid, which lets go of a pair once its margin is large."
)

dpo_step = Exercise(
    id="preference.dpo_step",
    answer=answers.preference_dpo_step,
    probe=probing.align,
    cases=dpo_step_cases,
    expected=lambda **inputs: torch.zeros(TEST, ACTIONS),
    parts=[
        Part("learned", 2, measure=measures.gained, at_least=0.7, says=LEARNED),
        Part("stayed near", 1, measure=measures.distance, at_most=1.2, says=NEAR),
    ],
    misconceptions=[
        Misconception("upwards", _step(lambda pc, pr, rc, rr, beta: F.logsigmoid(beta * (pc - rc - pr + rr)).mean()), LEARNED),
        Misconception("chosen_only", _step(lambda pc, pr, rc, rr, beta: -pc.mean()), LEARNED, earns=1),
        Misconception("no_reference", _step(lambda pc, pr, rc, rr, beta: -F.logsigmoid(beta * (pc - pr)).mean()), NEAR, earns=2),
        Misconception("no_sigmoid", _step(lambda pc, pr, rc, rr, beta: -beta * (pc - pr).mean()), NEAR, earns=2),
    ],
)

# --- policy_step ------------------------------------------------------------------------------------------------------


def policy_step_cases(rng: np.random.Generator) -> list[Case]:
    prompts = 400
    truth, start = 0.6 * normal(rng, FEATURES, ACTIONS), 0.3 * normal(rng, FEATURES, ACTIONS)
    x, x_test = normal(rng, prompts, FEATURES), normal(rng, TEST, FEATURES)
    level = 20 + 40 * normal(rng, prompts, 1)  # what a prompt pays whatever is done
    return [Case(
        f"{ACTIONS} actions, groups of 8 samples",
        {"start": start, "x": x, "paid": x @ truth + level, "x_test": x_test, "lr": 2.0, "steps": 200, "groups": 16, "samples": 8,
         "seed": int(rng.integers(2**31))},
        held={"reward": x_test @ truth, "start": (x_test @ start).softmax(-1)},
    )]


def _policy_step(advantage: Any) -> Any:
    def wrong(W: Tensor, x: Tensor, actions: Tensor, rewards: Tensor, lr: float) -> Tensor:
        W = W.clone().requires_grad_()
        log_p = (x @ W).log_softmax(-1).gather(1, actions)
        (gradient,) = torch.autograd.grad(-(advantage(rewards) * log_p).mean(), W)
        return (W - lr * gradient).detach()

    return wrong


BETTER = (
    "The policy earns less than at the start. Raise the log-probability of the actions that paid more than the others, and "
    "lower that of those that paid less."
)
FAR = (
    "The policy earns not nearly what it could. Look at what multiplies each log-probability: it should say how an action "
    "compares with the others of *the same prompt*, and not how much the prompt pays."
)

policy_step = Exercise(
    id="preference.policy_step",
    answer=answers.preference_policy_step,
    probe=probing.improve,
    cases=policy_step_cases,
    expected=lambda **inputs: torch.zeros(TEST, ACTIONS),
    parts=[
        Part("no worse than the start", 1, measure=measures.reached, at_least=-0.2, says=BETTER),
        Part("near the best", 2, measure=measures.reached, at_least=0.85, says=FAR),
    ],
    misconceptions=[
        Misconception("no_baseline", _policy_step(lambda rewards: rewards), FAR, earns=1),
        Misconception("batch_baseline", _policy_step(lambda rewards: rewards - rewards.mean()), FAR, earns=1),
        Misconception("downwards", _policy_step(lambda rewards: rewards.mean(1, keepdim=True) - rewards), BETTER),
        Misconception(
            "standardised_batch", _policy_step(lambda rewards: (rewards - rewards.mean()) / rewards.std()), FAR, earns=1
        ),
    ],
)
