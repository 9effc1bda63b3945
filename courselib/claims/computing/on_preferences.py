"""Rewards, the objective of RLHF and its optimum, PPO's loss with its signs, and DPO."""

from __future__ import annotations

import dataclasses
import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.claims.computed import Computed, computes
from courselib.preference import ppo
from courselib.preference.bradley_terry import pairwise_loss, prefers
from courselib.preference.categorical import (
    divergence,
    exact_preferences,
    fitted_by_preferences,
    implied_reward,
    log_partition,
    optimum,
    regularised_reward,
)
from courselib.preference.direct import Margins, dpo
from courselib.preference.reward_model import RewardModel
from courselib.preference.tables import improve


def small_world() -> tuple[Tensor, Tensor]:
    """A reference policy over five answers, and their rewards."""
    generator = torch.Generator().manual_seed(0)
    reference = torch.rand(5, generator=generator, dtype=torch.float64) + 0.1
    return reference / reference.sum(), torch.randn(5, generator=generator, dtype=torch.float64)


def _policies() -> Tensor:
    """Twenty thousand random policies over five answers."""
    torch.manual_seed(0)
    return torch.distributions.Dirichlet(torch.ones(5, dtype=torch.float64)).sample((20_000,))


def _largest(*differences: Tensor) -> float:
    return max(float(difference.detach().abs().max()) for difference in differences)


@computes("rl-sft-gap")
def _probability_and_reward() -> Computed:
    reference, reward = small_world()
    shifted = _largest(exact_preferences(reward) - exact_preferences(reward + 7))  # the same preferences, another reward
    apart = _largest(reference - (reward + 7))
    free = shifted < 1e-12 and apart > 0  # preferences leave the level of a reward open, so it is no probability
    return Computed(free, {"preferences after +7, apart": shifted, "probability and reward apart": apart})


@computes("rl-bt")
def _sigma_and_softmax() -> Computed:
    _, r = small_world()
    by_softmax = torch.stack([r[:-1], r[1:]], -1).softmax(-1)[:, 0]
    apart = _largest(prefers(r[:-1], r[1:]) - by_softmax)
    return Computed(apart < 1e-12, {"apart": apart})


def _reward_model() -> tuple[nn.Module, RewardModel, Tensor]:
    from courselib.instruction.small import fresh_llama

    causal = fresh_llama(40, 0).eval()
    return causal, RewardModel(causal).eval(), torch.arange(12).view(2, 6) + 2


@computes("rl-rm-head")
def _one_number_from_a_vector() -> Computed:
    _, model, ids = _reward_model()
    nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(0))
    h = model.body(input_ids=ids).last_hidden_state[:, -1]
    apart = _largest(model(ids, torch.ones_like(ids)) - h @ model.head.weight[0])
    return Computed(apart < 1e-5, {"apart": apart, "numbers in w": model.head.weight.numel()})


@computes("rl-rm-init")
def _body_of_a_reward_model() -> Computed:
    causal, model, _ = _reward_model()
    same = all(torch.equal(a, b) for a, b in zip(causal.base_model.parameters(), model.body.parameters(), strict=True))
    return Computed(same, {"loss at the start": float(pairwise_loss(torch.zeros(3), torch.zeros(3)))})


@computes("rl-rm-loss")
def _two_forms_of_the_loss() -> Computed:
    _, r = small_world()
    chosen, rejected = r[:-1], r[1:]
    by_hand = (1 + (rejected - chosen).exp()).log().mean()
    apart = _largest(pairwise_loss(chosen, rejected) - by_hand)
    return Computed(apart < 1e-12, {"apart": apart})


@computes("rl-rm-monotone")
def _loss_by_margin() -> Computed:
    margins = torch.linspace(-8, 8, 65, dtype=torch.float64, requires_grad=True)
    loss = -F.logsigmoid(margins)
    (slope,) = torch.autograd.grad(loss.sum(), margins)
    apart = _largest(slope + torch.sigmoid(-margins))
    falls = bool((loss.diff() < 0).all()) and apart < 1e-12
    return Computed(falls, {"steepest": float(slope.min()), "flattest": float(slope.max())})


