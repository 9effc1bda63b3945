"""Four ways to save memory that have nothing to do with LoRA, each in the few lines that show what it does.

    accumulated_gradient    small batches in the place of a large one: exact, if tokens are weighted
    kept_when_checkpointed  keep a layer's input, compute the rest again
    float16_loss            what half precision loses of small gradients, and what loss scaling saves
    eight_bit               moments in 8 bits: blocks of 256, the dynamic map

Sources: Chen et al. 2016, arXiv:1604.06174 (checkpointing); Micikevicius et al. 2018, arXiv:1710.03740 (loss scaling); Dettmers
et al. 2022, arXiv:2110.02861 (8-bit optimisers).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from courselib.lora.spending import kept_bytes, step_flops
from courselib.qlora.blocks import dequantize_blocks, quantize_blocks
from courselib.qlora.double import dynamic_levels


def accumulated_gradient(
    model: nn.Module, token_losses: Callable[[nn.Module, Tensor], Tensor], batches: Sequence[Tensor], *, by_tokens: bool = True
) -> Tensor:
    """The gradient of all parameters, one after another, accumulated over small batches: (parameters,).

    `token_losses(model, batch)` gives the losses of the batch's tokens, (tokens,). With `by_tokens` each sum is divided by the
    number of tokens in *all* batches, which is what one large batch would do. Without, each batch's mean is divided by the number
    of batches.
    """
    model.zero_grad(set_to_none=True)
    with torch.no_grad():
        tokens = sum(token_losses(model, batch).numel() for batch in batches)
    for batch in batches:
        losses = token_losses(model, batch)
        (losses.sum() / tokens if by_tokens else losses.mean() / len(batches)).backward()
    gradient = torch.cat([p.grad.flatten() for p in model.parameters() if p.grad is not None])
    model.zero_grad(set_to_none=True)
    return gradient


class Checkpointed(nn.Module):
    """A module that keeps its input and nothing else, and runs once more in the backward pass. The input has to need a
    gradient."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(self.inner, x, use_reentrant=True)


def kept_when_checkpointed(layers: Sequence[nn.Module], x: Tensor) -> dict[str, tuple[int, int]]:
    """(bytes kept, floating-point operations) of a step through the layers, as they are and with each of them checkpointed."""
    found = {}
    for name, made in (("as it is", list(layers)), ("checkpointed", [Checkpointed(layer) for layer in layers])):
        model, begin = nn.Sequential(*made), x.detach().requires_grad_()

        def loss(model: nn.Module, begin: Tensor = begin) -> Tensor:
            return model(begin).square().mean()

        found[name] = kept_bytes(model, loss), step_flops(model, loss)
    return found


def float16_loss(gradients: Tensor, scale: float = 1.0) -> tuple[float, float]:
    """Shares of the gradients that float16 turns into zero, and into infinity, when they are multiplied by `scale` first.

    Entries that are zero to begin with are left out.
    """
    values = gradients[gradients != 0]
    half = (values * scale).half()
    return float((half == 0).float().mean()), float(torch.isinf(half).float().mean())


def eight_bit(moment: Tensor, block_size: int = 256) -> Tensor:
    """A moment after a round trip through 8 bits, as an 8-bit optimiser stores it between steps: the same shape."""
    flat = moment.flatten()
    padded = torch.nn.functional.pad(flat, (0, -len(flat) % block_size))
    codes, absmax = quantize_blocks(padded, dynamic_levels(), block_size)
    return dequantize_blocks(codes, absmax, dynamic_levels(), block_size)[: len(flat)].view(moment.shape)
