"""LoRA+: which of the two matrices learns faster, by how much, and the reasons given for it."""

from __future__ import annotations

import math

import torch
from torch import nn

from courselib.claims.computed import Computed, computes
from courselib.lora.layer import LinearLoRA
from courselib.peft_family.loraplus import loraplus_groups


def _in_peft(ratio: float = 16.0) -> tuple[float, float]:
    """(rate of A, rate of B) of peft's optimiser for LoRA+, at a ratio."""
    from peft import LoraConfig, get_peft_model
    from peft.optimizers import create_loraplus_optimizer

    model = get_peft_model(nn.Sequential(nn.Linear(12, 9)), LoraConfig(target_modules=["0"]))
    optimizer = create_loraplus_optimizer(model, torch.optim.AdamW, lr=1e-4, loraplus_lr_ratio=ratio)
    of = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    return tuple(next(of[id(p)] for name, p in model.named_parameters() if factor in name) for factor in ("lora_A", "lora_B"))


@computes("lp-dir")
def _faster_of_the_two() -> Computed:
    rate_A, rate_B = _in_peft()
    return Computed(rate_A > rate_B, {"rate of B over rate of A": rate_B / rate_A})


@computes("lp-16")
def _ratio_of_sixteen() -> Computed:
    rate_A, rate_B = _in_peft(16.0)
    return Computed(math.isclose(rate_A / rate_B, 16), {"rate of A over rate of B": rate_A / rate_B})


@computes("lp-formula")
def _ratio_at_the_start() -> Computed:
    torch.manual_seed(0)
    layer = LinearLoRA(nn.Linear(64, 48), 8)
    A, B = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    ratio = (B.norm() / A.norm() * math.sqrt(48 / 8)).item()
    return Computed(ratio > 1, {"rate of A over rate of B": ratio})


def largest_rate(curvatures: tuple[float, ...]) -> float:
    """The largest of many learning rates with which gradient descent on a quadratic with these curvatures does not blow up."""
    rates = torch.arange(0.01, 4.0, 0.01, dtype=torch.float64)
    points = torch.ones(len(rates), len(curvatures), dtype=torch.float64)
    for _ in range(2000):
        points = points - rates[:, None] * torch.tensor(curvatures, dtype=torch.float64) * points
    return float(rates[points.abs().amax(1) < 1].max())


@computes("lp-cond")
def _rate_that_a_condition_allows() -> Computed:
    well, ill = largest_rate((1.0, 0.9)), largest_rate((1.0, 0.001))
    return Computed(ill > 1.05 * well, {"largest rate, well conditioned": well, "largest rate, ill conditioned": ill})


@computes("lp-dB")
def _which_moves_further() -> Computed:
    torch.manual_seed(0)
    layer, x = LinearLoRA(nn.Linear(64, 48), 8), torch.randn(16, 64)
    A, B = layer.lora_A["default"].weight, nn.init.normal_(layer.lora_B["default"].weight)
    before = A.detach().clone(), B.detach().clone()
    optimizer = torch.optim.Adam([{"params": [A], "lr": 16e-4}, {"params": [B], "lr": 1e-4}])  # η_A = 16 η, as the code says
    layer(x).square().mean().backward()
    optimizer.step()
    moved = [(p - old).abs().mean().item() for p, old in zip((A, B), before, strict=True)]
    right = loraplus_groups(layer, 1e-4, 16.0)
    ratio = right[1]["lr"] / right[0]["lr"]
    figures = {"step of A over step of B": moved[0] / moved[1], "rate of B over rate of A in LoRA+": ratio}
    return Computed(moved[1] > moved[0], figures)


@computes("lp-scale")
def _one_over_the_root() -> Computed:
    roots = {rank: 1 / math.sqrt(rank) for rank in (4, 16, 64)}
    return Computed(any(value >= 16 for value in roots.values()), {f"1/√r, rank {rank}": value for rank, value in roots.items()})


@computes("lp-gradid")
def _sum_of_shapes() -> Computed:
    A, B, grad = torch.randn(3, 7), torch.randn(5, 3), torch.randn(5, 7)  # r = 3, d = 5, k = 7
    try:
        fits = (grad @ B.T + A.T @ grad).shape == grad.shape
    except RuntimeError:
        fits = False
    return Computed(fits, {"columns of dL/dW": 7, "rows of Bᵀ": 3})
