"""The 4-bit layer: forward, backward, beside LoRA, and beside bitsandbytes and peft."""

import copy

import pytest
import torch
from torch import nn

from courselib import lora
from courselib.lab import runtime
from courselib.lora.spending import kept_bytes
from courselib.qlora.blocks import quantize_blocks
from courselib.qlora.layer import FourBitLinear, qlora_forward, quantize_model
from courselib.qlora.levels import linear_levels, nf4_levels


def linear(d_in=128, d_out=64, bias=True, seed=0):
    torch.manual_seed(seed)
    return nn.Linear(d_in, d_out, bias=bias)


@pytest.mark.parametrize("double", [True, False])
@pytest.mark.parametrize("bias", [True, False])
def test_it_computes_what_its_dequantised_weight_computes_forward_and_backward(double, bias):
    layer = FourBitLinear(linear(bias=bias), double=double)
    dense = linear(bias=bias)
    dense.weight.data = layer.dequantized()
    x = torch.randn(2, 5, 128)
    grad = torch.randn(2, 5, 64)
    seen = []
    for module in (layer, dense):
        begin = x.clone().requires_grad_()
        out = module(begin)
        out.backward(grad)
        seen.append((out.detach(), begin.grad))
    assert torch.allclose(seen[0][0], seen[1][0], atol=1e-6) and torch.allclose(seen[0][1], seen[1][1], atol=1e-6)
    assert layer.weight.grad is None and not any(p.requires_grad for p in layer.parameters())


def test_it_is_near_the_dense_layer_within_the_quantisation_error():
    base = linear(256, 192)
    layer = FourBitLinear(base)
    gap = (layer.dequantized() - base.weight).norm() / base.weight.norm()
    assert 0.05 < gap < 0.12
    x = torch.randn(64, 256)
    assert (layer(x) - base(x)).norm() / base(x).norm() < 0.12


def test_nothing_of_the_input_is_kept_for_a_frozen_weight():
    layer, x = FourBitLinear(linear()), torch.randn(7, 128, requires_grad=True)
    trained = nn.Sequential(nn.Identity(), layer)
    trained.register_parameter("p", nn.Parameter(torch.zeros(1)))
    assert kept_bytes(trained, lambda m: m(x).sum()) == 0


def test_its_bytes():
    assert FourBitLinear(linear(), double=False).nbytes() == 64 * 128 * 4.5 / 8
    assert FourBitLinear(linear()).nbytes() == 64 * 128 // 2 + 128 + 4 + 4  # 128 constants in one second block, and their mean


def test_the_written_out_forward_is_the_layer_with_lora():
    base = linear(bias=False)
    layer = lora.LinearLoRA(FourBitLinear(base, double=False), rank=3, alpha=5)
    nn.init.normal_(layer.lora_B["default"].weight)
    codes, absmax = quantize_blocks(base.weight, nf4_levels())
    x = torch.randn(2, 3, 128)
    A, B = layer.lora_A["default"].weight, layer.lora_B["default"].weight
    assert torch.allclose(qlora_forward(x, codes, absmax, nf4_levels(), 64, A, B, 5.0), layer(x), atol=1e-5)


def test_values_and_gradients_are_those_of_bitsandbytes_and_peft():
    """One QLoRA layer of theirs and of ours around the same weight, the same A and B, in train mode, where theirs is right."""
    runtime.quiet()
    import bitsandbytes as bnb
    import peft
    from peft.tuners.lora.bnb import Linear4bit

    base = linear(bias=False)
    theirs = bnb.nn.Linear4bit(128, 64, bias=False, quant_type="nf4", compress_statistics=False, compute_dtype=torch.float32)
    theirs.weight = bnb.nn.Params4bit(base.weight.data.clone(), requires_grad=False, quant_type="nf4", compress_statistics=False)
    theirs = theirs.to("cpu")
    config = peft.LoraConfig(r=4, lora_alpha=6)
    theirs = Linear4bit(theirs, "default", config=config, r=4, lora_alpha=6).train()
    ours = lora.LinearLoRA(FourBitLinear(base, double=False), rank=4, alpha=6).train()
    A, B, x, grad = torch.randn(4, 128), torch.randn(64, 4), torch.randn(3, 9, 128), torch.randn(3, 9, 64)
    found = []
    for layer in (ours, theirs):
        layer.lora_A["default"].weight.data.copy_(A)
        layer.lora_B["default"].weight.data.copy_(B)
        begin = x.clone().requires_grad_()
        out = layer(begin)
        out.backward(grad)
        found.append([out.detach(), begin.grad, layer.lora_A["default"].weight.grad, layer.lora_B["default"].weight.grad])
    for mine, other in zip(*found, strict=True):
        assert torch.allclose(mine, other, rtol=1e-5, atol=1e-4), (mine - other).abs().max()


def test_a_model_is_quantised_where_it_is_named_and_nowhere_else():
    model = nn.ModuleDict({"q_proj": linear(), "head": linear(), "inner": nn.ModuleDict({"q_proj": linear(64, 64)})})
    before = copy.deepcopy(model)
    quantize_model(model, ["q_proj"], levels=linear_levels())
    assert isinstance(model["inner"]["q_proj"], FourBitLinear) and type(model["head"]) is nn.Linear
    assert torch.equal(model["q_proj"].levels, linear_levels()) and torch.equal(model["head"].weight, before["head"].weight)
    with pytest.raises(ValueError, match="ends in 'v_proj'"):
        quantize_model(before, ["q_proj", "v_proj"])
    assert type(before["q_proj"]) is nn.Linear


def test_lora_cannot_be_merged_into_codes():
    with pytest.raises(ValueError, match="quantised"):
        lora.LinearLoRA(FourBitLinear(linear())).merge()


def test_it_copies_and_saves():
    layer = FourBitLinear(linear())
    x = torch.randn(2, 128)
    assert torch.equal(copy.deepcopy(layer)(x), layer(x))
