"""Forward: a picture drowns in noise, in one formula for every noise level.

One small step mixes in a little fresh noise: x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) noise. Sums of independent Gaussians
are Gaussian, so any number of steps is one: x_t = sqrt(alpha_bar_t) x_0 + sqrt(1 - alpha_bar_t) noise, where alpha_bar_t is the
product of the factors 1 - beta. Signal and noise have shares that add up to one.

Ho, Jain and Abbeel 2020, "Denoising Diffusion Probabilistic Models", arXiv:2006.11239, equation 4.
"""

from __future__ import annotations

import torch
from torch import Tensor


def alpha_bar(betas: Tensor) -> Tensor:
    """The share of the signal's variance that is left after each step: (T,) -> (T,).

    Raises ValueError unless every beta is between 0 and 1.
    """
    if not ((betas > 0) & (betas < 1)).all():
        raise ValueError("every beta has to lie between 0 and 1: it is the share of variance that one step replaces by noise.")
    return (1 - betas).cumprod(0)


def add_noise(x0: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """x_t of each example in one go. x0, noise: (n, ...); alpha_bar: (n,), a level for each example. Returns (n, ...)."""
    left = _beside(alpha_bar, x0)
    return left.sqrt() * x0 + (1 - left).sqrt() * noise


def predict_x0(x_t: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """What x_0 has to be, if `noise` is the noise that is in x_t: `add_noise` solved for x0. Shapes as there."""
    left = _beside(alpha_bar, x_t)
    return (x_t - (1 - left).sqrt() * noise) / left.sqrt()


def velocity(x0: Tensor, noise: Tensor, alpha_bar: Tensor) -> Tensor:
    """The third thing a network may predict: v = sqrt(alpha_bar) noise - sqrt(1 - alpha_bar) x0 (Salimans and Ho 2022)."""
    left = _beside(alpha_bar, x0)
    return left.sqrt() * noise - (1 - left).sqrt() * x0


def signal_to_noise(alpha_bar: Tensor) -> Tensor:
    """Variance of the signal over that of the noise, for signals of variance one: alpha_bar / (1 - alpha_bar)."""
    return alpha_bar / (1 - alpha_bar)


def _beside(level: Tensor, x: Tensor) -> Tensor:
    """(n,) -> (n, 1, ..., 1), so that each example gets its own level."""
    return level.reshape(-1, *[1] * (x.dim() - 1)).to(x)


def forward_chain(x0: Tensor, betas: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The small steps one after another, each with fresh noise: what `add_noise` jumps over. x0: (n, ...) -> x_T (n, ...)."""
    for beta in betas:
        x0 = (1 - beta).sqrt() * x0 + beta.sqrt() * torch.randn(x0.shape, generator=generator)
    return x0
