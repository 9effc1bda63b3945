"""AdaLoRA: its form, its importance, its start, and what becomes of a rank that is switched off."""

from __future__ import annotations

from functools import cache
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from courselib.claims.computed import Computed, computes
from courselib.peft_family.adalora import add_adalora
from courselib.peft_family.allocation import Allocator, simple_importance
from courselib.peft_family.planted import Allocation, allocate_by, planted


class Regression(nn.Module):
    """Linear layers one after another, with a loss: peft adds AdaLoRA's penalty to the loss of a model that has one."""

    def __init__(self, layers: int, width: int) -> None:
        super().__init__()
        self.body = nn.Sequential(*(nn.Linear(width, width) for _ in range(layers)))

    def forward(self, x: Tensor, y: Tensor) -> SimpleNamespace:
        return SimpleNamespace(loss=(self.body(x) - y).square().mean())


def peft_adalora(layers: int = 4, width: int = 32) -> Any:
    """Linear layers with peft's AdaLoRA, from 8 ranks each to 4 on average within twenty steps."""
    from peft import AdaLoraConfig, get_peft_model

    torch.manual_seed(0)
    return get_peft_model(Regression(layers, width), AdaLoraConfig(
        target_modules=[str(i) for i in range(layers)], init_r=8, target_r=4, total_step=20, tinit=2, tfinal=5))


def layers_in(model: Any) -> list[Any]:
    """peft's layers in that model, in order."""
    return list(model.base_model.model.body)


@cache
def trained_by_peft() -> tuple[Any, list[int]]:
    """That model after its twenty steps, and its ranks in all after each."""
    model, totals = peft_adalora(), []
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for step in range(20):
        optimizer.zero_grad()
        x = torch.randn(16, 32)
        model.base_model(x, torch.tanh(3 * x)).loss.backward()  # with the penalty in it
        optimizer.step()
        model.base_model.update_and_allocate(step)
        totals.append(sum(int((layer.lora_E["default"] != 0).sum()) for layer in layers_in(model)))
    return model, totals


@cache
def short_allocation() -> Allocation:
    """The course's AdaLoRA on a network with planted ranks, a few steps."""
    return allocate_by(planted(0), steps=60)


@computes("q-adalora")
def _ranks_that_differ() -> Computed:
    ranks = short_allocation().ranks
    return Computed(len(set(ranks)) > 1, {"largest rank": max(ranks), "smallest rank": min(ranks)})


@computes("ada-form")
def _three_factors() -> Computed:
    layer, x = layers_in(peft_adalora(layers=1))[0], torch.randn(3, 32)
    E = nn.init.normal_(layer.lora_E["default"])
    P, Q = layer.lora_B["default"], layer.lora_A["default"]
    scale = layer.scaling["default"] / (layer.ranknum["default"] + 1e-5)
    apart = (layer(x) - layer.base_layer(x) - scale * x @ (P @ torch.diag(E[:, 0]) @ Q).T).abs().max().item()
    return Computed(apart < 1e-5 and E.requires_grad, {"λs": E.numel(), "apart from peft": apart})


def _gram_error(rows: Tensor) -> float:
    return (rows @ rows.T - torch.eye(len(rows))).norm().item()


@computes("ada-orth")
def _orthogonal_by_penalty() -> Computed:
    model, _ = trained_by_peft()
    error = max(_gram_error(layer.lora_A["default"].detach()) for layer in layers_in(model))
    by_qr = _gram_error(torch.linalg.qr(torch.randn(32, 8, dtype=torch.float64))[0].T)
    figures = {"|QQᵀ - I| in peft": error, "after a QR step": by_qr}
    return Computed(error < 1e-3, figures | {"weight of peft's penalty": model.peft_config["default"].orth_reg_weight})


