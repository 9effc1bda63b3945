"""Proximal policy optimisation, piece by piece: the clipped ratio, three estimates of the KL, GAE, and the whole loss with its
signs.

    L = L_clip + c_1 L_value - c_2 S       to be minimised

L_clip = -mean min(rho A, clip(rho, 1 - eps, 1 + eps) A) carries its minus inside. You may meet "-L_clip + c_1 L_value - c_2 S":
right if L_clip is the objective to be *maximised* (as in the paper), and upside down if it is this loss.

Sources: Schulman et al. 2017, arXiv:1707.06347, equations 7 and 9; Schulman et al. 2016, arXiv:1506.02438, equation 16 (GAE);
Ziegler et al. 2019, arXiv:1909.08593 (the KL within the reward); Schulman 2020, "Approximating KL divergence" (k1, k2, k3).
"""

from __future__ import annotations

import torch
from torch import Tensor


def clipped_surrogate(ratio: Tensor, advantage: Tensor, epsilon: float = 0.2) -> Tensor:
    """-min(rho A, clip(rho) A), entry by entry, to be minimised: ratio and advantage of one shape -> that shape.

    The minimum takes the worse of the two, so the clip stops only what would go *further* the way the advantage points.
    """
    clipped = ratio.clamp(1 - epsilon, 1 + epsilon)
    return -torch.minimum(ratio * advantage, clipped * advantage)


def clip_corners(epsilon: float = 0.2) -> list[tuple[float, float, float, float]]:
    """(ratio, advantage, loss, d loss / d ratio) at the four corners and at ratio 1: where the clip stops, and where not."""
    rows = []
    for rho in (0.5, 1.0, 1.5):
        for sign in (1.0, -1.0):
            ratio = torch.tensor(rho, requires_grad=True)
            loss = clipped_surrogate(ratio, torch.tensor(sign), epsilon)
            (gradient,) = torch.autograd.grad(loss, ratio)
            rows.append((rho, sign, loss.item(), gradient.item()))
    return rows


def total_loss(policy: Tensor, value: Tensor, entropy: Tensor, value_weight: float, entropy_weight: float) -> Tensor:
    """L_clip + c_1 L_value - c_2 S, to be minimised: the entropy is the one thing here that should be large."""
    return policy + value_weight * value - entropy_weight * entropy


def k1(log_p: Tensor, log_ref: Tensor) -> Tensor:
    """log p - log p_ref of a sample from p: unbiased for KL(p || p_ref), and negative now and then."""
    return log_p - log_ref


def k2(log_p: Tensor, log_ref: Tensor) -> Tensor:
    """Half the squared log-ratio: never negative, biased."""
    return 0.5 * (log_p - log_ref).square()


def k3(log_p: Tensor, log_ref: Tensor) -> Tensor:
    """exp(log_ref - log_p) - 1 - (log_ref - log_p): unbiased for samples from p, and never negative.

    With expm1: near a ratio of 1 the terms nearly cancel, and exp(x) - 1 - x loses all its digits.
    """
    return torch.expm1(log_ref - log_p) - (log_ref - log_p)


def shaped_rewards(score: Tensor, log_p: Tensor, log_ref: Tensor, mask: Tensor, beta: float) -> Tensor:
    """The reward of every token: -beta (log p - log p_ref) everywhere, and the score of the whole response on its last token.

    score (batch,), the others (batch, T), mask 1 on the tokens of the response, which may begin after a prompt -> (batch, T).
    """
    rewards = -beta * k1(log_p, log_ref) * mask
    places = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    last = (mask * places).argmax(1)  # (batch,): the rightmost 1
    rewards[torch.arange(len(score)), last] += score
    return rewards


def generalised_advantages(rewards: Tensor, values: Tensor, gamma: float = 1.0, lam: float = 0.95) -> Tensor:
    """GAE: A_t = delta_t + gamma lam A_{t+1}, with delta_t = r_t + gamma V_{t+1} - V_t: (..., T) and (..., T + 1) -> (..., T).

    The last value is that of the state after the last step: 0 where the episode ends there. lam = 0 is the one-step TD error,
    lam = 1 the return less the value.
    """
    if values.shape[-1] != rewards.shape[-1] + 1:
        raise ValueError(
            f"{rewards.shape[-1]} rewards need {rewards.shape[-1] + 1} values, the last that of the state after them, but "
            f"{values.shape[-1]} came. Append 0 if the episode ends there."
        )
    delta = rewards + gamma * values[..., 1:] - values[..., :-1]
    out, running = torch.empty_like(delta), torch.zeros_like(delta[..., 0])
    for t in reversed(range(delta.shape[-1])):
        running = delta[..., t] + gamma * lam * running
        out[..., t] = running
    return out


def whitened(values: Tensor, mask: Tensor) -> Tensor:
    """Mean 0 and standard deviation 1 over the entries where the mask is 1, and 0 elsewhere: (batch, T) -> (batch, T)."""
    count = mask.sum()
    mean = (values * mask).sum() / count
    variance = ((values - mean).square() * mask).sum() / (count - 1).clamp(min=1)
    return (values - mean) * (variance + 1e-8).rsqrt() * mask
