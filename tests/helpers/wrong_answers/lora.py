"""Chapter 08 and the quickstart: wrong answers that no exercise declares."""

import math

import torch


def forward(x, W0, lora_A, lora_B, alpha, scale=None, base=None):
    s = alpha / lora_A.shape[0] if scale is None else scale
    return (x @ W0.T if base is None else base) + s * x @ lora_A.T @ lora_B.T


def attention(X, W_q, W_k, W_v, W_o, A_q, B_q, A_v, B_v, alpha, *, scores=None, adapt="qv", mask=False, s=None, before=False):
    s = alpha / A_q.shape[0] if s is None else s
    Q, K, V = X @ W_q.T, X @ W_k.T, X @ W_v.T
    if "q" in adapt:
        Q = Q + s * X @ A_q.T @ B_q.T
    if "v" in adapt:
        V = V + s * X @ A_v.T @ B_v.T
    S = Q @ K.T / math.sqrt(K.shape[1])
    if scores == "turned":
        S = S.T
    if mask:
        S = S.masked_fill(torch.ones_like(S).triu(1).bool(), -torch.inf)
    P = S if before else torch.softmax(S, -1)
    return P @ V @ W_o.T


def backward(
    X,
    W_q,
    W_k,
    W_v,
    W_o,
    A_q,
    B_q,
    A_v,
    B_v,
    alpha,
    grad_out,
    *,
    turn=False,
    order=(0, 1, 2, 3),
    sign=1.0,
    mean=False,
    value_scale=None,
    no_out=False,
):
    n = X.shape[0]
    s = alpha / A_q.shape[0]
    Q, K, V = X @ W_q.T + s * X @ A_q.T @ B_q.T, X @ W_k.T, X @ W_v.T + s * X @ A_v.T @ B_v.T
    P = torch.softmax(Q @ K.T / math.sqrt(K.shape[1]), -1)
    gH = grad_out if no_out else grad_out @ W_o
    gV, gP = P.T @ gH, gH @ V.T
    gS = P * (gP - (gP * P).sum(-1, keepdim=True))
    gQ = (gS.T if turn else gS) @ K / math.sqrt(K.shape[1])
    sv = s if value_scale is None else value_scale
    out = [s * (gQ @ B_q).T @ X, s * gQ.T @ (X @ A_q.T), sv * (gV @ B_v).T @ X, sv * gV.T @ (X @ A_v.T)]
    return tuple(sign * out[i] / (n if mean else 1) for i in order)


def adamw(
    theta,
    grad,
    m,
    v,
    step,
    lr,
    beta1,
    beta2,
    eps,
    weight_decay,
    *,
    correct="mv",
    swap=False,
    power=None,
    up=False,
    square=True,
    lr_on_decay_only=False,
):
    if swap:
        beta1, beta2 = beta2, beta1
    m = beta1 * m + (1 - beta1) * grad
    v = beta2 * v + (1 - beta2) * (grad**2 if square else grad.abs())
    t = step if power is None else step + power
    mh = m / (1 - beta1**t) if "m" in correct else m
    vh = v / (1 - beta2**t) if "v" in correct else v
    theta = theta - lr * weight_decay * theta
    move = lr * mh / (vh.sqrt() + eps)
    return theta + move if up else theta - move, m, v


def gradient(x, grad_h, lora_A, lora_B, alpha, sa=None, sb=None):
    s = alpha / lora_A.shape[0]
    return (s if sa is None else sa) * (grad_h @ lora_B).T @ x, (s if sb is None else sb) * grad_h.T @ (x @ lora_A.T)


def svd(W, rank, kept=None):
    U, S, Vh = torch.linalg.svd(W, full_matrices=False)
    return (U[:, kept] * S[kept]) @ Vh[kept]


