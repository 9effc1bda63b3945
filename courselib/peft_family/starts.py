"""Other starts and scales for LoRA: PiSSA begins with the largest pieces of the weight itself.

    W0 = U diag(sigma) V^T;  s B A = its first r pieces, trained;  the rest W0 - s B A, frozen

The layer computes what it computed. But its trained part is no small update any more: it is the largest part of W0. So the file
of a PiSSA adapter needs the changed base, or has to be turned into a LoRA of rank 2 r: s (B A) - s (B0 A0).

Papers: Meng et al. 2024, "PiSSA", arXiv:2404.02948, equations 2 to 4; the scale alpha / sqrt(r) is rsLoRA's, chapter 08.
"""

from __future__ import annotations

import torch
from torch import Tensor

from courselib.lora.layer import LinearLoRA


def pissa(W: Tensor, rank: int, scaling: float = 1.0) -> tuple[Tensor, Tensor, Tensor]:
    """lora_A (rank, d_in), lora_B (d_out, rank) and what is left of W (d_out, d_in), so that left + scaling B A = W."""
    U, sigma, Vh = torch.linalg.svd(W, full_matrices=False)
    root = (sigma[:rank] / scaling).sqrt()
    lora_A, lora_B = root[:, None] * Vh[:rank], U[:, :rank] * root
    return lora_A, lora_B, W - scaling * lora_B @ lora_A


@torch.no_grad()
def start_pissa(layer: LinearLoRA, name: str = "default") -> None:
    """Gives an adapter PiSSA's start, in place: its pair and the frozen weight change, what the layer computes does not."""
    weight = layer.base_layer.weight
    lora_A, lora_B, left = pissa(weight, layer.rank[name], layer.scaling[name])
    layer.lora_A[name].weight.copy_(lora_A)
    layer.lora_B[name].weight.copy_(lora_B)
    weight.copy_(left)


def as_lora(before: tuple[Tensor, Tensor], after: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    """What training a PiSSA pair changed, as a LoRA pair of twice the rank for the *original* weight: (A, B) each.

    B A - B0 A0 = [B, -B0] [A; A0].
    """
    (A0, B0), (A, B) = before, after
    return torch.cat([A, A0]), torch.cat([B, -B0], 1)
