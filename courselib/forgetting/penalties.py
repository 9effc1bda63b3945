"""Why fine-tuning forgets, and two springs that hold it back: L2-SP and elastic weight consolidation.

Nothing in the loss of task B mentions task A, so training on B moves every weight it likes. A penalty can ask the
weights to stay near theta*, where task A was learned. The question is what "near" means:

    L2-SP   lambda/2 sum_i      (theta_i - theta*_i)^2    every weight counts alike   (Li et al. 2018)
    EWC     lambda/2 sum_i  F_i (theta_i - theta*_i)^2    the weights A needs count   (Kirkpatrick et al. 2017)

F is the diagonal of task A's Fisher information at theta*; `fisher` says what that is, and what it is often taken for.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from courselib.forgetting.fisher import Weights


def anchor(model: nn.Module) -> dict[str, Tensor]:
    """theta*: a copy of every trainable weight as it is now, to be held on to."""
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


def l2sp_penalty(model: nn.Module, start: Weights, strength: float) -> Tensor:
    """strength/2 sum_i (theta_i - theta*_i)^2, a scalar: decay towards `start`.

    Often called weight decay, which it is not: weight decay pulls towards 0 and so away from what was learned.
    Source: Li, Grandvalet and Davoine 2018, eq. 2.
    """
    return strength / 2 * sum(((p - start[name]) ** 2).sum() for name, p in _held(model, start))


def ewc_penalty(model: nn.Module, start: Weights, fisher: Weights, strength: float) -> Tensor:
    """strength/2 sum_i F_i (theta_i - theta*_i)^2, a scalar; its gradient is strength * F * (theta - theta*).

    `fisher` was computed at `start`, on the old task's data. Source: Kirkpatrick et al. 2017, eq. 3.
    """
    return strength / 2 * sum((fisher[name] * (p - start[name]) ** 2).sum() for name, p in _held(model, start))


def distance(model: nn.Module, start: Weights, fisher: Weights | None = None) -> float:
    """How far the weights have come: sqrt(sum_i (theta_i - theta*_i)^2), with `fisher` each square times F_i.

    The first is what L2-SP keeps small, the second what EWC keeps small. Two models can be far apart by the first
    and near by the second: distance alone does not say whether anything was forgotten.
    """
    weight = fisher or {name: torch.ones(()) for name in start}
    with torch.no_grad():
        return sum((weight[name] * (p - start[name]) ** 2).sum() for name, p in _held(model, start)).sqrt().item()


def _held(model: nn.Module, start: Weights) -> list[tuple[str, nn.Parameter]]:
    """The weights that `start` holds on to, each with its name."""
    here = dict(model.named_parameters())
    missing = [name for name in start if name not in here]
    if missing:
        raise ValueError(f"The model has no weight called {missing[0]!r}. Was the anchor taken from another model?")
    changed = [name for name in start if here[name].shape != start[name].shape]
    if changed:
        name = changed[0]
        raise ValueError(
            f"{name!r} has shape {tuple(here[name].shape)} but was anchored with shape {tuple(start[name].shape)}. "
            "Was a head added since?"
        )
    return [(name, here[name]) for name in start]
