"""Exercises of chapter 07 on PPO: the clip, its slope, the whole loss, and advantages."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

import solutions.preference as answers
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- clipped_loss -----------------------------------------------------------------------------------------------------


def clipped_loss_cases(rng: np.random.Generator) -> list[Case]:
    def ratios(epsilon: float, *shape: int) -> Tensor:
        """Ratios of which some lie beyond either end, whatever is drawn."""
        ratio = (0.1 * normal(rng, *shape)).exp().flatten()
        ratio[:4] = torch.tensor([1 + 2 * epsilon, 1 + 3 * epsilon, 1 - 2 * epsilon, 1 - 3 * epsilon])
        return ratio.view(shape)

    def advantages(*shape: int) -> Tensor:
        """One of each sign above the clip, one of each below."""
        advantage = normal(rng, *shape).flatten()
        advantage[:4] = torch.tensor([1.0, -1.0, 1.0, -1.0]) * torch.from_numpy(rng.uniform(0.5, 1.5, 4)).float()
        return advantage.view(shape)

    return [
        Case("8 tokens, epsilon 0.2", {"ratio": ratios(0.2, 8), "advantage": advantages(8), "epsilon": 0.2}),
        Case("2 responses of 4 tokens, epsilon 0.1", {"ratio": ratios(0.1, 2, 4), "advantage": advantages(2, 4), "epsilon": 0.1}),
    ]


def _surrogate(ratio: Tensor, advantage: Tensor, epsilon: float) -> Tensor:
    return torch.minimum(ratio * advantage, ratio.clamp(1 - epsilon, 1 + epsilon) * advantage)


clipped_loss = Exercise(
    id="preference.clipped_loss",
    answer=answers.preference_clipped_loss,
    cases=clipped_loss_cases,
    parts=[Part("value", 3)],
    misconceptions=[
        Misconception(
            "to_be_maximised", lambda ratio, advantage, epsilon: _surrogate(ratio, advantage, epsilon).mean(),
            "This is the objective that the paper maximises. Gradient descent minimises, so what it gets carries a minus.",
        ),
        Misconception(
            "clipped_only", lambda ratio, advantage, epsilon: -(ratio.clamp(1 - epsilon, 1 + epsilon) * advantage).mean(),
            "You always took the clipped ratio. Then a token that has gone too far the *wrong* way gets no gradient and can "
            "never come back: that is what the minimum of the two is for.",
        ),
        Misconception(
            "maximum",
            lambda ratio, advantage, epsilon: -torch.maximum(
                ratio * advantage, ratio.clamp(1 - epsilon, 1 + epsilon) * advantage).mean(),
            "You took the larger of the two, the optimistic one. PPO's bound is pessimistic: the smaller one.",
        ),
        Misconception(
            "unclipped", lambda ratio, advantage, epsilon: -(ratio * advantage).mean(),
            "Nothing is clipped: this is plain importance weighting, and a second pass over the same samples may run far away.",
        ),
        Misconception(
            "one_sided", lambda ratio, advantage, epsilon: -torch.minimum(
                ratio * advantage, ratio.clamp(max=1 + epsilon) * advantage).mean(),
            "You clipped from above only. For a bad action the danger is below: its ratio can fall towards 0.",
        ),
        Misconception(
            "sum", lambda ratio, advantage, epsilon: -_surrogate(ratio, advantage, epsilon).sum(),
            "This is the sum over the tokens; the mean is asked for.",
        ),
    ],
)

# --- predict_slope ----------------------------------------------------------------------------------------------------


def predict_slope_cases(rng: np.random.Generator) -> list[Case]:
    size = [float(x) for x in rng.uniform(0.5, 2.0, 6)]
    corners = [("above the clip, good", 1.5, 1), ("above the clip, bad", 1.5, -1), ("below the clip, good", 0.5, 1),
               ("below the clip, bad", 0.5, -1), ("inside, good", 1.05, 1), ("inside, bad", 0.95, -1)]
    return [
        Case(label, {"ratio": ratio, "advantage": sign * a, "epsilon": 0.2}, "inside" if "inside" in label else "corners")
        for a, (label, ratio, sign) in zip(size, corners, strict=True)
    ]


def _slope(stops: Any) -> Any:
    """-A, and 0 where `stops(ratio, advantage, epsilon)` says so."""
    return lambda ratio, advantage, epsilon: 0.0 if stops(ratio, advantage, epsilon) else -advantage


predict_slope = Exercise(
    id="preference.predict_slope",
    answer=answers.preference_predict_slope,
    cases=predict_slope_cases,
    parts=[Part("inside the clip", 1, on="inside"), Part("the four corners", 2, on="corners")],
    misconceptions=[
        Misconception(
            "symmetric", _slope(lambda ratio, advantage, epsilon: abs(ratio - 1) > epsilon), earns=1,
            says="You stopped the gradient everywhere outside the clip. Two of the four corners still pull: where the ratio has "
            "gone the wrong way, the minimum takes the unclipped term, and the token is brought back.",
        ),
        Misconception(
            "never", _slope(lambda ratio, advantage, epsilon: False), earns=1,
            says="You let the gradient through everywhere. In two corners the minimum takes the clipped term, which does not "
            "move with the ratio.",
        ),
        Misconception(
            "other_corners",
            _slope(lambda ratio, advantage, epsilon: ratio > 1 + epsilon if advantage < 0 else ratio < 1 - epsilon),
            earns=1,
            says="You stopped the two corners that have to be let through. The clip ends what would go further in the direction "
            "of the advantage: a good action that has become likely enough, a bad one that has become rare enough.",
        ),
        Misconception(
            "objective", lambda ratio, advantage, epsilon: -answers.preference_predict_slope(ratio, advantage, epsilon),
            "The sign is that of the objective. The *loss* falls when a good action becomes more likely, so its slope is -A.",
        ),
        Misconception(
            "above_only", _slope(lambda ratio, advantage, epsilon: ratio > 1 + epsilon and advantage > 0), earns=1,
            says="You know one of the two corners without a gradient. The other: a bad action whose ratio has fallen below 1 - "
            "ε.",
        ),
    ],
)

# --- ppo_loss ---------------------------------------------------------------------------------------------------------


def ppo_loss_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, policy: float) -> Case:
        value, entropy, c1, c2 = (float(x) for x in rng.uniform([0.5, 1.0, 0.1, 0.01], [2.0, 3.0, 0.9, 0.09]))
        return Case(label, {"policy_loss": policy, "value_loss": value, "entropy": entropy, "value_weight": c1,
                            "entropy_weight": c2})

    return [case("a policy loss below 0", -float(rng.uniform(0.2, 0.8))), case("one above 0", float(rng.uniform(0.2, 0.8)))]


def _signs(policy: int, value: int, entropy: int) -> Any:
    def wrong(policy_loss: float, value_loss: float, entropy_: float, value_weight: float, entropy_weight: float) -> float:
        return policy * policy_loss + value * value_weight * value_loss + entropy * entropy_weight * entropy_

    return lambda policy_loss, value_loss, entropy, value_weight, entropy_weight: wrong(
        policy_loss, value_loss, entropy, value_weight, entropy_weight)


ppo_loss = Exercise(
    id="preference.ppo_loss",
    answer=answers.preference_ppo_loss,
    cases=ppo_loss_cases,
    parts=[Part("value", 2)],
    misconceptions=[
        Misconception(
            "copied_sign", _signs(-1, 1, -1),
            "This is the formula that is copied with the wrong sign. The paper's L_CLIP is to be maximised, so it is subtracted "
            "there; yours is a loss already, and subtracting it teaches the policy to do what was bad.",
        ),
        Misconception(
            "entropy_added", _signs(1, 1, 1),
            "You added the entropy. What is added to a loss is made small, and the entropy is what should stay large.",
        ),
        Misconception(
            "value_subtracted", _signs(1, -1, -1),
            "You subtracted the value loss: the value network would be trained to be wrong.",
        ),
        Misconception(
            "objective", _signs(-1, -1, 1),
            "All signs are turned over: this is the objective to be maximised. A loss is asked for.",
        ),
        Misconception(
            "weights_exchanged",
            lambda policy_loss, value_loss, entropy, value_weight, entropy_weight:
                policy_loss + entropy_weight * value_loss - value_weight * entropy,
            "You exchanged the two weights.",
        ),
    ],
)

# --- gae --------------------------------------------------------------------------------------------------------------


def gae_cases(rng: np.random.Generator) -> list[Case]:
    def case(label: str, steps: int, gamma: float, lam: float, group: str = "main") -> Case:
        inputs = {"rewards": normal(rng, steps), "values": 0.5 + normal(rng, steps + 1), "gamma": gamma, "lam": lam}
        return Case(label, inputs, group)

    return [
        case("5 steps, gamma 0.9, lambda 0.8", 5, 0.9, 0.8),
        case("7 steps, gamma 1, lambda 0.95", 7, 1.0, 0.95),
        case("4 steps, lambda 0", 4, 0.9, 0.0, "ends"),
        case("4 steps, lambda 1", 4, 0.9, 1.0, "ends"),
    ]


def _gae(rewards: Tensor, values: Tensor, gamma: float, lam: float, *, bootstrap: bool = True, decay: Any = None,
         forward: bool = False) -> Tensor:
    after = values[1:].clone()
    if not bootstrap:
        after[-1] = 0
    delta = rewards + gamma * after - values[:-1]
    factor = gamma * lam if decay is None else decay(gamma, lam)
    out, running = torch.zeros_like(delta), 0.0
    for t in range(len(delta)) if forward else reversed(range(len(delta))):
        running = delta[t] + factor * running
        out[t] = running
    return out


gae = Exercise(
    id="preference.gae",
    answer=answers.preference_gae,
    cases=gae_cases,
    parts=[Part("shape", 1, shape_only=True), Part("value", 2, on="main"), Part("lambda 0 and 1", 1, on="ends")],
    misconceptions=[
        Misconception(
            "no_value_at_the_end", lambda **inputs: _gae(**inputs, bootstrap=False), earns=1,
            says="You took the state after the last step to be worth nothing. Its value is values[T]: the episode may have been "
            "cut.",
        ),
        Misconception(
            "lambda_alone", lambda **inputs: _gae(**inputs, decay=lambda gamma, lam: lam), earns=1,
            says="The recursion decays by γλ, not by λ. With γ = 1 nobody would notice.",
        ),
        Misconception(
            "gamma_alone", lambda **inputs: _gae(**inputs, decay=lambda gamma, lam: gamma), earns=1,
            says="λ has no effect: this is the return minus the value, the case λ = 1.",
        ),
        Misconception(
            "forwards", lambda **inputs: _gae(**inputs, forward=True), earns=1,
            says="You summed from the first step on. An action is credited with what comes *after* it: go backwards.",
        ),
        Misconception(
            "returns", lambda rewards, values, gamma, lam: _gae(rewards, values, gamma, lam) + values[:-1], earns=1,
            says="You added the values back: these are the returns, the targets of the value network. The advantage is without "
            "them.",
        ),
        Misconception(
            "one_step", lambda rewards, values, gamma, lam: rewards + gamma * values[1:] - values[:-1], earns=1,
            says="This is the error of one step, the case λ = 0. GAE sums the later ones too, each weighted by another γλ.",
        ),
        Misconception(
            "next_value_whole", lambda rewards, values, gamma, lam: _gae(rewards + (1 - gamma) * values[1:], values, gamma, lam),
            earns=1, says="The next state's value is not discounted: the error of a step is r + γ·V(next) - V(now).",
        ),
    ],
)
