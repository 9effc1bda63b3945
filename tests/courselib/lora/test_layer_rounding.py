"""Merging into half precision: a small update is largely rounded away, a large one is not, and float32 keeps both."""

import pytest
import torch
from torch import nn

from courselib.lora import LinearLoRA


def lost(dtype: torch.dtype, relative: float) -> float:
    """The share of an update, `relative` times as large as W, that is wrong once it is merged."""
    torch.manual_seed(0)
    layer = LinearLoRA(nn.Linear(128, 128, bias=False).to(dtype), rank=4, alpha=4)
    before = layer.base_layer.weight.float()
    nn.init.normal_(layer.lora_B["default"].weight)
    layer.lora_B["default"].weight.data *= relative * before.norm() / layer.delta_weight().norm()
    update = layer.delta_weight().detach()
    layer.merge()
    return ((layer.base_layer.weight.float() - before - update).norm() / update.norm()).item()


@pytest.mark.parametrize("relative, low, high", [(0.002, 0.4, 0.8), (0.005, 0.2, 0.45), (0.1, 0.0, 0.05)])
def test_bfloat16_loses_a_third_to_two_thirds_of_a_small_update(relative, low, high):
    assert low < lost(torch.bfloat16, relative) < high
    assert lost(torch.float32, relative) < 1e-3
