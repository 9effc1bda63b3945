"""Model answers of chapter 08. Row convention throughout: one example a row, weights stored (d_out, d_in) as torch does."""

import math

import torch
from torch import Tensor


def lora_parameter_count(d_out: int, d_in: int, rank: int) -> int:
    """How many numbers a LoRA pair of the given rank adds to one weight matrix of shape (d_out, d_in).

    The frozen matrix itself is not counted. Returns a whole number.
    """
    return rank * d_in + d_out * rank


def lora_attention_budget(hidden: int, layers: int, matrices: int, rank: int) -> tuple[int, float]:
    """The cost of LoRA on `matrices` square attention matrices (hidden x hidden) in each of `layers` layers.

    Returns two values: the number of parameters added in the whole model, and that number as a share of the
    parameters in the adapted matrices (a fraction, not a percentage; 0.04 means 4 % remain to be trained).
    """
    added = layers * matrices * rank * (hidden + hidden)
    adapted = layers * matrices * hidden * hidden
    return added, added / adapted


def lora_truncate(W: Tensor, rank: int) -> Tensor:
    """The matrix of rank at most `rank` that is nearest to W in the Frobenius norm (Eckart and Young, 1936).

    W: (m, n).   Returns (m, n).
    """
    U, S, Vh = torch.linalg.svd(W, full_matrices=False)
    return (U[:, :rank] * S[:rank]) @ Vh[:rank]


