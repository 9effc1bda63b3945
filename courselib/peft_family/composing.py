"""Several LoRA adapters at once: their updates can be added, and what is added are the updates, not the factors.

    Delta W = sum_i w_i s_i B_i A_i        rank at most the sum of the ranks

The same as one adapter of that rank: stack the A_i, put the B_i side by side, scaled. Adding the factors instead,
(sum B_i)(sum A_i), has cross terms B_i A_j that no adapter was ever trained for. peft's combination type "linear" does that, with
sqrt(w_i s_i) on either side; "cat" is exact, and "svd" is exact if its rank is large enough.

Source: Huang et al. 2023, "LoraHub", arXiv:2307.13269 (composition with learned weights); the combination types are peft's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Triple = tuple[Tensor, Tensor, float]  # lora_A (r, d_in), lora_B (d_out, r), scaling


def compose(adapters: Sequence[Triple], weights: Sequence[float]) -> Tensor:
    """The weighted sum of the updates, (d_out, d_in). Ranks may differ, weights may be negative.

    Raises ValueError unless there is one weight for each adapter, and at least one.
    """
    if not adapters or len(adapters) != len(weights):
        raise ValueError(f"{len(adapters)} adapters and {len(weights)} weights came; each adapter needs its weight.")
    updates = [weight * scaling * (B @ A) for weight, (A, B, scaling) in zip(weights, adapters, strict=True)]
    return torch.stack(updates).sum(0)


def concatenated(adapters: Sequence[Triple], weights: Sequence[float]) -> tuple[Tensor, Tensor]:
    """One adapter (A, B) with scaling 1 whose update is that sum, exactly: its rank is the sum of the ranks."""
    A = torch.cat([weight * scaling * A for weight, (A, _, scaling) in zip(weights, adapters, strict=True)])
    return A, torch.cat([B for _, B, _ in adapters], 1)


def added_factors(adapters: Sequence[Triple], weights: Sequence[float]) -> tuple[Tensor, Tensor]:
    """What peft's "linear" makes, (A, B) with scaling 1: factors added, each times sqrt(|w s|), the sign on A. Not the sum."""
    roots = [abs(weight * scaling) ** 0.5 for weight, (_, _, scaling) in zip(weights, adapters, strict=True)]
    signs = [1.0 if weight * scaling >= 0 else -1.0 for weight, (_, _, scaling) in zip(weights, adapters, strict=True)]
    A = torch.stack([sign * root * A for sign, root, (A, _, _) in zip(signs, roots, adapters, strict=True)]).sum(0)
    B = torch.stack([root * B for root, (_, B, _) in zip(roots, adapters, strict=True)]).sum(0)
    return A, B


def nearest_adapter(update: Tensor, rank: int) -> tuple[Tensor, Tensor]:
    """The (A, B) of this rank whose B A comes nearest to the update, by its singular values: peft's "svd"."""
    U, sigma, Vh = torch.linalg.svd(update, full_matrices=False)
    return Vh[:rank], U[:, :rank] * sigma[:rank]


def weights_step(weights: Tensor, updates: Tensor, loss: Callable[[Tensor], Tensor], lr: float) -> Tensor:
    """One gradient step on the weights of a composition: weights (T,), updates (T, d_out, d_in) -> (T,).

    `loss(change)` is the loss of the model with that change (d_out, d_in) of its weight. What it is measured on is training data
    from then on, whatever it was called before.
    """
    weights = weights.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(loss((weights[:, None, None] * updates).sum(0)), weights)
    return (weights - lr * gradient).detach()
