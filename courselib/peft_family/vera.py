"""VeRA: one random pair of matrices for the whole model, never trained, and two vectors a layer that are.

    h = W0 x + b * (B (d * (A x)))        A (r, d_in), B (d_out, r) random and shared;  d (r,), b (d_out,) trained

b starts at zero, so training begins at the pretrained model; d starts at 0.1. A layer trains d_out + r numbers, whatever r: so r
can be large, 256 and more, and it has to be, for with frozen matrices r directions are all there are. The products cost what
LoRA's of the same rank cost: VeRA saves storage, not operations.

Paper: Kopiczko et al. 2024, "VeRA: Vector-based Random Matrix Adaptation", arXiv:2310.11454, section 3.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.peft_family.putting import linear_named, wrap_linear


def vera_parameters(d_out: int, d_in: int, rank: int) -> int:
    """Trained numbers of a layer: d_out + rank. 4096 x 4096, rank 8 -> 4,104. d_in does not count: d acts behind A."""
    return d_out + rank


def vera_forward(x: Tensor, W0: Tensor, A: Tensor, B: Tensor, d: Tensor, b: Tensor) -> Tensor:
    """x (..., d_in), W0 (d_out, d_in), A (r, d_in), B (d_out, r), d (r,), b (d_out,) -> (..., d_out)."""
    return x @ W0.T + ((x @ A.T * d) @ B.T) * b


def vera_gradients(x: Tensor, grad_h: Tensor, A: Tensor, B: Tensor, d: Tensor, b: Tensor) -> tuple[Tensor, Tensor]:
    """(grad_d (r,), grad_b (d_out,)) of a batch x (n, d_in) with grad_h = dL/dh (n, d_out).

        dL/db = sum over rows of G * (B (d * A x))        dL/dd = sum over rows of (B^T (b * g)) * (A x)
    """
    z = x @ A.T  # (n, r)
    return ((grad_h * b) @ B * z).sum(0), (grad_h * ((z * d) @ B.T)).sum(0)


def shared_projections(rank: int, d_in: int, d_out: int, seed: int = 0) -> tuple[Tensor, Tensor]:
    """A (rank, d_in) and B (d_out, rank), Kaiming-uniform from a generator of their own: the seed is all that need be stored."""
    generator = torch.Generator().manual_seed(seed)
    A, B = torch.empty(rank, d_in), torch.empty(d_out, rank)
    for matrix in (A, B):
        bound = math.sqrt(3) * math.sqrt(2) / math.sqrt(matrix.shape[1])
        matrix.uniform_(-bound, bound, generator=generator)
    return A, B


class LinearVeRA(nn.Module):
    """A frozen linear layer with VeRA. A (rank, d_in) and B (d_out, rank) may be wider and longer: they are cut to fit."""

    def __init__(self, base_layer: nn.Linear, A: Tensor, B: Tensor, d_initial: float = 0.1) -> None:
        super().__init__()
        if A.shape[1] < base_layer.in_features or len(B) < base_layer.out_features or len(A) != B.shape[1]:
            raise ValueError(f"A {tuple(A.shape)} and B {tuple(B.shape)} do not fit a layer {base_layer.in_features} -> "
                             f"{base_layer.out_features}: make them for the largest layer.")
        self.base_layer = base_layer.requires_grad_(False)
        self.shared = (A, B)  # in a tuple: one pair for all layers, and not in the state of any
        self.vera_d = nn.Parameter(torch.full((len(A),), d_initial))
        self.vera_b = nn.Parameter(torch.zeros(base_layer.out_features))

    @property
    def projections(self) -> tuple[Tensor, Tensor]:
        """A (r, d_in) and B (d_out, r) as this layer sees them."""
        A, B = (matrix.to(self.vera_d) for matrix in self.shared)
        return A[:, : self.base_layer.in_features], B[: self.base_layer.out_features]

    def forward(self, x: Tensor) -> Tensor:
        A, B = self.projections
        return self.base_layer(x) + self.vera_b * F.linear(self.vera_d * F.linear(x, A), B)

    def delta_weight(self) -> Tensor:
        """diag(b) B diag(d) A, (d_out, d_in)."""
        A, B = self.projections
        return (self.vera_b[:, None] * B) @ (self.vera_d[:, None] * A)


def add_vera(model: nn.Module, targets: Iterable[str], rank: int = 256, seed: int = 0, d_initial: float = 0.1) -> nn.Module:
    """VeRA on all linear layers named by the targets, with one pair of projections made for the largest of them."""
    layers = linear_named(model, targets).values()
    widest = max(layer.in_features for layer in layers), max(layer.out_features for layer in layers)
    A, B = shared_projections(rank, *widest, seed)
    return wrap_linear(model, targets, lambda layer: LinearVeRA(layer, A, B, d_initial))


def projected_distances(points: Tensor, dimensions: int, seed: int = 0) -> Tensor:
    """Squared distances of all pairs after a random projection, over those before: what Johnson and Lindenstrauss is about.

    points (n, d); the projection is normal with variance 1 / dimensions, which keeps squared distances right on average. Returns
    (n (n - 1) / 2,) ratios, with mean 1 and standard deviation sqrt(2 / dimensions).
    """
    drawn = torch.randn(points.shape[1], dimensions, generator=torch.Generator().manual_seed(seed), dtype=points.dtype)
    after = points @ drawn / math.sqrt(dimensions)
    return (torch.pdist(after) / torch.pdist(points)).square()