@computes("ada-imp")
def _importance_of_a_triplet() -> Computed:
    torch.manual_seed(0)
    model = add_adalora(nn.Sequential(nn.Linear(12, 9)), ["0"], rank=4, alpha=4)
    layer = model[0]
    with torch.no_grad():
        layer.lam.fill_(0.5)
    layer.lam.grad = torch.ones(4)  # |λ dL/dλ| is the same for all four
    layer.P.grad, layer.Q.grad = torch.ones(9, 4), torch.ones(4, 12)
    layer.P.grad[:, 0] = 10.0  # but the first one's column matters more
    allocator = Allocator(model, target=2, steps=20, warmup=5, final=5)
    allocator.after_step(1)
    simple, paper = simple_importance(layer.lam.detach(), layer.lam.grad), allocator.scores()["0"]
    figures = {"largest over smallest, as said": (simple.max() / simple.min()).item(),
               "largest over smallest, in the paper": (paper.max() / paper.min()).item()}
    return Computed(torch.allclose(paper / paper.max(), simple / simple.max()), figures)


@computes("ada-init")
def _svd_of_zero() -> Computed:
    zero, turned = torch.zeros(6, 6), torch.linalg.qr(torch.randn(6, 6, generator=torch.Generator().manual_seed(0)))[0]
    fits = [float((U @ torch.diag(torch.zeros(6)) @ U.T - zero).norm()) for U in (torch.eye(6), turned)]
    Q = layers_in(peft_adalora(layers=1))[0].lora_A["default"]
    figures = {"error of one SVD": fits[0], "error of another": fits[1], "length of a row in peft": Q.norm(dim=1).mean().item()}
    unique = not (fits[0] == fits[1] == 0) or torch.allclose(torch.eye(6), turned)
    return Computed(bool(unique and torch.allclose(Q.norm(dim=1), torch.ones(len(Q)), atol=0.05)), figures)


@computes("ada-prune")
def _what_pruning_leaves() -> Computed:
    model, _ = trained_by_peft()
    layers = layers_in(model)
    off = [(layer.lora_E["default"] == 0).flatten() for layer in layers]
    still_there = sum(int((layer.lora_A["default"][mask].norm(dim=1) > 0).sum()) for layer, mask in zip(layers, off, strict=True))
    switched_off = sum(int(mask.sum()) for mask in off)
    deleted = any(len(layer.lora_A["default"]) < 8 for layer in layers) or still_there == 0
    return Computed(deleted, {"switched off": switched_off, "whose vectors are still there": still_there})


@computes("ada-realloc")
def _budget_that_shrinks() -> Computed:
    model, totals = trained_by_peft()
    largest = max(int((layer.lora_E["default"] != 0).sum()) for layer in layers_in(model))
    figures = {"ranks at first": totals[0], "at the end": totals[-1], "largest of a layer": largest}
    return Computed(totals[0] == totals[-1] and largest > 8, figures)


@computes("ada-ranks")
def _ranks_that_cannot_be() -> Computed:
    named, first, layers = (2, 3, 4, 28, 32, 32), 8, 12
    figures = {"sum of six layers": sum(named), "budget of all twelve": first * layers, "largest": max(named)}
    return Computed(sum(named) <= first * layers and max(named) <= first, figures)


@computes("ada-86m")
def _weights_of_deberta() -> Computed:
    from transformers import DebertaV2Config, DebertaV2Model

    config = DebertaV2Config(
        vocab_size=128_100, hidden_size=768, num_hidden_layers=12, num_attention_heads=12, intermediate_size=3072,
        relative_attention=True, position_buckets=256, norm_rel_ebd="layer_norm", share_att_key=True,
        pos_att_type=["p2c", "c2p"], position_biased_input=False, type_vocab_size=0)
    with torch.device("meta"):
        model = DebertaV2Model(config)
    everything = sum(p.numel() for p in model.parameters()) / 1e6
    backbone = everything - sum(p.numel() for p in model.embeddings.parameters()) / 1e6
    return Computed(abs(backbone / 86 - 1) < 0.02, {"without embeddings, millions": backbone, "all, millions": everything})
