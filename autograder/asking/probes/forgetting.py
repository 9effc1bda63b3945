"""Probes of the topic `forgetting`: a network that has learned one task learns the next, with the loss that the student wrote."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from autograder.asking.probes.calling import call

MOMENTUM, NORM = 0.9, 1.0  # of the optimizer, and what a gradient is clipped to


def learn_b(answer: Callable, inputs: dict[str, Any]) -> tuple[Tensor, Tensor]:
    """Trains a copy of the network of A on B with `answer(model, x_a, lam)` as its loss, and says what it then answers.

    `inputs`: the `weights` of the network of A, in the order of `network`; inputs `x_a` of A; `x_b` (n, d) and
    `y_b` (n,) of B, and the `order` (steps, batch) of its examples; `lam`, `lr`; and test inputs `ask_a`, `ask_b`. Returns the
    classes answered to both, (n,) each.

    Raises:
        TypeError: when the answer returns no function, or the loss is no scalar tensor that depends on the weights.
    """
    torch.manual_seed(inputs["seed"])
    model = network(inputs["weights"])
    loss = call(answer, {"model": model, "x_a": inputs["x_a"], "lam": inputs["lam"]})
    if not callable(loss):
        raise TypeError(f"expected a function of (model, x, y) to come back, came {type(loss).__name__}: return the loss itself")
    optimizer = torch.optim.SGD(model.parameters(), lr=inputs["lr"], momentum=MOMENTUM)
    for batch in inputs["order"]:
        value = loss(model, inputs["x_b"][batch], inputs["y_b"][batch])
        if not isinstance(value, Tensor) or value.numel() != 1 or not value.requires_grad:
            raise TypeError("the loss has to be a scalar tensor that depends on the model's weights: no .item(), and no detach")
        optimizer.zero_grad()
        value.reshape(()).backward()
        nn.utils.clip_grad_norm_(model.parameters(), NORM)
        optimizer.step()
    with torch.no_grad():
        return model(inputs["ask_a"]).argmax(-1), model(inputs["ask_b"]).argmax(-1)


def network(weights: list[Tensor]) -> nn.Sequential:
    """Linear layers with ReLU between them, made of weight, bias, weight, bias, ..."""
    layers: list[nn.Module] = []
    for weight, bias in zip(weights[::2], weights[1::2], strict=True):
        layer = nn.Linear(*reversed(weight.shape))
        with torch.no_grad():
            layer.weight.copy_(weight)
            layer.bias.copy_(bias)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
