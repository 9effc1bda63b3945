"""Do two tasks pull a network in the same direction? The cosine between their gradients.

A small step -eta g_B on task B changes the loss of task A, to second order, by

    L_A(theta - eta g_B) - L_A(theta)  =  - eta g_A . g_B  +  eta^2 / 2 g_B . H_A g_B .

The first term is the *interference*: with an angle below 90 degrees B's step helps A, above 90 degrees it harms A.
At a minimum of A the first term is zero and the second, the curvature, does the harm alone: that is where EWC looks.
Source: Lopez-Paz and Ranzato 2017, section 3; Riemer et al. 2019 ("transfer and interference").
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


def task_gradient(model: nn.Module, x: Tensor, y: Tensor) -> list[Tensor]:
    """The gradient of the mean cross-entropy of a whole task, one tensor a trainable weight, in the model's order."""
    weights = [p for p in model.parameters() if p.requires_grad]
    if not weights:
        raise ValueError("The model has no trainable weight, so it has no gradient. Unfreeze some.")
    return list(torch.autograd.grad(F.cross_entropy(model(x), y), weights))


def dot(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """The scalar product of two gradients, over all weights together."""
    if [g.shape for g in first] != [g.shape for g in second]:
        raise ValueError(
            f"The gradients have shapes {[tuple(g.shape) for g in first]} and {[tuple(g.shape) for g in second]}; "
            "they have to be of the same weights, in the same order."
        )
    return float(sum((a * b).sum() for a, b in zip(first, second, strict=True)))


def cosine(first: Sequence[Tensor], second: Sequence[Tensor]) -> float:
    """The cosine of the angle between two gradients, in [-1, 1]; 0 if one of them is zero and has no direction."""
    size = (dot(first, first) * dot(second, second)) ** 0.5
    return dot(first, second) / size if size else 0.0


def curvature(model: nn.Module, x: Tensor, y: Tensor, direction: Sequence[Tensor]) -> float:
    """d . H d, how fast the slope of the task's loss changes along `direction`: H is the Hessian, and is never built.

    The Hessian times d is the gradient of the scalar g . d (Pearlmutter 1994), so it costs one more backward pass.
    """
    weights = [p for p in model.parameters() if p.requires_grad]
    gradient = torch.autograd.grad(F.cross_entropy(model(x), y), weights, create_graph=True)
    slope = sum((g * d.detach()).sum() for g, d in zip(gradient, direction, strict=True))
    return dot(torch.autograd.grad(slope, weights), direction)


def loss_after(model: nn.Module, x: Tensor, y: Tensor, direction: Sequence[Tensor], step: float) -> float:
    """The task's loss at theta + step * direction. The model is left as it was."""
    trained = [(name, p.detach()) for name, p in model.named_parameters() if p.requires_grad]
    moved = {name: p + step * d for (name, p), d in zip(trained, direction, strict=True)}
    with torch.no_grad():
        return F.cross_entropy(torch.func.functional_call(model, moved, (x,)), y).item()
