"""LoRA's spread at the start, its scale, and how thin a change has to be."""

from __future__ import annotations

import torch
from torch import nn

from courselib.claims.computed import Computed, computes
from courselib.claims.computing.on_adapter_layers import filled_layer, peft_layer
from courselib.lora.layer import LinearLoRA
from courselib.lora.spectrum import energy, rank_for_energy
from courselib.lora.swaps import exact_change


@computes("lora-lowrank")
def _changes_that_are_not_thin() -> Computed:
    torch.manual_seed(0)
    W = torch.randn(96, 64)
    one, every = (exact_change(W, swaps, seed=0) for swaps in (1, 32))
    most = rank_for_energy(every, 0.9)
    ranks = [int(torch.linalg.matrix_rank(change)) for change in (one, every)]
    return Computed(most <= 8, {"rank, one pair": ranks[0], "rank, all pairs": ranks[1], "rank for 90 %, all pairs": most})


@computes("m-equal")
def _what_rank_eight_can_hold() -> Computed:
    torch.manual_seed(0)
    held = 100 * float(energy(exact_change(torch.randn(96, 64), 32, seed=0))[7])
    return Computed(held >= 99, {"held by rank 8, %": held})


@computes("lora-init-a")
def _spread_of_a() -> Computed:
    layer = peft_layer(r=64)
    spread, B = layer.lora_A["default"].weight.std().item(), layer.lora_B["default"].weight
    figures = {"in peft": spread, "1/√k": 768**-0.5, "1/√(3k)": (3 * 768) ** -0.5}
    return Computed(bool(0.5 * 768**-0.5 < spread < 2 * 768**-0.5 and (B == 0).all()), figures)


def _random_update(rank: int, scale: float, k: int = 256, pairs: int = 40) -> float:
    """The mean of |scale B A x|² over random pairs with independent entries of variance 1/k, and |x|² = k."""
    torch.manual_seed(rank)
    A, B, x = torch.randn(pairs, rank, k) / k**0.5, torch.randn(pairs, k, rank) / k**0.5, torch.randn(pairs, k, 1)
    x = x * (k**0.5 / x.norm(dim=1, keepdim=True))
    return (scale * B @ (A @ x)).square().sum((1, 2)).mean().item()


@computes("lora-expect")
def _update_grows_with_rank() -> Computed:
    each = {rank: _random_update(rank, 1.0) / rank for rank in (4, 16, 64, 256)}
    figures = {f"|BAx|² / (r |x|²), rank {rank}": value for rank, value in each.items()}
    return Computed(max(each.values()) < 1.3 * min(each.values()), figures)


@computes("lora-alpha-cancel")
def _scale_does_not_cancel_rank() -> Computed:
    ranks = (4, 16, 64)
    plain = [_random_update(rank, 16 / rank) for rank in ranks]
    root = [_random_update(rank, 16 / rank**0.5) for rank in ranks]
    figures = {"α/r, rank 4 over rank 64": plain[0] / plain[2], "α/√r, rank 4 over rank 64": root[0] / root[2]}
    return Computed(plain[0] / plain[2] < 1.5, figures)


@computes("lora-alpha-lr")
def _first_step_of_each_rank() -> Computed:
    moved = {}
    for rank in (4, 64):
        torch.manual_seed(0)
        layer, x = LinearLoRA(nn.Linear(256, 32, bias=False), rank, 16), torch.randn(64, 256)
        before = layer(x)
        (before * torch.randn(64, 32)).sum().backward()
        torch.optim.SGD([layer.lora_B["default"].weight], lr=1e-3).step()
        moved[rank] = (layer(x) - before).norm().item()
    ratio = moved[4] / moved[64]
    return Computed(ratio < 1.5, {"first step, rank 4 over rank 64": ratio})


@computes("chk-alpha")
def _alpha_equal_to_rank() -> Computed:
    scales = [filled_layer(rank=rank, alpha=rank).scaling["default"] for rank in (1, 4, 8)]
    twice = filled_layer(rank=4, alpha=8).delta_weight() / filled_layer(rank=4, alpha=4).delta_weight()
    return Computed(scales == [1.0] * 3 and bool(torch.allclose(twice, torch.full_like(twice, 2))), {"scale": scales[0]})


@computes("ve-obs")
def _entries_that_adam_moves() -> Computed:
    torch.manual_seed(0)
    layer = LinearLoRA(nn.Linear(64, 32), 8)
    trained = [layer.lora_A["default"].weight, layer.lora_B["default"].weight]
    before = [p.detach().clone() for p in trained]
    optimizer = torch.optim.Adam(trained, lr=1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        layer(torch.randn(16, 64)).square().mean().backward()
        optimizer.step()
    moved = [100 * (p != old).double().mean().item() for p, old in zip(trained, before, strict=True)]
    return Computed(max(moved) < 50, {"entries of A that moved, %": moved[0], "entries of B that moved, %": moved[1]})
