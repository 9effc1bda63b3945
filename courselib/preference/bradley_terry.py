"""From scores to preferences: Bradley and Terry's model, the loss of a reward model, and the best anybody can do.

Bradley and Terry (1952, "Rank analysis of incomplete block designs") give every candidate a strength s > 0 and say that of two,
the first is preferred with probability s_1 / (s_1 + s_2). With s = exp(r) that is sigma(r_1 - r_2): only the difference counts.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def prefers(chosen: Tensor, rejected: Tensor) -> Tensor:
    """P(the first of two is preferred), sigma(r_1 - r_2), entry by entry; exact to rounding for rewards of any size."""
    return torch.sigmoid(chosen - rejected)


def pairwise_loss(chosen: Tensor, rejected: Tensor, margin: Tensor | float = 0.0, center: float = 0.0) -> Tensor:
    """-log sigma(r_chosen - r_rejected - margin), the mean over pairs: rewards (pairs,) -> scalar.

    `center` adds that weight times the mean of (r_chosen + r_rejected)^2, which pins down the level that the data leave open
    (Eisenstein et al. 2023, arXiv:2312.09244). `margin` is Llama 2's (Touvron et al. 2023, arXiv:2307.09288, equation 2).
    logsigmoid, not log(sigmoid): the latter is -inf where the difference is below about -100 in float32.
    """
    loss = -F.logsigmoid(chosen - rejected - margin).mean()
    return loss + center * (chosen + rejected).square().mean() if center else loss


def drawn_preferences(first: Tensor, second: Tensor, generator: torch.Generator) -> Tensor:
    """True where the first is preferred, drawn from Bradley and Terry's model: rewards (pairs,) -> bool (pairs,)."""
    return torch.rand(first.shape, generator=generator, dtype=torch.float64) < prefers(first.double(), second.double())


def bayes_ceiling(first: Tensor, second: Tensor) -> float:
    """The share of drawn preferences that is predicted by one who knows the rewards: the mean of max(p, 1 - p).

    No reward model can be above it in expectation, however large: the rest is the annotator's own coin.
    """
    p = prefers(first.double(), second.double())
    return torch.maximum(p, 1 - p).mean().item()


def ranked_correctly(chosen: Tensor, rejected: Tensor) -> float:
    """The share of pairs in which the chosen one has the higher reward; a tie counts one half."""
    return ((chosen > rejected).double() + 0.5 * (chosen == rejected).double()).mean().item()
