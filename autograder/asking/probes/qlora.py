"""Probes of the topic `qlora`: a network trained by the student's backward pass, a page table in use, levels made of a sample."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from autograder.asking.probes.calling import call, without_autograd


def train(answer: Callable, inputs: dict[str, Any]) -> Any:
    """Trains the pairs of a network of one or two layers by plain descent, and returns its outputs for `x_test`: (n, d_out).

    `layers` are tuples (W, lora_A, lora_B); between two of them stands a tanh. Of the pairs, only that of the first layer moves.
    The student's function makes each layer's backward pass. A gradient longer than 1 is cut to that length.
    """
    layers = [tuple(t.clone() for t in layer) for layer in inputs["layers"]]
    alpha, lr, x, y = inputs["alpha"], inputs["lr"], inputs["x"], inputs["y"]
    for _ in range(inputs["steps"]):
        seen, h = [], x
        for layer in layers:
            seen.append(h if not seen else torch.tanh(h))
            h = _forward(seen[-1], *layer, alpha)
        grad = 2 / y.numel() * (h - y)
        for place in reversed(range(len(layers))):
            W, A, B = layers[place]
            arguments = {"x": seen[place], "grad_h": grad, "W": W, "lora_A": A, "lora_B": B, "alpha": alpha}
            grads = without_autograd(answer, {name: t.clone() if isinstance(t, Tensor) else t for name, t in arguments.items()})
            grad_x, grad_A, grad_B = _three(grads, [seen[place].shape, A.shape, B.shape])
            grad = grad_x * (1 - seen[place] ** 2) if place else None
            if not place:
                layers[0] = W, A - lr * _cut(grad_A), B - lr * _cut(grad_B)
    h = inputs["x_test"]
    for place, layer in enumerate(layers):
        h = _forward(torch.tanh(h) if place else h, *layer, alpha)
    return h


def page(answer: Callable, inputs: dict[str, Any]) -> Any:
    """Makes one page table, hands it the lists of pages one after another, and returns what it says of each."""
    touch = call(answer, {"capacity": inputs["capacity"]})
    if not callable(touch):
        raise TypeError(f"a function that takes a list of pages was expected, and {type(touch).__name__} came")
    return [touch(list(pages)) for pages in inputs["calls"]]


def fit(answer: Callable, inputs: dict[str, Any]) -> Any:
    """The levels that the student's function makes of a sample."""
    return call(answer, inputs)


def _forward(x: Tensor, W: Tensor, A: Tensor, B: Tensor, alpha: float) -> Tensor:
    return x @ W.T + (x @ A.T) @ B.T * (alpha / len(A))


def _three(grads: Any, shapes: list[torch.Size]) -> list[Tensor]:
    if not isinstance(grads, (tuple, list)) or len(grads) != 3:
        raise ValueError(f"three gradients (grad_x, grad_A, grad_B) were expected, and {type(grads).__name__} came")
    out = [torch.as_tensor(g, dtype=torch.float32) for g in grads]
    for name, g, shape in zip(("grad_x", "grad_A", "grad_B"), out, shapes, strict=True):
        if g.shape != shape:
            raise ValueError(f"{name} should have shape {tuple(shape)}, and {tuple(g.shape)} came")
    return out


def _cut(grad: Tensor) -> Tensor:
    return grad / max(1.0, float(grad.norm()))
