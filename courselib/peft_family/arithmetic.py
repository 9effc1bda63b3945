"""Arithmetic with what training changed: task vectors, and two ways to make them quarrel less.

    tau_t = theta_t - theta_0            theta = theta_0 + sum_t w_t tau_t        (w < 0 takes a task out)

Several vectors disagree: the same weight is moved up by one and down by another, and a plain mean lets small noise of many drown
what few moved far. TIES trims each vector to its largest entries, elects a sign for each entry, and averages those that agree.
DARE drops entries at random and multiplies what stays by 1 / density, so that each vector is right on average.

Papers: Ilharco et al. 2023, "Editing Models with Task Arithmetic", arXiv:2212.04089; Yadav et al. 2023, "TIES-Merging",
arXiv:2306.01708; Yu et al. 2024, "Language Models are Super Mario" (DARE), arXiv:2311.03099.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def task_vector(before: nn.Module, after: nn.Module) -> dict[str, Tensor]:
    """What training changed: name -> theta_after - theta_before, of every parameter; one that is used twice is there once."""
    new = dict(after.named_parameters())
    return {name: (new[name] - old).detach() for name, old in before.named_parameters()}


@torch.no_grad()
def moved_by(model: nn.Module, change: Mapping[str, Tensor], weight: float = 1.0) -> nn.Module:
    """Adds weight times the change to the model, in place, and returns it."""
    parameters = dict(model.named_parameters())
    for name, difference in change.items():
        parameters[name] += weight * difference
    return model


def weighted_sum(vectors: Tensor, weights: Tensor) -> Tensor:
    """sum_t w_t tau_t: vectors (T, ...), weights (T,) -> (...)."""
    return torch.tensordot(weights, vectors, dims=1)


def trimmed(vector: Tensor, density: float) -> Tensor:
    """The largest entries of one vector, a share `density` of them (rounded down), the others zero. Any shape."""
    keep = int(_checked(density) * vector.numel())
    kept = torch.zeros(vector.numel(), dtype=torch.bool, device=vector.device)
    kept[vector.abs().flatten().topk(keep).indices] = True
    return vector * kept.view(vector.shape)


def ties_merge(vectors: Tensor, weights: Tensor, density: float) -> Tensor:
    """TIES: trim, elect, average what agrees. vectors (T, ...), weights (T,) -> (...).

    The sign of an entry is that of the sum of the trimmed vectors (0 counts as +), elected *before* the weights, as peft does.
    The mean is over those that agree and not over T.
    """
    sharp = torch.stack([trimmed(vector, density) for vector in vectors])  # (T, ...)
    elected = torch.where(sharp.sum(0) >= 0, 1.0, -1.0)
    agree = (sharp.sign() == elected).to(sharp.dtype)  # a trimmed entry has sign 0 and agrees with nobody
    weighted = weights.view(-1, *[1] * (vectors.dim() - 1)) * sharp * agree
    return weighted.sum(0) / agree.sum(0).clamp(min=1)


def dare(vectors: Tensor, weights: Tensor, density: float) -> Tensor:
    """DARE, then the weighted sum: each entry stays with probability `density` and is divided by it. torch's generator draws."""
    _checked(density)
    thinned = torch.stack([vector * torch.bernoulli(torch.full_like(vector, density)) / density for vector in vectors])
    return weighted_sum(thinned, weights)


def sign_conflicts(vectors: Tensor) -> float:
    """The share of entries at which two of the vectors (T, ...) have opposite signs."""
    signs = vectors.sign()
    return ((signs > 0).any(0) & (signs < 0).any(0)).double().mean().item()


def _checked(density: float) -> float:
    if not 0 < density <= 1:
        raise ValueError(f"The density is the share that stays, above 0 and at most 1; {density} came.")
    return density
