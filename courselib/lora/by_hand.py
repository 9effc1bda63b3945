"""LoRA without autograd: every gradient, an attention layer and an AdamW step, derived and written out.

Row convention throughout, as in torch: an example is a row of X (n, d_in), a weight is stored (d_out, d_in),
and a layer computes X W^T. With s = alpha / rank:

    H = X W^T + s (X A^T) B^T        A (rank, d_in), B (d_out, rank)

Write G = dL/dH (n, d_out). A product Y = M N passes dL/dM = dL/dY N^T and dL/dN = M^T dL/dY, and that one
rule, with the derivative of softmax, is all that this file uses.

Papers: Hu et al. 2021, arXiv:2106.09685, equation 3 (LoRA); Vaswani et al. 2017, arXiv:1706.03762, equation 1
(attention); Loshchilov & Hutter 2019, arXiv:1711.05101, algorithm 2 (AdamW).
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor


def lora_forward(x: Tensor, W0: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> Tensor:
    """x W0^T + (alpha / rank) (x A^T) B^T: x (n, d_in), W0 (d_out, d_in) -> (n, d_out).

    Source: Hu et al. 2021, equation 3. The update goes through the narrow middle: no matrix of the size of W0
    is ever built.
    """
    scaling = alpha / lora_A.shape[0]
    return x @ W0.T + scaling * (x @ lora_A.T) @ lora_B.T  # (n, d_out)


def lora_gradients(
    x: Tensor, grad_h: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float
) -> tuple[Tensor, Tensor]:
    """(grad_A, grad_B) of a batch, from x (n, d_in) and grad_h = dL/dH (n, d_out).

        dL/dB = s G^T (X A^T)      (d_out, rank)
        dL/dA = s (G B)^T X        (rank, d_in)

    The products sum over the n examples by themselves. B = 0, the start of training, makes dL/dA zero: B
    moves first. The frozen W0 needs no gradient, so it does not even appear.
    """
    scaling = alpha / lora_A.shape[0]
    grad_A = scaling * ((grad_h @ lora_B).T @ x)  # (rank, d_in)
    grad_B = scaling * (grad_h.T @ (x @ lora_A.T))  # (d_out, rank)
    return grad_A, grad_B


class AttentionWeights(NamedTuple):
    """One attention head with LoRA on query and value: A_q, B_q, A_v, B_v train, all the rest is frozen."""

    W_q: Tensor  # (d_k, d)
    W_k: Tensor  # (d_k, d)
    W_v: Tensor  # (d_v, d)
    W_o: Tensor  # (d, d_v)
    A_q: Tensor  # (rank, d)
    B_q: Tensor  # (d_k, rank)
    A_v: Tensor  # (rank, d)
    B_v: Tensor  # (d_v, rank)
    alpha: float


class AttentionCache(NamedTuple):
    """What the backward pass needs again from the forward pass."""

    X: Tensor  # (n, d)
    Q: Tensor  # (n, d_k)
    K: Tensor  # (n, d_k)
    V: Tensor  # (n, d_v)
    P: Tensor  # (n, n), each row sums to 1


def softmax_rows(S: Tensor) -> Tensor:
    """exp(S), every row divided by its sum: (n, m) -> (n, m). Subtracting the maximum avoids overflow."""
    E = torch.exp(S - S.max(dim=1, keepdim=True).values)
    return E / E.sum(dim=1, keepdim=True)


def attention_forward(
    X: Tensor, weights: AttentionWeights, causal: bool = False
) -> tuple[Tensor, AttentionCache]:
    """Self-attention of one head over one sequence X (n, d) -> (O (n, d), what the backward pass needs).

        Q = X W_q^T + s X A_q^T B_q^T        K = X W_k^T        V = X W_v^T + s X A_v^T B_v^T
        P = softmax(Q K^T / sqrt(d_k))       O = (P V) W_o^T

    `causal`: position i sees positions 0 .. i only.
    """
    W_q, W_k, W_v, W_o, A_q, B_q, A_v, B_v, alpha = weights
    Q = lora_forward(X, W_q, A_q, B_q, alpha)  # (n, d_k)
    K = X @ W_k.T  # (n, d_k)
    V = lora_forward(X, W_v, A_v, B_v, alpha)  # (n, d_v)
    S = Q @ K.T / math.sqrt(K.shape[1])  # (n, n): row i, how much position i likes each position
    if causal:
        future = torch.ones_like(S, dtype=torch.bool).triu(diagonal=1)
        S = S.masked_fill(future, -math.inf)
    P = softmax_rows(S)  # (n, n)
    O = P @ V @ W_o.T  # (n, d)  # noqa: E741 the formula's own name
    return O, AttentionCache(X, Q, K, V, P)


def attention_backward(grad_O: Tensor, weights: AttentionWeights, cache: AttentionCache) -> dict[str, Tensor]:
    """Gradients of A_q, B_q, A_v, B_v and X from grad_O = dL/dO (n, d): the forward pass, read from its end.

    The causal mask needs no line here. A masked entry has P = 0, so its dS is 0 as well.
    """
    W_q, W_k, W_v, W_o, A_q, B_q, A_v, B_v, alpha = weights
    X, Q, K, V, P = cache

    grad_H = grad_O @ W_o  # (n, d_v), H = P V
    grad_P = grad_H @ V.T  # (n, n)
    grad_V = P.T @ grad_H  # (n, d_v)

    # softmax: dP_ij/dS_ik = P_ij (1[j = k] - P_ik), summed over j
    grad_S = P * (grad_P - (grad_P * P).sum(dim=1, keepdim=True))  # (n, n)
    grad_S = grad_S / math.sqrt(K.shape[1])  # now of Q K^T
    grad_Q = grad_S @ K  # (n, d_k)
    grad_K = grad_S.T @ Q  # (n, d_k)

    grad_A_q, grad_B_q = lora_gradients(X, grad_Q, A_q, B_q, alpha)
    grad_A_v, grad_B_v = lora_gradients(X, grad_V, A_v, B_v, alpha)

    # X feeds the queries, the keys and the values: three roads, and gradients add
    grad_X = grad_K @ W_k  # (n, d)
    for grad, W, A, B in ((grad_Q, W_q, A_q, B_q), (grad_V, W_v, A_v, B_v)):
        grad_X = grad_X + grad @ W + (alpha / A.shape[0]) * (grad @ B) @ A
    return {"A_q": grad_A_q, "B_q": grad_B_q, "A_v": grad_A_v, "B_v": grad_B_v, "X": grad_X}


def adamw_step(
    parameter: Tensor, grad: Tensor, m: Tensor, v: Tensor, step: int, lr: float = 1e-3, beta1: float = 0.9,
    beta2: float = 0.999, eps: float = 1e-8, weight_decay: float = 1e-2,
) -> tuple[Tensor, Tensor, Tensor]:
    """AdamW's step number `step` = 1, 2, ...: returns the new (parameter, m, v), leaves its inputs alone.

        m = beta1 m + (1 - beta1) g          m^ = m / (1 - beta1^step)
        v = beta2 v + (1 - beta2) g^2        v^ = v / (1 - beta2^step)
        theta = theta - lr * (m^ / (sqrt(v^) + eps) + weight_decay * theta)

    m and v start at zero, so the first ones are too small; the hats undo exactly that. Without them the first
    step is 0.1 / sqrt(0.001) = 3.16 times lr instead of 1 times lr. The decay is *decoupled*: it stays out of
    g, m and v, but it is multiplied by lr: torch's convention, as are the defaults. (Loshchilov & Hutter 2019,
    algorithm 2, multiply the decay by their schedule alone, so lambda means something smaller there.)
    Raises ValueError when step is below 1.
    """
    if step < 1:
        raise ValueError(f"step counts from 1, because step 0 would divide by 1 - beta^0 = 0; {step} came.")
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    m_hat = m / (1 - beta1**step)
    v_hat = v / (1 - beta2**step)
    parameter = parameter - lr * (m_hat / (v_hat.sqrt() + eps) + weight_decay * parameter)
    return parameter, m, v
