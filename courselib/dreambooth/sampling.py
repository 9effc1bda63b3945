"""Backward: from noise to a picture, a step at a time, with a network that says which noise is in it.

ddpm_step   draws from the Gaussian that leads one level down, q(x_s | x_t, x_0), with the network's guess in the place of x_0
ddim_step   draws nothing: the same guess, and the same noise put back at the lower level
guided      how far to go from what the network says without a prompt to what it says with one, and beyond

Ho et al. 2020 (equations 6, 7 and 15); Song, Meng and Ermon 2021, "Denoising Diffusion Implicit Models", arXiv:2010.02502
(equation 12); Ho and Salimans 2022, "Classifier-Free Diffusion Guidance", arXiv:2207.12598.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from courselib.dreambooth.painter import Painter


def ddpm_step(x_t: Tensor, noise: Tensor, alpha_bar_t: float, alpha_bar_s: float, fresh: Tensor) -> Tensor:
    """A draw of x_s from x_t, where s is an earlier level (alpha_bar_s > alpha_bar_t). At alpha_bar_s = 1 nothing is drawn.

    noise: the network's prediction.   fresh: standard normal, as large as x_t. The variance is that of q(x_s | x_t, x_0).
    """
    alpha = alpha_bar_t / alpha_bar_s  # of this step
    x0 = (x_t - math.sqrt(1 - alpha_bar_t) * noise) / math.sqrt(alpha_bar_t)
    mean = (math.sqrt(alpha_bar_s) * (1 - alpha) * x0 + math.sqrt(alpha) * (1 - alpha_bar_s) * x_t) / (1 - alpha_bar_t)
    variance = (1 - alpha_bar_s) / (1 - alpha_bar_t) * (1 - alpha)
    return mean + math.sqrt(variance) * fresh


def ddim_step(x_t: Tensor, noise: Tensor, alpha_bar_t: float, alpha_bar_s: float) -> Tensor:
    """From level t to level s without a draw (eta = 0): the predicted x_0, and the predicted noise at the lower level."""
    x0 = (x_t - math.sqrt(1 - alpha_bar_t) * noise) / math.sqrt(alpha_bar_t)
    return math.sqrt(alpha_bar_s) * x0 + math.sqrt(1 - alpha_bar_s) * noise


def guided(conditional: Tensor, unconditional: Tensor, scale: float) -> Tensor:
    """Classifier-free guidance: scale 0 is without the prompt, 1 is with it, more is further in the same direction."""
    return unconditional + scale * (conditional - unconditional)


def clipped(x_t: Tensor, noise: Tensor, alpha_bar_t: float) -> Tensor:
    """The noise that is in x_t if x_0 is the predicted one, cut to -1 ... 1: for models whose examples all lie there."""
    x0 = (x_t - math.sqrt(1 - alpha_bar_t) * noise) / math.sqrt(alpha_bar_t)
    return (x_t - math.sqrt(alpha_bar_t) * x0.clamp(-1, 1)) / math.sqrt(1 - alpha_bar_t)


def levels(T: int, steps: int) -> list[int]:
    """`steps` time steps from T - 1 down to 0, at equal distances. Raises ValueError for more steps than there are levels."""
    if not 2 <= steps <= T:
        raise ValueError(f"{steps} steps were asked for; there can be 2 to {T}.")
    return torch.linspace(T - 1, 0, steps).round().long().tolist()


@torch.no_grad()
def paint(
    painter: Painter,
    prompts: Sequence[str],
    steps: int = 20,
    guidance: float = 1.0,
    seed: int = 0,
    ddpm: bool = False,
    watch: Callable[[int, Tensor], None] | None = None,
) -> Tensor:
    """A picture for each prompt: (prompts, 3, H, W), from -1 to 1. The same seed begins with the same noise.

    `watch(t, x0)` is told what the picture would be if the prediction at time step t were right.
    """
    device = next(painter.unet.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    shape = (len(prompts), *painter.latent_shape)
    x = torch.randn(shape, generator=generator).to(device)
    conditions = painter.encode(prompts)
    nothing = painter.encode([""]).expand_as(conditions) if guidance != 1 else None
    times = levels(len(painter.alpha_bar), steps)
    for t, s in zip(times, [*times[1:], None], strict=True):
        noise = painter.unet(x, t, conditions).sample
        if nothing is not None:
            noise = guided(noise, painter.unet(x, t, nothing).sample, guidance)
        here, there = float(painter.alpha_bar[t]), 1.0 if s is None else float(painter.alpha_bar[s])
        if painter.scheduler.config.clip_sample:
            noise = clipped(x, noise, here)
        if watch:
            watch(t, painter.to_pictures((x - math.sqrt(1 - here) * noise) / math.sqrt(here)))
        if ddpm:
            x = ddpm_step(x, noise, here, there, torch.randn(shape, generator=generator).to(device))
        else:
            x = ddim_step(x, noise, here, there)
    return painter.to_pictures(x)
