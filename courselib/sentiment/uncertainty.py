"""How far a score can be trusted: the texts it was measured on, and the confidence that a model states.

An interval over seeds says how much the training varies. It says nothing of the test texts, which are the same for every seed:
60 texts all of which are right are no proof of 1.000. Two tools for that: an interval for a share (Wilson 1927), and
resampling of the texts (Efron 1979), which also works for scores that are no share, and for two models on the same texts.

Calibration: a confidence of 0.8 should be right eight times in ten. One number, the temperature, often mends it (Guo et al. 2017,
arXiv:1706.04599). It moves no text across the border between the classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


class Range(NamedTuple):
    """The ends of a 95 % interval; prints as "0.84 to 0.97"."""

    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.low:.3f} to {self.high:.3f}"


def wilson(right: int, n: int) -> Range:
    """The 95 % interval of a share, from `right` of `n` texts (Wilson 1927). It never leaves 0 to 1, and is not empty at 1.

    Raises ValueError unless 0 <= right <= n and n > 0.
    """
    if not 0 <= right <= n or n < 1:
        raise ValueError(f"{right} of {n} texts cannot be right: give counts with 0 <= right <= n.")
    z, share = 1.959964, right / n
    middle, half = share + z**2 / (2 * n), z * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    return Range((middle - half) / (1 + z**2 / n), (middle + half) / (1 + z**2 / n))


def bootstrap(score: Callable[[np.ndarray], float], n: int, draws: int = 2000, seed: int = 0) -> Range:
    """The 95 % interval of `score(rows)` over `draws` draws of n rows with repetition: its 2.5 and 97.5 percentiles.

    `score` gets an array of n row numbers, some of them several times. To compare two models let it return the difference on the
    same rows: a hard text is hard for both.
    """
    rng = np.random.default_rng(seed)
    low, high = np.percentile([score(rng.integers(0, n, n)) for _ in range(draws)], [2.5, 97.5])
    return Range(float(low), float(high))


def temperature(logits: Tensor, labels: Sequence[int]) -> float:
    """The T > 0 for which softmax(logits / T) has the least cross-entropy: above 1 for a model that is too sure.

    In s = 1/T the loss is convex, with slope E_p[z] - z_label, so its zero is found by halving. logits: (n, classes), of texts
    that were not trained on. Raises ValueError if no finite T is best (every label has the largest logit).
    """
    z, y = logits.double(), torch.as_tensor(labels)
    right = z[torch.arange(len(z)), y]

    def slope(s: float) -> float:
        return (((s * z).softmax(1) * z).sum(1) - right).mean().item()

    low, high = 0.0, 1.0
    if slope(low) >= 0:
        raise ValueError("The logits say nothing about these labels, so no temperature helps. Are the classes in order?")
    if (right == z.amax(1)).all():
        raise ValueError("Every label has the largest logit, so the best temperature is 0. Give texts that it gets wrong.")
    while slope(high) < 0:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if slope(middle) < 0 else (low, middle)
    return 1 / high


def calibration_error(logits: Tensor, labels: Sequence[int], bins: int = 5) -> float:
    """How far confidence and accuracy lie apart, over groups of like confidence: the mean of |difference|, by size of the group.

    The groups hold equally many texts. It is above 0 for a perfect model too, when groups are small.
    """
    best = logits.double().softmax(1).max(1)
    right = (best.indices == torch.as_tensor(labels)).double()
    order = best.values.argsort()
    groups = [part for part in order.tensor_split(bins) if len(part)]
    gaps = [abs(best.values[part].mean() - right[part].mean()).item() for part in groups]
    return sum(gap * len(part) for gap, part in zip(gaps, groups, strict=True)) / len(order)


def mean_loss(logits: Tensor, labels: Sequence[int], at: float = 1.0) -> float:
    """Mean cross-entropy of softmax(logits / at), in nats."""
    return F.cross_entropy(logits.double() / at, torch.as_tensor(labels)).item()