@computes("rl-obj")
@computes("dpo-opt")
def _optimum_of_the_objective() -> Computed:
    reference, reward = small_world()
    beta = 0.5
    best = optimum(reference, reward, beta)
    value, expected = regularised_reward(best, reference, reward, beta), beta * log_partition(reference, reward, beta)
    others = _policies()
    highest = regularised_reward(others, reference, reward, beta).max()
    return Computed(bool(highest < value) and _largest(value - expected) < 1e-12, {"J less β log Z": float(value - expected)})


@computes("rl-kl-pos")
def _divergence_is_never_negative() -> Computed:
    reference, reward = small_world()
    others = _policies()
    kl = divergence(others, reference)
    lower = regularised_reward(others, reference, reward, 1.0) - regularised_reward(others, reference, reward, 0.1)
    samples = ppo.k1(others[0].log(), reference.log())
    right = bool((kl >= 0).all() and (lower <= 0).all())
    return Computed(right, {"smallest": float(kl.min()), "of one sample": float(samples.min())})


@computes("rl-ratio")
def _ratio_of_a_token() -> Computed:
    generator = torch.Generator().manual_seed(0)
    new, old = (torch.randn(6, 9, generator=generator).log_softmax(-1) for _ in range(2))
    said = torch.arange(6)
    ratio = (new[torch.arange(6), said] - old[torch.arange(6), said]).exp()
    whole = (new[torch.arange(6), said].sum() - old[torch.arange(6), said].sum()).exp()
    apart = _largest(ratio.prod() / whole - 1, ratio - new.exp().diagonal() / old.exp().diagonal())
    return Computed(apart < 1e-4, {"of the response, over the product": float(whole / ratio.prod())})


@computes("rl-adv")
def _one_advantage_for_all_tokens() -> Computed:
    rewards = torch.tensor([0.0, 0.0, 0.0, 1.0], dtype=torch.float64)
    flat = torch.tensor([0.4, 0.4, 0.4, 0.4, 0.0], dtype=torch.float64)
    rising = torch.tensor([0.2, 0.4, 0.6, 0.8, 0.0], dtype=torch.float64)
    same, different = (ppo.generalised_advantages(rewards, values, 1.0, lam) for values, lam in ((flat, 1.0), (rising, 0.95)))
    figures = {"r - V": float(same[0]), "GAE, first token": float(different[0]), "GAE, last token": float(different[-1])}
    return Computed(_largest(same - 0.6) < 1e-12, figures)


@computes("rl-ppo-clip")
def _corners_of_the_clip() -> Computed:
    corners = {(rho, sign): slope for rho, sign, _, slope in ppo.clip_corners(0.2)}
    right = (corners[1.5, 1], corners[0.5, 1], corners[1.5, -1], corners[0.5, -1]) == (0, -1, 1, 0)
    return Computed(right, {"slope at 1.5, A = 1": corners[1.5, 1], "at 0.5, A = 1": corners[0.5, 1],
                            "at 1.5, A = -1": corners[1.5, -1], "at 0.5, A = -1": corners[0.5, -1]})


def _default(config: type, name: str) -> float:
    return next(field.default for field in dataclasses.fields(config) if field.name == name)


@computes("rl-eps")
def _epsilon_in_trl() -> Computed:
    from trl import GRPOConfig

    epsilon = _default(GRPOConfig, "epsilon")
    return Computed(epsilon == 0.2, {"ε in trl": epsilon})


@computes("rl-beta-range")
def _beta_in_trl() -> Computed:
    from trl import DPOConfig

    beta = _default(DPOConfig, "beta")
    return Computed(0.01 <= beta <= 0.5, {"β in trl": beta})


@computes("rl-total-sign")
def _sign_of_the_whole_loss() -> Computed:
    reference, reward = small_world()
    means = {sign: improve(reference, reward, sign=sign, steps=40).expected(reward) for sign in (1, -1)}
    gained = {sign: float(mean[-1] - mean[0]) for sign, mean in means.items()}
    return Computed(gained[-1] > 0, {"reward gained with +L": gained[1], "with -L": gained[-1]})


