"""Bottleneck adapters: a narrow detour behind a layer, added to what the layer gave.

    Adapter(h) = h + W_up relu(W_down h + b_down) + b_up        W_down (m, d), W_up (d, m), m much smaller than d

The up-projection starts at zero (or nearly so), so at the start the model is the pretrained one. Houlsby et al. put two into each
Transformer block: behind the attention's output projection and behind the feed-forward network, before the residual is added.
Because of the non-linearity between its two matrices an adapter cannot be merged into the layer before it: it stays, and costs
time at inference.

Paper: Houlsby et al. 2019, "Parameter-Efficient Transfer Learning for NLP", arXiv:1902.00751, section 2.1 and figure 2.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.peft_family.putting import linear_named, replace_module


def bottleneck_parameters(width: int, bottleneck: int) -> int:
    """Numbers in one adapter, biases included: 2 d m + m + d. (768, 64) -> 99,136; without the biases it would be 98,304."""
    return 2 * width * bottleneck + bottleneck + width


def bottleneck_forward(h: Tensor, W_down: Tensor, b_down: Tensor, W_up: Tensor, b_up: Tensor) -> Tensor:
    """h + relu(h W_down^T + b_down) W_up^T + b_up: h (..., d), W_down (m, d), W_up (d, m) -> (..., d)."""
    narrow = F.relu(h @ W_down.T + b_down)  # (..., m)
    return h + narrow @ W_up.T + b_up  # (..., d)


class Bottleneck(nn.Module):
    """The detour as a module, (..., d) -> (..., d). `down` is torch's usual start, `up` is normal with `std`, by default zero.

    With `std` = 0 the start is exactly the identity. The paper takes a truncated normal of 0.01 for both, which is near to it.
    """

    def __init__(self, width: int, bottleneck: int, std: float = 0.0) -> None:
        super().__init__()
        if bottleneck < 1:
            raise ValueError(f"The bottleneck is {bottleneck}; at least one number has to pass. Try width // 8.")
        self.down, self.up = nn.Linear(width, bottleneck), nn.Linear(bottleneck, width)
        nn.init.zeros_(self.up.bias)
        nn.init.normal_(self.up.weight, std=std) if std else nn.init.zeros_(self.up.weight)

    def forward(self, h: Tensor) -> Tensor:
        return bottleneck_forward(h, self.down.weight, self.down.bias, self.up.weight, self.up.bias)


class Behind(nn.Module):
    """A frozen layer and an adapter behind it: x -> adapter(layer(x))."""

    def __init__(self, base_layer: nn.Linear, adapter: Bottleneck) -> None:
        super().__init__()
        self.base_layer, self.adapter = base_layer.requires_grad_(False), adapter

    def forward(self, x: Tensor) -> Tensor:
        return self.adapter(self.base_layer(x))


def add_bottlenecks(model: nn.Module, targets: Iterable[str], bottleneck: int, std: float = 0.0) -> nn.Module:
    """Puts an adapter behind every linear layer whose name ends in one of the targets, freezes all else, returns the model.

    Houlsby's two places are ("attention.output.dense", "output.dense") in a BERT, ("o_proj", "down_proj") in a Llama. Raises
    ValueError when a target matches no layer.
    """
    found = linear_named(model, targets)
    model.requires_grad_(False)
    for path, layer in found.items():
        device, dtype = layer.weight.device, layer.weight.dtype
        replace_module(model, path, Behind(layer, Bottleneck(layer.out_features, bottleneck, std).to(device, dtype)))
    return model


@torch.no_grad()
def as_matrix(adapter: Bottleneck, base: nn.Linear, x: Tensor) -> tuple[Tensor, float]:
    """The matrix that comes nearest to layer and adapter together on the inputs x (n, d_in), and the share it gets wrong.

    By least squares, with a bias. Returns ((d_out, d_in), squared error over the squared size of what the adapter adds): an
    update that could be merged would leave 0.
    """
    wanted = adapter(base(x)) - base(x)  # (n, d_out): what the adapter adds
    ones = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], 1)  # (n, d_in + 1)
    fitted = torch.linalg.lstsq(ones, wanted).solution  # (d_in + 1, d_out)
    wrong = (ones @ fitted - wanted).square().sum() / (wanted - wanted.mean(0)).square().sum()
    return base.weight + fitted[:-1].T, wrong.item()
