"""Merging after QLoRA: into which weight does the update go?

The adapter was trained beside W' = dequantise(quantise(W)). Three weights are in use for the merged model:

    into the 16-bit base        W  + ΔW            the base is not the one the adapter was trained on
    into the dequantised base   W' + ΔW            what was trained, exactly, at 16 or 32 bits
    quantised again             q(W' + ΔW)         four bits again, and a second rounding

The question which of them is right has been asked for years (qlora#254, peft#2321, transformers#31293). It can be measured.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from courselib.lora.inject import lora_layers
from courselib.lora.layer import LinearLoRA
from courselib.qlora.blocks import dequantize_blocks, quantize_blocks
from courselib.qlora.layer import FourBitLinear

WAYS_TO_MERGE = ("into the 16-bit base", "into the dequantised base", "quantised again")


def merged_weight(layer: LinearLoRA, way: str, original: Tensor | None = None) -> Tensor:
    """The weight of a QLoRA layer after merging its active adapter in one of `WAYS_TO_MERGE`: (d_out, d_in).

    `original` is the weight before it was quantised; only the first way asks for it. ValueError for a layer without a 4-bit base.
    """
    if not isinstance(base := layer.base_layer, FourBitLinear):
        raise ValueError(f"this layer's base is {type(base).__name__}, not a 4-bit one: call lora.merge instead.")
    if way not in WAYS_TO_MERGE or (way == WAYS_TO_MERGE[0] and original is None):
        raise ValueError(f"expected one of {', '.join(WAYS_TO_MERGE)}, and for the first the original weight; {way!r} came.")
    update = layer.delta_weight().detach()
    if way == WAYS_TO_MERGE[0]:
        return original.detach().float() + update
    merged = base.dequantized() + update
    return merged if way == WAYS_TO_MERGE[1] else requantized(merged, base.levels, base.block_size)


def requantized(W: Tensor, levels: Tensor, block_size: int = 64) -> Tensor:
    """W after a round trip through codes and constants: the same shape."""
    codes, absmax = quantize_blocks(W, levels, block_size)
    return dequantize_blocks(codes, absmax, levels, block_size).view(W.shape)


@torch.no_grad()
def merged_model(model: nn.Module, way: str, original: nn.Module) -> nn.Module:
    """A copy of a QLoRA model with a plain `nn.Linear` for every adapted layer. `original` is the model before quantisation."""
    merged, weights = copy.deepcopy(model), dict(original.named_parameters())
    for path, layer in lora_layers(merged):
        W = merged_weight(layer, way, weights[f"{path}.weight"])
        plain = nn.Linear(W.shape[1], W.shape[0], bias=layer.base_layer.bias is not None, device=W.device)
        plain.weight.copy_(W)
        if plain.bias is not None:
            plain.bias.copy_(layer.base_layer.bias)
        parent, _, child = path.rpartition(".")
        setattr(merged.get_submodule(parent), child, plain.requires_grad_(False))
    return merged
