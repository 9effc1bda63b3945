"""AdaLoRA: an update in the form of a singular value decomposition, so that single ranks can be switched off.

    h = W0 x + s P diag(lam) Q x        P (d_out, r), lam (r,), Q (r, d_in)

lam starts at zero and P, Q at random, so training begins at the pretrained model. One rank is a triplet: a column of P, a lambda,
a row of Q. P and Q are kept *nearly* orthogonal, by a penalty in the loss, so that each lambda means the size of its own
piece. (You may meet a QR decomposition after every step. Neither the paper nor peft does one.) Which triplets stay is decided in
`allocation`.

Paper: Zhang et al. 2023, "AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning", arXiv:2303.10512, equations
3 and 4.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from courselib.peft_family.putting import wrap_linear


def adalora_update(P: Tensor, lam: Tensor, Q: Tensor) -> Tensor:
    """P diag(lam) Q: P (d_out, r), lam (r,), Q (r, d_in) -> (d_out, d_in)."""
    return (P * lam) @ Q


def orthogonality(P: Tensor) -> Tensor:
    """|P^T P - I|_F^2 of P (d, r), a scalar: 0 exactly when its columns are orthonormal. For Q pass its transpose."""
    gram = P.T @ P  # (r, r)
    return (gram - torch.eye(len(gram), dtype=P.dtype, device=P.device)).square().sum()


class LinearAdaLoRA(nn.Module):
    """A frozen linear layer with an update P diag(lam) Q: r (d_in + d_out + 1) trained numbers.

    The scale is alpha / (rank + 1e-5), peft's: nearly alpha / rank. It does not change when ranks are masked.
    """

    def __init__(self, base_layer: nn.Linear, rank: int = 12, alpha: float = 8) -> None:
        super().__init__()
        if rank < 1:
            raise ValueError(f"rank should be at least 1, but {rank} came.")
        self.base_layer, self.scaling = base_layer.requires_grad_(False), alpha / (rank + 1e-5)
        self.Q = nn.Parameter(0.02 * torch.randn(rank, base_layer.in_features))
        self.lam = nn.Parameter(torch.zeros(rank))
        self.P = nn.Parameter(0.02 * torch.randn(base_layer.out_features, rank))

    @property
    def rank(self) -> int:
        """How many lambdas are not zero now."""
        return int((self.lam != 0).sum())

    def forward(self, x: Tensor) -> Tensor:
        """x (..., d_in) -> (..., d_out)."""
        return self.base_layer(x) + (x @ (self.Q * self.lam[:, None]).T @ self.P.T) * self.scaling

    def delta_weight(self) -> Tensor:
        """s P diag(lam) Q, (d_out, d_in)."""
        return self.scaling * adalora_update(self.P, self.lam, self.Q)


def add_adalora(model: nn.Module, targets: Iterable[str], rank: int = 12, alpha: float = 8) -> nn.Module:
    """AdaLoRA on all linear layers named by the targets, each with the same rank to begin with."""
    return wrap_linear(model, targets, lambda layer: LinearAdaLoRA(layer, rank, alpha))


def adalora_layers(model: nn.Module) -> dict[str, LinearAdaLoRA]:
    """Path -> layer, in the model's order."""
    return {path: module for path, module in model.named_modules() if isinstance(module, LinearAdaLoRA)}


def orthogonality_penalty(model: nn.Module) -> Tensor:
    """The mean of |P^T P - I|_F and |Q Q^T - I|_F over all layers, a scalar. peft adds 0.5 times it to the loss.

    (The norms are not squared here. The paper's equation 4 squares them; the minimum is the same.)
    """
    layers = adalora_layers(model).values()
    if not layers:
        raise ValueError("This model has no AdaLoRA layers. Call add_adalora first.")
    norms = [orthogonality(matrix).clamp_min(1e-24).sqrt() for layer in layers for matrix in (layer.P, layer.Q.T)]
    return torch.stack(norms).mean()
