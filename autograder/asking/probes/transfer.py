"""Probes of the topic `transfer`: answers that go on training a network that came in as weights."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from autograder.asking.probes.calling import call


def adapt(answer: Callable, inputs: dict[str, Any]) -> Tensor:
    """The logits `(m, classes)` of the network that `answer(network, x, y, classes)` returns, for the rows `x_test`."""
    torch.manual_seed(0)  # so that one answer has one mark
    network = _stack(inputs["weights"], nn.ReLU)
    adapted = call(answer, {"network": network, "x": inputs["x"], "y": inputs["y"], "classes": inputs["classes"]})
    return _in_eval_mode(adapted, inputs["x_test"])


def thaw(answer: Callable, inputs: dict[str, Any]) -> tuple[Tensor, ...]:
    """The weights of every linear layer of what `answer(network, x, y, lr, every, steps)` returns, from the input up."""
    network = _stack(inputs["weights"], nn.Tanh)
    network[:-1].requires_grad_(inputs["free"])
    trained = call(answer, {"network": network} | {name: inputs[name] for name in ("x", "y", "lr", "every", "steps")})
    return tuple(module.weight.detach() for module in trained if isinstance(module, nn.Linear))


def _stack(weights: Sequence[Tensor], between: type[nn.Module]) -> nn.Sequential:
    """Linear layers with these weights `(out, in)` and no bias in them yet, and something between them."""
    modules: list[nn.Module] = []
    for weight in weights:
        linear = nn.Linear(weight.shape[1], weight.shape[0])
        with torch.no_grad():
            linear.weight.copy_(weight)
            linear.bias.zero_()
        modules += [linear, between()]
    return nn.Sequential(*modules[:-1])


def _in_eval_mode(model: nn.Module, x: Tensor) -> Tensor:
    model.eval()
    with torch.no_grad():
        return model(x)
