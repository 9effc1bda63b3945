"""Three ways to merge: what each weight is, and in which order they miss what was trained."""

import copy

import pytest
import torch
from torch import nn

from courselib import lora
from courselib.qlora.layer import FourBitLinear, quantize_model
from courselib.qlora.levels import nf4_levels
from courselib.qlora.merging import WAYS_TO_MERGE, merged_model, merged_weight, requantized


@pytest.fixture
def models():
    """(as pretrained, with a 4-bit base and a trained adapter)."""
    torch.manual_seed(0)
    original = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 64, bias=False))
    tuned = lora.add_lora(quantize_model(copy.deepcopy(original), ["0", "2"]), ["0", "2"], rank=3, alpha=5)
    for name, parameter in tuned.named_parameters():
        if "lora_B" in name:
            nn.init.normal_(parameter, std=0.05)
    return original, tuned


def test_the_dequantised_base_is_what_was_trained_and_the_others_are_not(models):
    original, tuned = models
    x = torch.randn(32, 128)
    right = tuned(x).detach()
    gaps = {way: float((merged_model(tuned, way, original)(x) - right).norm() / right.norm()) for way in WAYS_TO_MERGE}
    assert gaps["into the dequantised base"] < 1e-5
    assert gaps["into the 16-bit base"] > 0.02 and gaps["quantised again"] > 0.02


def test_the_weights_by_formula(models):
    original, tuned = models
    layer, W = tuned[0], original[0].weight
    update = layer.delta_weight()
    assert torch.allclose(merged_weight(layer, WAYS_TO_MERGE[0], W), W + update)
    assert torch.allclose(merged_weight(layer, WAYS_TO_MERGE[1]), layer.base_layer.dequantized() + update)
    again = merged_weight(layer, WAYS_TO_MERGE[2])
    assert torch.equal(requantized(again, nf4_levels()), again)  # it has four bits


def test_the_copy_is_plain_and_the_model_stays(models):
    original, tuned = models
    merged = merged_model(tuned, WAYS_TO_MERGE[1], original)
    assert type(merged[0]) is nn.Linear and merged[0].bias is not None and merged[2].bias is None
    assert isinstance(tuned[0].base_layer, FourBitLinear)


def test_what_cannot_be_is_said(models):
    original, tuned = models
    with pytest.raises(ValueError, match="the original weight"):
        merged_weight(tuned[0], WAYS_TO_MERGE[0])
    with pytest.raises(ValueError, match="expected one of"):
        merged_weight(tuned[0], "somehow")
    with pytest.raises(ValueError, match="not a 4-bit one"):
        merged_weight(lora.LinearLoRA(nn.Linear(4, 4)), WAYS_TO_MERGE[1])
