"""A linear layer whose frozen weight has four bits, for LoRA to stand beside: QLoRA.

    h = dequantise(codes, absmax) x + b + scaling * B A x

The weight is made from its codes when it is needed, forward and again backward, and forgotten in between. It is frozen, so there
is no gradient for it; but the gradient of x goes *through* it, on its way to the adapters of the layers below: grad_x = G W'.

Source: Dettmers et al. 2023, arXiv:2305.14314, section 3, equations 5 and 6.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.lora.inject import linear_layers, matches_name
from courselib.qlora.blocks import dequantize_blocks, dequantize_packed, pack_codes, quantize_blocks
from courselib.qlora.double import DoubleQuantized, double_quantize
from courselib.qlora.levels import nf4_levels


def qlora_forward(
    x: Tensor, codes: Tensor, absmax: Tensor, levels: Tensor, block_size: int, lora_A: Tensor, lora_B: Tensor, alpha: float,
) -> Tensor:
    """The output of a QLoRA layer, written out. x (..., d_in); codes (d_out * d_in,), row by row; lora_A (r, d_in), lora_B
    (d_out, r) -> (..., d_out).
    """
    W = dequantize_blocks(codes, absmax, levels, block_size).view(lora_B.shape[0], lora_A.shape[1])  # (d_out, d_in)
    return F.linear(x, W) + alpha / lora_A.shape[0] * F.linear(F.linear(x, lora_A), lora_B)


class FourBitLinear(nn.Linear):
    """A frozen `nn.Linear` in four bits a weight. It is an `nn.Linear` still, so `lora.add_lora` wraps it like any other.

    State: `weight` (d_out * d_in / 2,) uint8, two codes to a byte; `levels` (16,); `absmax` (blocks,) float32, or, with double
    quantisation, `double`. `bias` is what it was, frozen. Limits: no merging into it (see `merging`), inputs are float.
    Raises ValueError when the weights do not make whole blocks.
    """

    def __init__(self, base: nn.Linear, block_size: int = 64, double: bool = True, levels: Tensor | None = None) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features, self.block_size = base.in_features, base.out_features, block_size
        self.register_buffer("levels", (nf4_levels() if levels is None else levels).to(base.weight.device), persistent=False)
        codes, absmax = quantize_blocks(base.weight, self.levels, block_size)
        self.weight = nn.Parameter(pack_codes(codes), requires_grad=False)
        self.bias = None if base.bias is None else nn.Parameter(base.bias.detach().clone(), requires_grad=False)
        self.double: DoubleQuantized | None = double_quantize(absmax) if double else None
        self.absmax = None if double else absmax

    def dequantized(self) -> Tensor:
        """The weight that this layer computes with: (d_out, d_in) float32, made anew each time."""
        absmax = self.absmax if self.double is None else self.double.constants()
        return dequantize_packed(self.weight.detach(), absmax, self.levels, self.block_size).view(self.out_features, -1)

    def forward(self, x: Tensor) -> Tensor:
        """x (..., d_in) -> (..., d_out)."""
        h = _Through.apply(x, self)
        return h if self.bias is None else h + self.bias

    def nbytes(self) -> int:
        """What the weight takes, constants included, in bytes."""
        return self.weight.numel() + (4 * len(self.absmax) if self.double is None else self.double.nbytes())

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, block_size={self.block_size}"


class _Through(torch.autograd.Function):
    """x W'^T, with W' dequantised in the forward pass and again in the backward pass. Nothing of x is kept: W' is frozen."""

    @staticmethod
    def forward(ctx: torch.autograd.function.FunctionCtx, x: Tensor, layer: FourBitLinear) -> Tensor:
        ctx.layer = layer
        return x @ layer.dequantized().to(x.dtype).T

    @staticmethod
    def backward(ctx: torch.autograd.function.FunctionCtx, grad: Tensor) -> tuple[Tensor, None]:
        return grad @ ctx.layer.dequantized().to(grad.dtype), None


def quantize_model(
    model: nn.Module, targets: Iterable[str], block_size: int = 64, double: bool = True, levels: Tensor | None = None
) -> nn.Module:
    """Puts a `FourBitLinear` in the place of every linear layer whose name ends in one of the targets, and returns the model.

    Embeddings, norms and the head stay as they are, as in QLoRA. Raises ValueError when a target matches nothing, before
    anything is changed.
    """
    layers, targets = linear_layers(model), tuple(targets)
    for target in targets:
        if not any(matches_name(path, [target]) for path in layers):
            raise ValueError(f"no linear layer of this {type(model).__name__} has a name that ends in {target!r}; there are "
                             f"{', '.join(dict.fromkeys(path.rpartition('.')[2] for path in layers))}.")
    for path in [path for path in layers if matches_name(path, targets)]:
        parent, _, child = path.rpartition(".")
        setattr(model.get_submodule(parent), child, FourBitLinear(layers[path], block_size, double, levels))
    return model
