"""Chapter 02: how many numbers a strategy trains, and what a pretraining costs. Models are counted without being filled."""

from functools import cache

import numpy as np
import torch
from torch import nn

from courselib.claims.computed import Computed, computes
from courselib.transfer import costs, theory


@cache
def empty_bert(head: bool = False) -> nn.Module:
    """BERT-base in its default shape, with a head for two classes or without, on torch's meta device: sizes, and no numbers."""
    from transformers import BertConfig, BertForSequenceClassification, BertModel

    with torch.device("meta"):
        return (BertForSequenceClassification if head else BertModel)(BertConfig())


def size(model: nn.Module) -> int:
    """How many numbers the parameters of a model are."""
    return sum(p.numel() for p in model.parameters())


@computes("tl-scale")
def _bytes_of_text() -> Computed:
    corpus, task = 300e9 * 4, 10_000 * 500 * 4  # tokens, at about four bytes of English each
    return Computed(corpus > 1e12 and 1e6 < task < 1e9, {
        "terabytes of 300 billion tokens": corpus / 1e12, "megabytes of 10 000 examples": task / 1e6})


@computes("z1-table")
def _trained_by_each_strategy() -> Computed:
    found = costs.stack_counts(512, 12, 2, 8, 3)
    fewer = [found[name] for name in ("full", "top 3 of 12", "LoRA", "feature extraction")]
    return Computed(fewer == sorted(fewer, reverse=True) and len(set(fewer)) == 4, dict(found))


@computes("z1-gd")
def _one_step_beside_torch() -> Computed:
    theta = torch.tensor([1.0, -2.0], dtype=torch.float64, requires_grad=True)
    loss = (theta**2 * torch.tensor([3.0, 0.5], dtype=torch.float64)).sum()
    loss.backward()
    ours = theory.descend(lambda t: 2 * np.array([3.0, 0.5]) * t, np.array([1.0, -2.0]), 0.1, 1)[-1]
    torch.optim.SGD([theta], lr=0.1).step()
    off = float(np.abs(theta.detach().numpy() - ours).max())
    return Computed(off < 1e-12, {"difference from torch.optim.SGD": off})


@computes("z1-fe")
def _the_head_alone() -> Computed:
    trained = size(empty_bert(head=True)) - size(empty_bert())
    return Computed(trained == 768 * 2 + 2, {"trained": trained})


@computes("z1-partial-65536")
def _a_quarter_of_one_layer() -> Computed:
    whole = 512 * 512
    layers = int(0.25 * 1)  # a quarter of the layers, if there is one
    return Computed(layers * whole == 65536, {"a quarter of the numbers": 0.25 * whole, "whole layers in it": layers})


@computes("z2-cost")
def _rent_for_a_pretraining() -> Computed:
    million = costs.dollars(3.14e23, 28e12, 1.5) / 1e6
    return Computed(4 < million < 6, {"million dollars": million})


@computes("m-compare")
def _labels_and_trained_numbers() -> Computed:
    frozen, full = (theory.samples_needed(d, 1.0, None, 0.1) for d in (8, 400))
    return Computed(frozen > full, {"examples for 8 trained numbers": frozen, "examples for 400 trained numbers": full})


@computes("m-layerdiag")
def _what_asks_for_gradients() -> Computed:
    names = {name.split(".")[3] for name, _ in _layers()}
    frozen = sum(p.numel() for p in empty_bert(head=True).parameters() if not p.requires_grad)
    return Computed(len(names) == 12 and frozen == 0, {"layers": len(names), "frozen numbers": frozen})


def _layers() -> list[tuple[str, nn.Parameter]]:
    return [(name, p) for name, p in empty_bert(head=True).named_parameters() if ".encoder.layer." in name]
