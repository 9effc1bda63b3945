"""(IA)^3: nothing is added, what is there is made louder or softer, number by number.

    keys and values      y = l * (W x + b)         l (d_out,)
    inner feed-forward   y = W (l * x) + b         l (d_in,)

All l start at one. A scale is linear, so it can be merged: into the rows of W (and b), or into its columns.

Paper: Liu et al. 2022, "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning",
arXiv:2205.05638, section 3.3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LinearIA3(nn.Module):
    """A frozen linear layer whose outputs, or with `feedforward` whose inputs, are scaled one by one."""

    def __init__(self, base_layer: nn.Linear, feedforward: bool = False) -> None:
        super().__init__()
        self.base_layer, self.feedforward = base_layer.requires_grad_(False), feedforward
        self.scales = nn.Parameter(torch.ones(base_layer.in_features if feedforward else base_layer.out_features))

    def forward(self, x: Tensor) -> Tensor:
        return self.base_layer(x * self.scales) if self.feedforward else self.base_layer(x) * self.scales

    @torch.no_grad()
    def merged_linear(self) -> nn.Linear:
        """A plain linear layer that computes the same."""
        base = self.base_layer
        linear = nn.Linear(base.in_features, base.out_features, base.bias is not None, base.weight.device, base.weight.dtype)
        linear.weight.copy_(base.weight * (self.scales if self.feedforward else self.scales[:, None]))
        if base.bias is not None:
            linear.bias.copy_(base.bias if self.feedforward else base.bias * self.scales)
        return linear


def ia3_forward(x: Tensor, W: Tensor, b: Tensor | None, scales: Tensor, feedforward: bool = False) -> Tensor:
    """The same as a function: x (..., d_in), W (d_out, d_in) -> (..., d_out)."""
    return F.linear(x * scales, W, b) if feedforward else F.linear(x, W, b) * scales
