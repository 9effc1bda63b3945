"""Two objectives and one principle: pretraining fits p(x), fine-tuning fits p(y|x), and both are maximum likelihood.

Maximum likelihood in turn is the smallest Kullback-Leibler divergence from the data to the model, because

    cross-entropy(q, p) = H(q) + KL(q || p)

and the model cannot change H(q). (Kullback and Leibler 1951.) Everything in nats. A distribution is a tensor whose
last axis sums to one.
"""

from __future__ import annotations

import torch
from torch import Tensor


def cross_entropy(q: Tensor, p: Tensor) -> Tensor:
    """-sum q log p over the last axis; terms with q = 0 are 0. Infinite where q has something that p rules out."""
    return -torch.special.xlogy(q, p).sum(-1)


def entropy(q: Tensor) -> Tensor:
    """H(q) = cross-entropy of q with itself, in nats: 0 for a sure answer, log(symbols) for no preference at all."""
    return cross_entropy(q, q)


def relative_entropy(q: Tensor, p: Tensor) -> Tensor:
    """KL(q || p) = sum q log(q / p), computed from its definition: nonnegative, and 0 only for p = q."""
    return torch.where(q > 0, q * (q.clamp(min=1e-300).log() - p.log()), 0.0).sum(-1)


def mle_marginal(x: Tensor, symbols: int) -> Tensor:
    """The p(x) that maximises sum_i log p(x_i) over all distributions on 0 .. symbols - 1: the relative frequencies."""
    return torch.bincount(x, minlength=symbols).double() / len(x)


def mle_conditional(x: Tensor, y: Tensor, symbols: int, classes: int) -> Tensor:
    """The p(y|x) that maximises sum_i log p(y_i|x_i): for each x the relative frequencies of y, `(symbols, classes)`.

    An x that never came has no maximum of its own; it gets the uniform distribution.
    """
    counts = torch.bincount(x * classes + y, minlength=symbols * classes).double().view(symbols, classes)
    seen = counts.sum(1, keepdim=True)
    return torch.where(seen > 0, counts / seen.clamp(min=1), 1 / classes)


def mean_nll(p: Tensor, x: Tensor, y: Tensor | None = None) -> float:
    """Mean of -log p(x_i), or of -log p(y_i|x_i) if labels are given: what a training loop minimises."""
    chosen = p[x] if y is None else p[x, y]
    return float(-chosen.log().mean())