def lora_forward(x: Tensor, W0: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> Tensor:
    """The output of a linear layer with LoRA, scaled as in the paper: the rank r is the number of rows of lora_A.

    x: (..., d_in), any number of leading dimensions.   W0: (d_out, d_in).
    lora_A: (r, d_in).   lora_B: (d_out, r).   Returns (..., d_out).
    """
    rank = lora_A.shape[0]
    return x @ W0.T + alpha / rank * (x @ lora_A.T) @ lora_B.T


def lora_gradient(x: Tensor, grad_h: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> tuple[Tensor, Tensor]:
    """The gradients of the loss with respect to lora_A and lora_B, by hand: no autograd.

    x: (n, d_in), the layer's input.   grad_h: (n, d_out), the gradient of the loss with respect to its output.
    lora_A: (r, d_in).   lora_B: (d_out, r).   The scale is alpha / r. The loss already is what it is:
    sum over the rows of the batch, do not average again.

    Returns (grad_A, grad_B), each in the shape of its matrix.
    """
    scale = alpha / lora_A.shape[0]
    grad_A = scale * (grad_h @ lora_B).T @ x
    grad_B = scale * grad_h.T @ (x @ lora_A.T)
    return grad_A, grad_B


def lora_merge(W0: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float) -> Tensor:
    """The single weight matrix that computes what the frozen layer and its LoRA pair compute together.

    W0: (d_out, d_in).   lora_A: (r, d_in).   lora_B: (d_out, r).   Returns (d_out, d_in), and leaves W0 as it was.
    """
    return W0 + alpha / lora_A.shape[0] * lora_B @ lora_A


def lora_multi_task_ratio(d_out: int, d_in: int, rank: int, tasks: int) -> float:
    """How many times more parameters full fine-tuning has to store than LoRA, for one weight matrix and several tasks.

    Full fine-tuning keeps one copy of the (d_out, d_in) matrix for each task. LoRA keeps one frozen matrix, shared
    by all tasks, and one pair of the given rank for each task.
    """
    full = tasks * d_out * d_in
    lora = d_out * d_in + tasks * rank * (d_out + d_in)
    return full / lora


def lora_static_memory(parameters: int, trainable: int) -> float:
    """The memory, in GB of 10^9 bytes, that training with AdamW in float32 occupies before any activation is stored.

    Every number takes 4 bytes. All `parameters` of the model are stored once. For each of the `trainable` ones
    among them there is also a gradient, a first moment and a second moment.
    """
    return (4 * parameters + 12 * trainable) / 1e9


def lora_attention_forward(
    X: Tensor, W_q: Tensor, W_k: Tensor, W_v: Tensor, W_o: Tensor,
    A_q: Tensor, B_q: Tensor, A_v: Tensor, B_v: Tensor, alpha: float,
) -> Tensor:
    """One attention head with LoRA on the query and the value projection; no mask, no biases.

    X: (n, d), one token a row.   W_q, W_k: (d_k, d).   W_v: (d_v, d).   W_o: (d, d_v).
    A_q, A_v: (r, d).   B_q: (d_k, r).   B_v: (d_v, r).   The scale of both pairs is alpha / r.
    Returns (n, d).
    """
    scale = alpha / A_q.shape[0]
    Q = X @ W_q.T + scale * X @ A_q.T @ B_q.T  # (n, d_k)
    K = X @ W_k.T  # (n, d_k)
    V = X @ W_v.T + scale * X @ A_v.T @ B_v.T  # (n, d_v)
    P = torch.softmax(Q @ K.T / math.sqrt(K.shape[1]), dim=-1)  # (n, n), each row sums to 1
    return P @ V @ W_o.T  # (n, d)


def lora_attention_backward(
    X: Tensor, W_q: Tensor, W_k: Tensor, W_v: Tensor, W_o: Tensor,
    A_q: Tensor, B_q: Tensor, A_v: Tensor, B_v: Tensor, alpha: float, grad_out: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """The gradients of the four LoRA matrices of that attention head, by hand: no autograd.

    All shapes are those of the forward pass. grad_out: (n, d), the gradient of the loss with respect to its output.
    Returns (grad_A_q, grad_B_q, grad_A_v, grad_B_v), each in the shape of its matrix.
    """
    scale = alpha / A_q.shape[0]
    Q = X @ W_q.T + scale * X @ A_q.T @ B_q.T
    K = X @ W_k.T
    V = X @ W_v.T + scale * X @ A_v.T @ B_v.T
    P = torch.softmax(Q @ K.T / math.sqrt(K.shape[1]), dim=-1)
    grad_H = grad_out @ W_o  # (n, d_v), at P V
    grad_V = P.T @ grad_H  # (n, d_v)
    grad_P = grad_H @ V.T  # (n, n)
    grad_S = P * (grad_P - (grad_P * P).sum(dim=-1, keepdim=True))  # (n, n), softmax backward, row by row
    grad_Q = grad_S @ K / math.sqrt(K.shape[1])  # (n, d_k)
    grad_A_q = scale * (grad_Q @ B_q).T @ X
    grad_B_q = scale * grad_Q.T @ (X @ A_q.T)
    grad_A_v = scale * (grad_V @ B_v).T @ X
    grad_B_v = scale * grad_V.T @ (X @ A_v.T)
    return grad_A_q, grad_B_q, grad_A_v, grad_B_v


def lora_adamw_step(
    theta: Tensor, grad: Tensor, m: Tensor, v: Tensor, step: int,
    lr: float, beta1: float, beta2: float, eps: float, weight_decay: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """One AdamW update (Loshchilov and Hutter, 2019), as torch.optim.AdamW makes it.

    theta, grad, m, v: tensors of one shape; m and v are the moments before this step.
    step: 1 for the first update.   Returns (theta, m, v) after the update, and leaves the inputs as they were.
    """
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * grad**2
    m_hat = m / (1 - beta1**step)
    v_hat = v / (1 - beta2**step)
    theta = theta - lr * weight_decay * theta
    theta = theta - lr * m_hat / (v_hat.sqrt() + eps)
    return theta, m, v


def lora_why_scale() -> str:
    """Why does LoRA multiply its update by α/r, and why would anyone set α ≠ r? Say also what α/r does *not* do:
    what happens to the size of the update as the rank grows, and which scale would keep it constant?

    Write three to six sentences. Name the measurement of this chapter that supports you.
    """
    return """
The scale separates how strong the update is from how many directions it may use. α is a strength that is chosen once;
it acts on the update like a learning rate, so α = 2r doubles the update of α = r without a change of initialisation.
Dividing by r was meant to spare us from tuning the learning rate again when r changes, because the r terms of BAx add up.
But they add up like independent terms: the squared size of BAx grows like r, its size like √r. Dividing by r therefore
overshoots: the squared size of the scaled update is proportional to α²/r and falls as the rank grows, so r does not
cancel. The scale α/√r (rsLoRA) keeps it constant. In the chapter's measurement over r = 1 … 256 the mean square under α/r
falls in proportion to 1/r, while under α/√r it stays flat.
"""
