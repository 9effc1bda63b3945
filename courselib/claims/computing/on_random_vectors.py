"""VeRA: its vectors, their start, their gradients, how many there are, and what random matrices keep."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from torch import nn

from courselib.claims.computed import Computed, computes
from courselib.claims.computing.on_adapter_counts import near
from courselib.claims.computing.on_adapter_layers import forward_flops
from courselib.lora.counting import parameter_count
from courselib.lora.layer import LinearLoRA
from courselib.peft_family.vera import (
    LinearVeRA,
    add_vera,
    projected_distances,
    shared_projections,
    vera_forward,
    vera_gradients,
    vera_parameters,
)

D_OUT, D_IN, RANK = 7, 5, 3


@cache
def peft_vera() -> Any:
    """peft's VeRA layer of rank 8 around a linear one, 48 -> 64."""
    from peft import VeraConfig, get_peft_model

    torch.manual_seed(0)
    return get_peft_model(nn.Sequential(nn.Linear(48, 64)), VeraConfig(target_modules=["0"], r=8)).base_model.model[0]


def _parts() -> tuple[torch.Tensor, ...]:
    """x, W0, A, B, d, b in double precision."""
    torch.manual_seed(0)
    return tuple(torch.randn(*shape, dtype=torch.float64) for shape in (
        (4, D_IN), (D_OUT, D_IN), (RANK, D_IN), (D_OUT, RANK), (RANK,), (D_OUT,)))


@computes("ve-form")
def _lengths_of_the_vectors() -> Computed:
    layer = peft_vera()
    b, d = (len(layer.get_parameter(f"vera_lambda_{name}.default")) for name in ("b", "d"))
    return Computed((b, d) == (64, 48), {"length of b": b, "length of d": d})


@computes("ve-forward")
def _vector_behind_a() -> Computed:
    x, _, A, B, _, b = _parts()
    a = torch.ones(D_IN, dtype=torch.float64)
    try:
        fits = (((x @ A.T) * a) @ B.T * b).shape == (4, D_OUT)
    except RuntimeError:
        fits = False
    return Computed(fits, {"length of a": len(a), "length of Ax": RANK})


@computes("ve-init")
def _start_of_vera() -> Computed:
    layer = peft_vera()
    b, d = (layer.get_parameter(f"vera_lambda_{name}.default").mean().item() for name in ("b", "d"))
    A, B = shared_projections(8, 48, 64)
    ones = (B @ A).norm().item()
    return Computed(b == 1 and d == 1, {"b": b, "d": d, "|ΔW| if both were one": ones})


@computes("ve-rand")
def _one_pair_for_all_layers() -> Computed:
    model = add_vera(nn.Sequential(nn.Linear(48, 64), nn.Linear(64, 32)), ["0", "1"], rank=8)
    (A, B), (A2, B2) = model[0].shared, model[1].shared
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    figures = {"spread of A times √k": A.std().item() * A.shape[1] ** 0.5, "trained numbers": trained}
    return Computed(A is A2 and B is B2 and trained == 64 + 8 + 32 + 8, figures)


def _gradient_errors() -> tuple[float, float, bool]:
    x, W0, A, B, d, b = _parts()
    d, b, g = d.requires_grad_(), b.requires_grad_(), torch.randn(4, D_OUT, dtype=torch.float64)
    by_autograd = torch.autograd.grad((vera_forward(x, W0, A, B, d, b) * g).sum(), [d, b])
    by_hand = vera_gradients(x, g, A, B, d.detach(), b.detach())
    as_said = A.T @ (B.T @ (b.detach() * g[0]))  # (d_in,)
    errors = [(one - other).abs().max().item() for one, other in zip(by_autograd, by_hand, strict=True)]
    return errors[0], errors[1], as_said.shape == d.shape


@computes("ve-gradb")
def _gradient_of_the_outer_vector() -> Computed:
    _, error, _ = _gradient_errors()
    return Computed(error < 1e-10, {"apart from autograd": error})


@computes("ve-grada")
def _gradient_of_the_inner_vector() -> Computed:
    error, _, as_said = _gradient_errors()
    return Computed(as_said, {"apart from autograd, the right one": error, "length as said": D_IN, "length of d": RANK})


@computes("ve-count")
def _numbers_of_a_vera_layer() -> Computed:
    trained, full, lora = vera_parameters(4096, 4096, 8), 4096**2, parameter_count(4096, 4096, 8)
    figures = {"trained": trained, "full over VeRA": full / trained, "LoRA over VeRA": lora / trained}
    return Computed(trained == 8192 and full / trained == 2048, figures)


@computes("ve-gpt3")
def _files_of_gpt3() -> Computed:
    matrices, width = 192, 12_288
    lora = {(rank, size): matrices * parameter_count(width, width, rank) * size / 1e6 for rank in (4, 8) for size in (2, 4)}
    vera = {(rank, size): matrices * vera_parameters(width, width, rank) * size / 1e6 for rank in (1, 4, 8) for size in (2, 4)}
    said = any(near(value, 200, 0.1) for value in lora.values()) and any(near(value, 25, 0.1) for value in vera.values())
    return Computed(said, {"LoRA, rank 4, 16 bits, MB": lora[4, 2], "LoRA, rank 8, 32 bits, MB": lora[8, 4],
                           "VeRA, rank 8, 16 bits, MB": vera[8, 2], "VeRA, rank 8, 32 bits, MB": vera[8, 4]})


@computes("ve-jl")
def _distances_in_eight_dimensions() -> Computed:
    points = torch.randn(60, 256, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ratios = torch.cat([projected_distances(points, 8, seed) for seed in range(20)])
    kept = 100 * ((ratios - 1).abs() < 0.1).double().mean().item()
    figures = {"standard deviation": ratios.std().item(), "kept within a tenth, %": kept}
    return Computed(kept > 95, figures)


@computes("ve-table")
def _rank_that_a_table_implies() -> Computed:
    layers, matrices, width, said = 24, 2, 1024, 44_000
    rank = said / (layers * matrices) - width
    figures = {"rank that 0.044 M would mean": rank, "smallest possible, thousands": layers * matrices * (width + 1) / 1000}
    return Computed(rank >= 1, figures)


@computes("ve-time")
def _operations_of_vera() -> Computed:
    x, A_B = torch.randn(16, 256), shared_projections(8, 256, 256)
    lora, vera = (forward_flops(layer, x) for layer in (
        LinearLoRA(nn.Linear(256, 256), 8), LinearVeRA(nn.Linear(256, 256), *A_B)))
    return Computed(vera < lora, {"operations, LoRA": lora, "operations, VeRA": vera})
