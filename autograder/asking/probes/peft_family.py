"""Probes of the topic `peft_family`: an adapter behind a frozen layer, and a prefix in front of frozen keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autograder.asking.probes.calling import call

STEPS, RATE = 150, 0.02


def train_adapter(answer: Callable, inputs: dict[str, Any]) -> tuple[Tensor, float, float]:
    """Puts the module that `answer(width, bottleneck)` makes between a frozen layer and a frozen head, and trains it.

    Returns the logits (m, 2) for `x_test`, by how much the module changed its input before the first step (as a share of its
    size, whatever the number of leading dimensions), and how many numbers it trains. TypeError when no module comes back.
    """
    torch.manual_seed(0)  # so that one answer has one mark
    first, head = inputs["first"], inputs["head"]  # (d, d_in), (2, d)
    adapter = call(answer, {"width": len(first), "bottleneck": inputs["bottleneck"]})
    if not isinstance(adapter, nn.Module):
        raise TypeError(f"a torch module was expected, and {type(adapter).__name__} came")
    h, h_test = (torch.tanh(inputs[name] @ first.T) for name in ("x", "x_test"))
    with torch.no_grad():
        changed = ((adapter(h) - h).norm() / h.norm()).item()
        shaped = h[:12].view(3, 4, -1)
        if adapter(shaped).shape != shaped.shape:
            raise ValueError(f"an input of shape (3, 4, {h.shape[1]}) came out as {tuple(adapter(shaped).shape)}")
    trained = [p for p in adapter.parameters() if p.requires_grad]
    count = float(sum(p.numel() for p in trained))
    if trained:
        optimizer = torch.optim.AdamW(trained, lr=RATE)
        for _ in range(STEPS):
            optimizer.zero_grad()
            F.cross_entropy(adapter(h) @ head.T, inputs["y"]).backward()
            optimizer.step()
    with torch.no_grad():
        return adapter(h_test) @ head.T, changed, count


def train_prefix(answer: Callable, inputs: dict[str, Any]) -> tuple[Any, Any]:
    """The prefix that `answer(q, k, v, target, length)` returns. ValueError when no pair comes back."""
    torch.manual_seed(0)
    pair = call(answer, inputs)
    if not isinstance(pair, (tuple, list)) or len(pair) != 2:
        raise ValueError(f"a pair (prefix_k, prefix_v) was expected, and {type(pair).__name__} came")
    return pair[0], pair[1]
