"""DoRA: the length of each row of a weight is trained apart from its direction.

    W' = m * (W0 + s B A) / |W0 + s B A|        m (d_out,), one length for each row; it starts as |W0|

The norm is taken row by row in torch's layout (d_out, d_in): the paper writes W as (d_in, d_out) and says "column". While the
gradient is computed the norm counts as a constant (section 4.3): that saves memory, and it changes A's gradient.

Paper: Liu et al. 2024, "DoRA: Weight-Decomposed Low-Rank Adaptation", arXiv:2402.09353, equations 5 and 11.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class LinearDoRA(nn.Module):
    """A frozen linear layer with a LoRA pair and a length for each of its rows: r (d_in + d_out) + d_out trained numbers.

    `detach` False lets the gradient through the norm, for comparison. Starts as the frozen layer does.
    """

    def __init__(self, base_layer: nn.Linear, rank: int = 8, alpha: float = 16, detach: bool = True) -> None:
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank should be at least 1, but {rank} came.")
        self.base_layer, self.scaling, self.detach = base_layer.requires_grad_(False), alpha / rank, detach
        self.lora_A = nn.Parameter(torch.empty(rank, base_layer.in_features))
        self.lora_B = nn.Parameter(torch.zeros(base_layer.out_features, rank))
        nn.init.kaiming_uniform_(self.lora_A, a=math.sqrt(5))
        self.magnitude = nn.Parameter(base_layer.weight.norm(dim=1).detach())  # (d_out,)

    def forward(self, x: Tensor) -> Tensor:
        """x (..., d_in) -> (..., d_out): two products as in LoRA, and one factor for each output."""
        share = self.magnitude / self._norm()  # (d_out,)
        narrow = F.linear(x, self.lora_A)  # (..., r)
        h = F.linear(x, self.base_layer.weight)  # (..., d_out)
        B_T = (self.scaling * self.lora_B).T.contiguous()  # (r, d_out); so that the sum is one pass over memory, as in chapter 08
        h = torch.addmm(h.reshape(-1, h.shape[-1]), narrow.reshape(-1, len(B_T)), B_T).view(h.shape)
        return h * share if self.base_layer.bias is None else h * share + self.base_layer.bias

    def adapted_weight(self) -> Tensor:
        """m (W0 + s B A) / |W0 + s B A|, (d_out, d_in): what merging would put in the place of W0."""
        return (self.base_layer.weight + self.scaling * self.lora_B @ self.lora_A) * (self.magnitude / self._norm())[:, None]

    def _norm(self) -> Tensor:
        """|W0 + s B A| of every row, (d_out,). Without a gradient no d_out x d_in matrix is kept for the backward pass."""
        if not self.detach:
            return (self.base_layer.weight + self.scaling * self.lora_B @ self.lora_A).norm(dim=1)
        with torch.no_grad():
            whole = torch.addmm(self.base_layer.weight, self.lora_B, self.lora_A, alpha=self.scaling)
            return torch.linalg.vector_norm(whole, dim=1)
