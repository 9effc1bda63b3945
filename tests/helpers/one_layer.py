"""One linear layer with our LoRA and the same with peft's, for tests that hold them side by side.

It tells mistakes apart: d_in 6 is not d_out 5, rank 3, alpha 7 (so alpha / rank is neither 1 nor a power of two), B is not zero,
there is a bias, and a batch of two sequences.
"""

import copy

import torch
from peft import LoraConfig
from peft.tuners.lora.layer import Linear as PeftLinear
from torch import nn

from courselib.lora import LinearLoRA

D_IN, D_OUT, RANK, ALPHA = 6, 5, 3, 7


def base_layer(bias: bool = True) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(D_IN, D_OUT, bias=bias)


def peft_layer(base: nn.Linear, rank: int = RANK, alpha: float = ALPHA, **settings) -> nn.Module:
    config = LoraConfig(r=rank, lora_alpha=alpha, **settings)
    return PeftLinear(copy.deepcopy(base).requires_grad_(False), "default", config, r=rank, lora_alpha=alpha)


def fill_B(*layers: nn.Module, name: str = "default", seed: int = 2) -> None:
    """The same B != 0 for all of them."""
    for layer in layers:
        generator = torch.Generator().manual_seed(seed)
        weight = layer.lora_B[name].weight
        weight.data.copy_(torch.randn(weight.shape, generator=generator))


def pair(rslora: bool = False, dropout: float = 0.0, bias: bool = True) -> tuple[LinearLoRA, nn.Module]:
    """(ours, peft's), from the same seed."""
    base = base_layer(bias)
    torch.manual_seed(1)
    ours = LinearLoRA(copy.deepcopy(base), RANK, ALPHA, dropout, rslora)
    torch.manual_seed(1)
    theirs = peft_layer(base, lora_dropout=dropout, use_rslora=rslora)
    fill_B(ours, theirs)
    return ours, theirs


def batch(*shape: int) -> torch.Tensor:
    return torch.randn(*(shape or (2, 4)), D_IN, generator=torch.Generator().manual_seed(3))


def close(a: torch.Tensor, b: torch.Tensor) -> bool:
    a, b = a.detach(), b.detach()
    return a.shape == b.shape and bool((a - b).abs().max() <= 1e-6 * max(1, float(b.abs().max())))
