"""What one LoRA layer refuses, each with a sentence."""

import pytest
import torch
from torch import nn

from courselib.lora import LinearLoRA
from one_layer import D_IN, D_OUT, base_layer, pair


def refuses(match: str):
    return pytest.raises(ValueError, match=match)


@pytest.mark.parametrize("rank", [0, -1, 2.0, True, "8"])
def test_refuses_ranks(rank):
    with refuses(f"rank should be a whole number of at least 1, but {rank!r} came"):
        LinearLoRA(base_layer(), rank=rank)


@pytest.mark.parametrize("alpha", [0, -1.0, float("nan"), float("inf"), "16"])
def test_refuses_alphas(alpha):
    with refuses("alpha should be a positive number"):
        LinearLoRA(base_layer(), alpha=alpha)


@pytest.mark.parametrize("dropout", [-0.1, 1, 1.5, float("nan"), None])
def test_refuses_dropouts(dropout):
    with refuses("dropout is a probability, at least 0 and below 1"):
        LinearLoRA(base_layer(), dropout=dropout)


@pytest.mark.parametrize("name", ["", "a.b", "items", "train", "training", 3, None, "a b", "a\n"])
def test_refuses_names(name):
    with refuses("an adapter's name should be made of letters"):
        LinearLoRA(base_layer(), name=name)


def test_refuses_other_layers():
    with refuses("LinearLoRA wraps an nn.Linear, and Embedding is none"):
        LinearLoRA(nn.Embedding(3, 4))


@pytest.mark.parametrize("shape", [(2, D_OUT), (D_IN, 2), (2, 4, D_IN + 1)])
def test_refuses_wrong_shapes(shape):
    ours, _ = pair()
    with refuses(r"expected an input of shape \(..., 6\), but"):
        ours(torch.zeros(shape))


def test_refuses_unknown_and_repeated_names():
    ours, _ = pair()
    with refuses("there is no adapter 'other' in this layer; it has default"):
        ours.set_adapter("other")
    with refuses("there is an adapter 'default' already"):
        ours.add_adapter("default")
    with refuses("expected an adapter's name, one of default; 'other' came"):
        ours.delta_weight("other")
    ours.set_adapter(None)
    with refuses("one of default; None came"):
        ours.delta_weight()


def test_refuses_merging_in_the_wrong_order():
    ours, _ = pair()
    with refuses("no adapter is merged into this weight"):
        ours.unmerge()
    ours.merge()
    with refuses("merging again would add it twice"):
        ours.merge()
    with refuses("unmerge before switching"):
        ours.set_adapter(None)
    with refuses("unmerge before adding one"):
        ours.add_adapter("second")
    assert list(ours.lora_A) == ["default"]
    ours.unmerge()
    ours.set_adapter(None)
    with refuses("no adapter is active, so there is nothing to merge. Activate one of default"):
        ours.merge()


def test_refuses_to_merge_into_codes():
    ours, _ = pair()
    ours.base_layer.weight = nn.Parameter(torch.zeros(15, 1, dtype=torch.uint8), requires_grad=False)
    with refuses("a weight of type torch.uint8 is quantised"):
        ours.merge()
