"""Probes of the topic `sentiment`: answers that steer a training, or use a model that came in as weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from autograder.asking.probes.calling import call

BATCH, RATE, WIDTH = 12, 4e-3, 64


def keep_best(answer: Callable, inputs: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
    """Lets `answer(model, train_epoch, validate, patience, most)` steer the training of a small network.

    Returns the logits `(m, 2)` that the model it returns has for `x_test`; those that the network had after the last epoch;
    and three numbers: epochs after the one with the lowest validation loss, that loss, and that of the model it returns.
    """
    torch.manual_seed(inputs["seed"])
    x, y = inputs["x"], inputs["y"]
    model = nn.Sequential(nn.Linear(x.shape[1], WIDTH), nn.ReLU(), nn.Linear(WIDTH, 2))
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE)
    losses, last = [], torch.zeros(len(inputs["x_test"]), 2)

    def loss_of(network: nn.Module) -> float:
        with torch.no_grad():
            return F.cross_entropy(network(inputs["x_val"]), inputs["y_val"]).item()

    def train_epoch() -> None:
        nonlocal last
        if len(losses) == inputs["most"]:
            raise RuntimeError(f"train_epoch was called more than {inputs['most']} times, which is what `most` allows")
        for rows in torch.randperm(len(x)).split(BATCH):
            optimizer.zero_grad()
            F.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        losses.append(loss_of(model))
        with torch.no_grad():
            last = model(inputs["x_test"])

    asked = {"model": model, "train_epoch": train_epoch, "validate": lambda: loss_of(model), "patience": inputs["patience"],
             "most": inputs["most"]}
    best = call(answer, asked)
    if not losses:
        raise ValueError("train_epoch was never called, so nothing was trained")
    waited = len(losses) - 1 - losses.index(min(losses))
    with torch.no_grad():
        return best(inputs["x_test"]), last, torch.tensor([float(waited), min(losses), loss_of(best)])


def evaluate(answer: Callable, inputs: dict[str, Any]) -> tuple[float, float]:
    """What `answer(model, batches)` says of a network with dropout: mean loss and accuracy.

    The network comes in train mode, as it is in the middle of a training. When it is left in eval mode the accuracy is -1, which
    none can be: the rest of the training would go on without dropout.
    """
    torch.manual_seed(0)
    first, second = inputs["weights"]
    model = nn.Sequential(nn.Linear(first.shape[1], first.shape[0]), nn.Tanh(), nn.Dropout(0.5), nn.Linear(second.shape[1], 2))
    with torch.no_grad():
        model[0].weight.copy_(first)
        model[3].weight.copy_(second)
        model[0].bias.zero_()
        model[3].bias.zero_()
    model.train()
    loss, accuracy = call(answer, {"model": model, "batches": list(zip(inputs["x"], inputs["y"], strict=True))})
    return loss, accuracy if model.training else -1.0
