"""Attention with LoRA on paper: which products exist, whose gradients they have, and what an AdamW step does."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from courselib.claims.computed import Computed, computes
from courselib.lora.by_hand import AttentionWeights, adamw_step, lora_forward

N, D, D_K, RANK = 8, 6, 4, 2  # tokens, width, width of a head, rank: all different, so that a wrong product cannot fit


def tensors_of(*shapes: tuple[int, ...]) -> list[Tensor]:
    """Normal tensors in double precision, always the same."""
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes]


def fits_together(product: Callable[[], Tensor], shape: tuple[int, ...]) -> bool:
    """Whether a product can be formed at all, and has this shape."""
    try:
        return tuple(product().shape) == shape
    except RuntimeError:
        return False


def head_weights(alpha: float = RANK) -> tuple[Tensor, AttentionWeights]:
    """X (n, d) and the weights of a head with LoRA on query and value, B not zero."""
    X, W_q, W_k, W_v, W_o, A_q, B_q, A_v, B_v = tensors_of(
        (N, D), (D_K, D), (D_K, D), (D_K, D), (D, D_K), (RANK, D), (D_K, RANK), (RANK, D), (D_K, RANK))
    return X, AttentionWeights(W_q, W_k, W_v, W_o, A_q, B_q, A_v, B_v, alpha)


@computes("lora-attn4")
def _columns_instead_of_rows() -> Computed:
    X, w = head_weights(alpha=RANK)
    columns = w.W_q @ X.T + w.B_q @ (w.A_q @ X.T)  # a token is a column; the scale is left out, which is right for alpha = rank
    apart = (columns.T - lora_forward(X, w.W_q, w.A_q, w.B_q, RANK)).abs().max().item()
    twice = (columns.T - lora_forward(X, w.W_q, w.A_q, w.B_q, 2 * RANK)).abs().max().item()
    return Computed(apart < 1e-10, {"apart, alpha = rank": apart, "apart, alpha = 2 rank": twice})


@computes("bb-shapes")
def _query_from_rows() -> Computed:
    X, W_q = tensors_of((N, D), (D, D_K))
    figures = {"columns of W_q": W_q.shape[1], "rows of X": X.shape[0]}
    assert fits_together(lambda: X @ W_q, (N, D_K))  # the product that is meant
    return Computed(fits_together(lambda: W_q @ X, (N, D_K)), figures)


@computes("bb-wo")
def _output_from_rows() -> Computed:
    heads, W_o = tensors_of((N, D_K), (D, D_K))
    assert fits_together(lambda: heads @ W_o.T, (N, D))
    return Computed(fits_together(lambda: W_o @ heads, (N, D)), {"columns of W_o": W_o.shape[1], "rows of the heads' output": N})


@computes("bb-lora")
def _adapter_from_rows() -> Computed:
    X, A, B = tensors_of((N, D), (RANK, D_K), (D, RANK))
    assert fits_together(lambda: (X @ B) @ A, (N, D_K))
    return Computed(fits_together(lambda: B @ (A @ X), (N, D_K)), {"columns of A": A.shape[1], "rows of X": N})


@computes("bb-softmax")
def _two_conventions_at_once() -> Computed:
    X, W_q, W_k = tensors_of((N, D), (D_K, D), (D_K, D))
    rows, columns = (X @ W_q.T) @ (X @ W_k.T).T, (W_q @ X.T) @ (X @ W_k.T)  # QKᵀ, and W X Xᵀ Wᵀ
    figures = {"scores of rows": rows.shape[0], "rows of the expansion": columns.shape[0]}
    return Computed(rows.shape == columns.shape and torch.allclose(rows, columns), figures)


def _query_gradients() -> tuple[Tensor, ...]:
    X, w = head_weights()
    A, B = w.A_q.clone().requires_grad_(), w.B_q.clone().requires_grad_()
    _, K, V, grad = X, X @ w.W_k.T, X @ w.W_v.T, tensors_of((N, D_K))[0]
    Q = lora_forward(X, w.W_q, A, B, RANK)
    S = Q @ K.T / math.sqrt(D_K)
    loss = (S.softmax(1) @ V * grad).sum()
    grad_Q, grad_S, grad_B = torch.autograd.grad(loss, [Q, S, B])
    return X, A.detach(), K, grad_Q, grad_S, grad_B


@computes("bb-dq")
def _gradient_of_the_query() -> Computed:
    _, _, K, grad_Q, grad_S, _ = _query_gradients()
    apart = (grad_Q - grad_S @ K / math.sqrt(D_K)).abs().max().item()
    return Computed(apart < 1e-10, {"apart from autograd": apart})


@computes("bb-dbq")
def _gradient_of_its_adapter() -> Computed:
    X, A, _, grad_Q, _, grad_B = _query_gradients()
    apart = (grad_B - grad_Q.T @ (X @ A.T)).abs().max().item()  # the form for rows of tokens
    mixed = fits_together(lambda: grad_Q @ (A @ X).T, tuple(grad_B.shape))
    return Computed(mixed, {"apart from autograd, row form": apart})


@computes("bb-adamw")
def _first_step_of_adamw() -> Computed:
    lr, decay, g, start = 1e-3, 1e-2, 0.3, 1.0
    m, v = 0.1 * g, 0.001 * g**2
    as_said = start - lr * m / (math.sqrt(v) + 1e-8) - decay * start
    p = torch.nn.Parameter(torch.tensor([start], dtype=torch.float64))
    p.grad = torch.full_like(p, g)
    torch.optim.AdamW([p], lr=lr, weight_decay=decay).step()
    ours, *_ = adamw_step(torch.tensor(start).double(), torch.tensor(g).double(), torch.tensor(0.0), torch.tensor(0.0), 1, lr)
    assert abs(p.item() - ours.item()) < 1e-9  # the course's formula is torch's
    figures = {"first step, in learning rates": m / math.sqrt(v), "decay as said over torch's": decay / (lr * decay)}
    return Computed(abs(as_said - p.item()) < 1e-6, figures)
