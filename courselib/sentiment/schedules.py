"""How far each weight moves in each step: warm-up and decay of the learning rate, clipping, and groups of parameters.

Warm-up (Goyal et al. 2017, arXiv:1706.02677) raises the learning rate from zero, because Adam's first estimates of a gradient's
size come from very few gradients. Clipping (Pascanu et al. 2013, arXiv:1211.5063) bounds one step's gradient. Weight decay
(Loshchilov and Hutter 2019, arXiv:1711.05101) pulls weights, but neither biases nor LayerNorm's scales, towards zero. Layer-wise
decay of the learning rate (Howard and Ruder 2018, arXiv:1801.06146) lets early layers, which are more general, move less.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn


def linear_warmup(step: int, warmup: float, total: int) -> float:
    """The factor on the peak learning rate that step number `step` (0 is the first) is made with.

    It rises in a straight line from 0 at step 0 to 1 at `warmup`, and falls in a straight line to 0 at `total`. The two
    numbers may be fractions of a step; then no step hits the peak. Raises ValueError unless 0 <= warmup < total.
    """
    if not 0 <= warmup < total:
        raise ValueError(f"warm-up takes {warmup} of {total} steps, so the peak would never be reached. Try a tenth of them.")
    if step < warmup:
        return step / warmup
    return max(0.0, (total - step) / (total - warmup))


def warmup_schedule(optimizer: torch.optim.Optimizer, warmup: float, total: int) -> torch.optim.lr_scheduler.LambdaLR:
    """`linear_warmup` as a scheduler for `fit`: every group's own learning rate times the factor."""
    linear_warmup(0, warmup, total)  # a wrong pair is told here, not in the middle of training
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: linear_warmup(step, warmup, total))


def gradient_norm(parameters: Iterable[nn.Parameter]) -> float:
    """The length of all gradients together, as if they were one long vector."""
    return sum(p.grad.double().square().sum().item() for p in parameters if p.grad is not None) ** 0.5


def clip_by_norm(gradients: list[Tensor], max_norm: float) -> list[Tensor]:
    """The gradients, all multiplied by one factor so that their joint length is at most `max_norm`; new tensors.

    A list that is short enough comes back with the same values. (torch's `clip_grad_norm_` divides by norm + 1e-6.)
    """
    norm = sum(gradient.square().sum() for gradient in gradients) ** 0.5
    factor = min(1.0, max_norm / float(norm)) if norm else 1.0
    return [factor * gradient for gradient in gradients]


def decays(name: str) -> bool:
    """Whether a parameter of that name gets weight decay: all but biases and LayerNorm's scales."""
    return not (name.endswith("bias") or re.search(r"layer_?norm|\bln_|\bnorm\d?\b", name, re.IGNORECASE))


def depth_of(name: str, layers: int) -> int:
    """How far down a parameter is: 0 for the head and what belongs to the top layer, up to `layers` for the embeddings."""
    if match := re.search(r"\blayers?\.(\d+)\.", name):
        return layers - 1 - int(match[1])
    return layers if "embeddings" in name else 0


def layer_factor(lowest: float, highest: float, layers: int) -> float:
    """The factor from one layer to the next below it, so that the learning rate goes from `highest` to `lowest`.

    `layers` rates have `layers` - 1 steps between them: the factor is the (layers - 1)-th root of lowest / highest.
    """
    return (lowest / highest) ** (1 / (layers - 1))


def parameter_groups(
    model: nn.Module, lr: float, *, head_lr: float | None = None, factor: float = 1.0, weight_decay: float = 0.01
) -> list[dict[str, Any]]:
    """Groups for an optimiser: by depth (learning rate `lr` times `factor` for each layer down) and by decay or none.

    The head (whatever is outside `encoder`) has `head_lr`, or `lr` if none is given. Only trainable parameters are in,
    each once. Every group also carries the `names` of its parameters, for reading.
    """
    names = " ".join(name for name, _ in model.named_parameters())
    layers = 1 + max(map(int, re.findall(r"\blayers?\.(\d+)\.", names)), default=-1)
    groups: dict[tuple[float, float], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        rate = lr * factor ** depth_of(name, layers)
        if not name.startswith("encoder.") and head_lr is not None:
            rate = head_lr
        decay = weight_decay if decays(name) else 0.0
        group = groups.setdefault((rate, decay), {"params": [], "names": [], "lr": rate, "weight_decay": decay})
        group["params"].append(parameter)
        group["names"].append(name)
    return list(groups.values())


# What is usually recommended for fine-tuning a whole encoder: habits that work, from the BERT paper and its readers
RANGES = {"lr": (2e-5, 5e-5), "batch": (16, 32), "warmup_share": (0.0, 0.1), "weight_decay": (0.01, 0.1), "epochs": (2, 5)}


def plan(examples: int, batch: int, epochs: int, warmup: float) -> tuple[int, float]:
    """(optimiser steps, warm-up steps). `warmup` below 1 is a share of the steps, otherwise a number of steps.

    An epoch has ceil(examples / batch) steps: the last, smaller batch is one too. Raises ValueError if warm-up would not end.
    """
    total = -(-examples // batch) * epochs
    steps = warmup * total if warmup < 1 else warmup
    linear_warmup(0, steps, total)
    return total, steps
