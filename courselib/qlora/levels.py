"""Sixteen numbers between -1 and 1: which ones should four bits stand for?

A 4-bit code says which of 16 levels a weight is rounded to. Everything here is about the choice of the levels, for weights from a
normal distribution with variance 1. Errors are integrals over that distribution, not samples of it.

    linear_levels, signed_levels, quantile_levels, nf4_levels     four choices
    lloyd_max_step, lloyd_max                                     the choice with the least squared error, by iteration
    gaussian_error, least_error, code_entropy, rate_distortion    what a choice costs

Sources: Dettmers et al. 2023, arXiv:2305.14314, section 3 and appendix E (NF4); Lloyd 1982, "Least squares quantization in PCM",
and Max 1960, "Quantizing for minimum distortion"; Cover and Thomas, "Elements of Information Theory", theorem 10.3.2 (the bound).
That NF4 is not the optimum for blocks: Yoshida 2023, arXiv:2306.06965.
"""

import math

import torch
from torch import Tensor

NF4_OFFSET = 0.9677083  # 1 - (1/32 + 1/30) / 2: between the last quantiles that 16 and 15 levels would have


def linear_levels(count: int = 16) -> Tensor:
    """`count` levels from -1 to 1 at equal distances, rising: (count,)."""
    return torch.linspace(-1, 1, count)


def signed_levels() -> Tensor:
    """The whole numbers -7 to 7, divided by 7: (15,). Symmetric, with a zero, and one of the sixteen codes is never used."""
    return torch.arange(-7, 8) / 7


def quantile_levels(count: int = 16) -> Tensor:
    """The medians of `count` cells of equal probability, scaled so that the last is 1: (count,).

    Every code is used equally often for normal weights, which is not the same as a small error.
    """
    middle = (torch.arange(count, dtype=torch.float64) + 0.5) / count
    levels = torch.special.ndtri(middle)
    return (levels / levels[-1]).float()


def nf4_levels() -> Tensor:
    """The sixteen levels of NF4, bit for bit those of bitsandbytes: seven negative ones, zero, eight positive ones, rising.

    Each half has equally spaced quantiles of the normal distribution of its own, between NF4_OFFSET and 1/2, so that zero is a
    level and both ends are used. Then all are divided by the largest.
    """
    above = torch.special.ndtri(torch.linspace(NF4_OFFSET, 0.5, 9)[:-1].double())  # 8, without the median
    below = torch.special.ndtri(torch.linspace(NF4_OFFSET, 0.5, 8)[:-1].double())  # 7
    levels = torch.cat([-below, torch.zeros(1, dtype=torch.float64), above.flip(0)]).float()
    return levels / levels.max()


def lloyd_max_step(levels: Tensor, samples: Tensor) -> Tensor:
    """One step of Lloyd's iteration: each sample goes to its nearest level, each level to the mean of its samples.

    levels: (k,), rising.   samples: (n,).   Returns (k,). A level that no sample is nearest to stays where it is. Neither half of
    the step can raise the mean squared error.
    """
    cells = torch.bucketize(samples, (levels[1:] + levels[:-1]) / 2)  # (n,): the place of the nearest level
    count = torch.bincount(cells, minlength=len(levels))
    total = torch.zeros_like(levels).index_add_(0, cells, samples)
    return torch.where(count > 0, total / count.clamp_min(1), levels)


def lloyd_max(levels: Tensor, steps: int, samples: Tensor | None = None) -> Tensor:
    """The levels after `steps` steps: of `lloyd_max_step` on samples, or, without samples, of the same step on N(0, 1) itself."""
    for _ in range(steps):
        levels = _gaussian_step(levels) if samples is None else lloyd_max_step(levels, samples)
    return levels


def gaussian_error(levels: Tensor, scale: float = 1.0) -> float:
    """E (x - q(x))² for x from N(0, 1), where q rounds to the nearest of scale * levels: an integral, in closed form.

    In a cell from a to b with level l it is ∫ (x - l)² φ(x) dx, and ∫ φ = Φ(b) - Φ(a), ∫ x φ = φ(a) - φ(b),
    ∫ x² φ = Φ(b) - Φ(a) + a φ(a) - b φ(b).
    """
    level, share, first, second = _cells(scale * levels)
    return float((second - 2 * level * first + level**2 * share).sum())


def least_error(levels: Tensor) -> tuple[float, float]:
    """(error, scale) at the scale that suits the levels best, to three digits: what these levels can do at most."""
    scales = torch.arange(0.5, 8.0, 0.005).tolist()
    return min((gaussian_error(levels, scale), scale) for scale in scales)


def code_entropy(codes: Tensor, count: int = 16) -> float:
    """The entropy of the codes as they are used, in bits: log2(count) if all are used equally often. codes: whole numbers."""
    share = torch.bincount(codes.flatten().long(), minlength=count).double() / codes.numel()
    return float(-(share * share.clamp_min(1e-300).log2()).sum())


def rate_distortion(bits: float) -> float:
    """2^(-2 bits): no code for N(0, 1) with so many bits a number, however many it takes at a time, has a smaller error."""
    return 2.0 ** (-2 * bits)


def _gaussian_step(levels: Tensor) -> Tensor:
    """Every level to the mean of N(0, 1) in its cell, (φ(a) - φ(b)) / (Φ(b) - Φ(a))."""
    _, share, first, _ = _cells(levels)
    return (first / share).to(levels.dtype)


def _cells(levels: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of each cell: its level, and ∫ φ, ∫ x φ and ∫ x² φ over it; all (k,), float64."""
    level = levels.double()
    middle = (level[1:] + level[:-1]) / 2
    far = torch.tensor([40.0], dtype=torch.float64)  # as good as infinity, and a φ(a) is 0 there
    a, b = torch.cat([-far, middle]), torch.cat([middle, far])
    phi_a, phi_b = (torch.exp(-x * x / 2) / math.sqrt(2 * math.pi) for x in (a, b))
    share = torch.special.ndtr(b) - torch.special.ndtr(a)
    return level, share, phi_a - phi_b, share + a * phi_a - b * phi_b