WRONG = {
    "quickstart.lora_forward": {
        "the update is subtracted": lambda x, W0, lora_A, lora_B: x @ W0.T - x @ lora_A.T @ lora_B.T,
        "base and update multiplied": lambda x, W0, lora_A, lora_B: (x @ W0.T) * (x @ lora_A.T @ lora_B.T),
        "the transpose returned": lambda x, W0, lora_A, lora_B: W0 @ x.T + lora_B @ lora_A @ x.T,
        "the merged matrix returned": lambda x, W0, lora_A, lora_B: W0 + lora_B @ lora_A,
        "divided by the batch": lambda x, W0, lora_A, lora_B: (x @ W0.T + x @ lora_A.T @ lora_B.T) / len(x),
        "summed over the batch": lambda x, W0, lora_A, lora_B: (x @ W0.T + x @ lora_A.T @ lora_B.T).sum(0),
    },
    "lora.forward": {
        "scale squared": lambda x, W0, lora_A, lora_B, alpha: forward(x, W0, lora_A, lora_B, alpha, (alpha / len(lora_A)) ** 2),
        "whole-number division": lambda x, W0, lora_A, lora_B, alpha: forward(x, W0, lora_A, lora_B, alpha, alpha // len(lora_A)),
        "rank from the rows of B": lambda x, W0, lora_A, lora_B, alpha: forward(
            x, W0, lora_A, lora_B, alpha, alpha / len(lora_B)
        ),
        "minus": lambda x, W0, lora_A, lora_B, alpha: forward(x, W0, lora_A, lora_B, -alpha),
        "alpha times rank": lambda x, W0, lora_A, lora_B, alpha: forward(x, W0, lora_A, lora_B, alpha, alpha * len(lora_A)),
        "one over the rank": lambda x, W0, lora_A, lora_B, alpha: forward(x, W0, lora_A, lora_B, alpha, 1 / len(lora_A)),
        "update twice": lambda x, W0, lora_A, lora_B, alpha: forward(x, W0, lora_A, lora_B, 2 * alpha),
        "x added": lambda x, W0, lora_A, lora_B, alpha: forward(x, W0, lora_A, lora_B, alpha) + x.mean(),
        "relu after": lambda x, W0, lora_A, lora_B, alpha: forward(x, W0, lora_A, lora_B, alpha).relu(),
    },
    "lora.gradient": {
        "the other sign": lambda x, grad_h, lora_A, lora_B, alpha: tuple(-g for g in gradient(x, grad_h, lora_A, lora_B, alpha)),
        "scale squared": lambda x, grad_h, lora_A, lora_B, alpha: gradient(
            x, grad_h, lora_A, lora_B, alpha, *[(alpha / len(lora_A)) ** 2] * 2
        ),
        "grad_A transposed": lambda x, grad_h, lora_A, lora_B, alpha: (
            gradient(x, grad_h, lora_A, lora_B, alpha)[0].T,
            gradient(x, grad_h, lora_A, lora_B, alpha)[1],
        ),
        "only grad_A": lambda x, grad_h, lora_A, lora_B, alpha: gradient(x, grad_h, lora_A, lora_B, alpha)[0],
        "B with the number of outputs": lambda x, grad_h, lora_A, lora_B, alpha: gradient(
            x, grad_h, lora_A, lora_B, alpha, None, alpha / len(lora_B)
        ),
        "averaged over outputs": lambda x, grad_h, lora_A, lora_B, alpha: tuple(
            g / grad_h.shape[1] for g in gradient(x, grad_h, lora_A, lora_B, alpha)
        ),
    },
    "lora.attention_forward": {
        "LoRA on q only": lambda **i: attention(**i, adapt="q"),
        "LoRA on v only": lambda **i: attention(**i, adapt="v"),
        "K Q.T": lambda **i: attention(**i, scores="turned"),
        "a causal mask": lambda **i: attention(**i, mask=True),
        "no softmax": lambda **i: attention(**i, before=True),
        "scale squared": lambda **i: attention(**i, s=(i["alpha"] / len(i["A_q"])) ** 2),
        "alpha alone": lambda **i: attention(**i, s=i["alpha"]),
        "minus": lambda **i: attention(**i, s=-i["alpha"] / len(i["A_q"])),
    },
    "lora.attention_backward": {
        "grad_S transposed": lambda **i: backward(**i, turn=True),
        "outputs in another order": lambda **i: backward(**i, order=(0, 2, 1, 3)),
        "v before q": lambda **i: backward(**i, order=(2, 3, 0, 1)),
        "the other sign": lambda **i: backward(**i, sign=-1.0),
        "averaged over tokens": lambda **i: backward(**i, mean=True),
        "value path not scaled": lambda **i: backward(**i, value_scale=1.0),
        "value path scaled by alpha": lambda **i: backward(**i, value_scale=i["alpha"]),
    },
    "lora.adamw_step": {
        "only m corrected": lambda **i: adamw(**i, correct="m"),
        "only v corrected": lambda **i: adamw(**i, correct="v"),
        "betas exchanged": lambda **i: adamw(**i, swap=True),
        "step counted from 0": lambda **i: adamw(**i, power=1),
        "uphill": lambda **i: adamw(**i, up=True),
        "v of absolute values": lambda **i: adamw(**i, square=False),
        "only theta": lambda **i: adamw(**i)[0],
        "m, v, theta": lambda **i: (adamw(**i)[1], adamw(**i)[2], adamw(**i)[0]),
        "moments without the decay": lambda **i: (adamw(**i)[0], i["m"] + i["grad"], i["v"] + i["grad"] ** 2),
    },
    "lora.parameter_count": {
        "twice": lambda d_out, d_in, rank: 2 * rank * (d_out + d_in),
        "rank squared": lambda d_out, d_in, rank: rank**2 * (d_out + d_in),
        "rank forgotten": lambda d_out, d_in, rank: d_out + d_in,
        "in thousands": lambda d_out, d_in, rank: rank * (d_out + d_in) / 1000,
        "with a bias": lambda d_out, d_in, rank: rank * (d_out + d_in) + d_out,
        "as a share": lambda d_out, d_in, rank: rank * (d_out + d_in) / (d_out * d_in),
        "in bytes": lambda d_out, d_in, rank: 4 * rank * (d_out + d_in),
    },
    "lora.attention_budget": {
        "hidden alone": lambda hidden, layers, matrices, rank: (layers * matrices * rank * hidden * hidden, 2 * rank / hidden),
        "the share of what stays": lambda hidden, layers, matrices, rank: (
            2 * layers * matrices * rank * hidden,
            1 - 2 * rank / hidden,
        ),
        "three matrices more": lambda hidden, layers, matrices, rank: (
            2 * layers * (matrices + 1) * rank * hidden,
            2 * rank / hidden,
        ),
        "rounded share": lambda hidden, layers, matrices, rank: (
            2 * layers * matrices * rank * hidden,
            round(2 * rank / hidden, 2),
        ),
        "share of one layer": lambda hidden, layers, matrices, rank: (
            2 * layers * matrices * rank * hidden,
            2 * rank / hidden / layers,
        ),
    },
    "lora.multi_task_ratio": {
        "one factor": lambda d_out, d_in, rank, tasks: tasks * d_out * d_in / (d_out * d_in + tasks * rank * d_in),
        "no tasks for full": lambda d_out, d_in, rank, tasks: (
            100 * tasks * d_out * d_in / (d_out * d_in + tasks * rank * (d_out + d_in))
        ),
        "whole number": lambda d_out, d_in, rank, tasks: tasks * d_out * d_in // (d_out * d_in + tasks * rank * (d_out + d_in)),
        "difference": lambda d_out, d_in, rank, tasks: tasks * d_out * d_in - (d_out * d_in + tasks * rank * (d_out + d_in)),
        "log": lambda d_out, d_in, rank, tasks: math.log(tasks * d_out * d_in / (d_out * d_in + tasks * rank * (d_out + d_in))),
        "rank squared": lambda d_out, d_in, rank, tasks: tasks * d_out * d_in / (d_out * d_in + tasks * rank**2 * (d_out + d_in)),
    },
    "lora.static_memory": {
        "frozen apart": lambda parameters, trainable: (4 * (parameters + trainable) + 12 * trainable) / 1e9,
        "megabytes": lambda parameters, trainable: (4 * parameters + 12 * trainable) / 1e6,
        "bits": lambda parameters, trainable: 8 * (4 * parameters + 12 * trainable) / 1e9,
        "half precision": lambda parameters, trainable: (2 * parameters + 6 * trainable) / 1e9,
        "numbers": lambda parameters, trainable: (parameters + 3 * trainable) / 1e9,
        "exchanged": lambda parameters, trainable: (12 * parameters + 4 * trainable) / 1e9,
        "no second moment": lambda parameters, trainable: (4 * parameters + 8 * trainable) / 1e9,
        "frozen 4, trainable 12": lambda parameters, trainable: (4 * (parameters - trainable) + 12 * trainable) / 1e9,
    },
    "lora.merge": {
        "scale squared": lambda W0, lora_A, lora_B, alpha: W0 + (alpha / len(lora_A)) ** 2 * lora_B @ lora_A,
        "transposed": lambda W0, lora_A, lora_B, alpha: (W0 + alpha / len(lora_A) * lora_B @ lora_A).T,
        "whole-number division": lambda W0, lora_A, lora_B, alpha: W0 + alpha // len(lora_A) * lora_B @ lora_A,
        "W0 alone": lambda W0, lora_A, lora_B, alpha: W0,
        "averaged": lambda W0, lora_A, lora_B, alpha: (W0 + alpha / len(lora_A) * lora_B @ lora_A) / 2,
        "multiplied": lambda W0, lora_A, lora_B, alpha: W0 * (alpha / len(lora_A) * lora_B @ lora_A),
        "changed in place, nothing returned": lambda W0, lora_A, lora_B, alpha: W0.add_(lora_B @ lora_A) and None,
    },
    "lora.truncate": {
        "rank - 1": lambda W, rank: svd(W, rank, slice(0, rank - 1)),
        "W as it is": lambda W, rank: W,
        "transposed": lambda W, rank: svd(W, rank, slice(0, rank)).T,
        "the root of the values": lambda W, rank: (lambda U, S, V: (U[:, :rank] * S[:rank].sqrt()) @ V[:rank])(
            *torch.linalg.svd(W, full_matrices=False)
        ),
        "the factors": lambda W, rank: (torch.linalg.svd(W)[0][:, :rank], torch.linalg.svd(W)[2][:rank]),
        "only the one": lambda W, rank: svd(W, rank, slice(rank - 1, rank)),
        "last rows too": lambda W, rank: -svd(W, rank, slice(0, rank)),
    },
}