@computes("rl-vf")
def _value_that_is_learned() -> Computed:
    returns = torch.tensor([0.0, 1.0, 1.0, 2.0], dtype=torch.float64)
    grid = torch.linspace(0, 2, 201, dtype=torch.float64)
    best = grid[((grid[:, None] - returns) ** 2).mean(1).argmin()]
    return Computed(abs(float(best) - 1.0) < 1e-9, {"value with the least loss": float(best)})


def _hacked(beta: float) -> tuple[float, float]:
    """(true reward, divergence) where the proxy overrates one rare answer, at the optimum of the proxy."""
    reference = torch.tensor([0.5, 0.3, 0.19, 0.01], dtype=torch.float64)
    truth, proxy = torch.tensor([0.0, 0.5, 1.0, -2.0]).double(), torch.tensor([0.0, 0.5, 1.0, 3.0]).double()
    policy = optimum(reference, proxy, beta)
    return float(policy @ truth), float(divergence(policy, reference))


@computes("rl-hack-table")
def _remedies_that_bound() -> Computed:
    (free, _), (held, _) = _hacked(0.05), _hacked(1.0)
    reference, reward = small_world()
    moved = [float(improve(reference, 5 * reward, epsilon=epsilon, steps=20, epochs=8).divergences()[-1])
             for epsilon in (0.1, None)]
    figures = {"true reward, β 0.05": free, "true reward, β 1": held, "moved with the clip": moved[0], "moved without": moved[1]}
    return Computed(held > free and moved[0] < moved[1], figures)


@computes("rl-beta-lim")
def _limits_of_beta() -> Computed:
    reference, reward = small_world()
    far, near = (0.5 * float((optimum(reference, reward, beta) - reference).abs().sum()) for beta in (1e-3, 1e3))
    best = float(optimum(reference, reward, 1e-3)[reward.argmax()])
    figures = {"on the best answer, β 0.001": best, "moved, β 1000": near, "moved, β 0.001": far}
    return Computed(best > 0.999 and near < 1e-3, figures)


@computes("dpo-inv")
def _reward_of_a_policy() -> Computed:
    reference, reward = small_world()
    found = implied_reward(optimum(reference, reward, 0.5), reference, 0.5) + 0.5 * log_partition(reference, reward, 0.5)
    apart = _largest(found - reward)
    return Computed(apart < 1e-12, {"apart": apart})


@computes("dpo-loss")
def _partition_that_cancels() -> Computed:
    reference, reward = small_world()
    beta, policy = 0.5, optimum(reference, reward, 0.5)
    log_ratio = (policy / reference).log()
    ones = torch.ones(4)
    loss = dpo(Margins(log_ratio[:-1], log_ratio[1:], ones, ones), beta)
    apart = _largest(loss - pairwise_loss(reward[:-1], reward[1:]))
    fitted = fitted_by_preferences(reference, exact_preferences(reward), beta)
    start = float(dpo(Margins(torch.zeros(4), torch.zeros(4), ones, ones), beta))
    right = apart < 1e-9 and _largest(fitted - policy) < 1e-4 and math.isclose(start, math.log(2), rel_tol=1e-6)
    return Computed(right, {"apart": apart, "fitted policy apart": _largest(fitted - policy), "loss at the start": start})


@computes("dpo-table")
def _what_dpo_needs() -> Computed:
    from courselib.lab.measured import kept

    found = {name: kept("preference")["summary"][name]["win, %"][0] for name in ("DPO", "KL")}
    one = torch.ones(1)
    losses = [float(dpo(Margins(-1 - log_ref, -one, one, one))) for log_ref in (-3 * one, -2 * one)]  # one policy, two references
    figures = {"DPO wins, %": found["DPO"], "PPO wins, %": found["KL"]}
    return Computed(losses[0] != losses[1] and found["DPO"] <= found["KL"], figures)
