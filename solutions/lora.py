"""Model answers of chapter 08. Row convention throughout: one example a row, weights stored (d_out, d_in) as torch does."""

import math

import torch
from torch import Tensor


def lora_parameter_count(d_out: int, d_in: int, rank: int) -> int:
    """How many numbers a LoRA pair of the given rank adds to one weight matrix of shape (d_out, d_in). The frozen matrix itself
    is not counted. Returns a whole number.
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
    lora_A: (r, d_in).   lora_B: (d_out, r).   The scale is alpha / r. Any averaging is in grad_h
    already: sum over the rows of the batch.

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
    return tasks * d_out * d_in / (d_out * d_in + tasks * rank * (d_out + d_in))


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
    """Why does LoRA multiply its update by α/r, and why would anyone set α ≠ r? Say also what α/r does *not* do: how the size
    of the update depends on the rank, for which optimiser, and which scale would take that dependence away.
    Write four to seven sentences. Name the measurements of this chapter that support you.
    """
    return """
The scale separates how strong the update is from how many directions it may use. α is a strength that is chosen once; it acts on
the update like a learning rate, so α = 2r doubles the update of α = r without another initialisation. Dividing by r was meant to
spare us from tuning the learning rate again when r changes, because the r terms of BAx add up. If the factors are independent,
they add up like independent terms: the squared size of BAx grows like r, so under α/r it goes like α²/r, and the scale α/√r
(rsLoRA) is the one that keeps it constant; over r = 1 … 256 it was measured to fall with slope -1 under α/r and to be flat under
α/√r. After gradient descent it fades even faster (slope near -2), for B grew by a gradient that carries the scale already. AdamW
is another matter: it moves every entry of B by the rate, whatever the gradient's size, and in directions that fit A, so the
terms add up like r. There α/r nearly cancels the rank, and under α/√r the update grows with it: measured after AdamW's steps. So
α/r's effect depends on the optimiser. With AdamW the best rate hardly moves with the rank (section 7).
"""


def lora_predict_growth(quantity: str, scale: str, factor: float) -> float:
    """When the rank of LoRA grows by `factor`, by which factor does a quantity of section 5 grow on average?

    quantity: "update size", the mean square of the entries of scale · B A x for random A and B;
              "gradient step", the squared length of the gradient of B at the start, where B = 0;
              "AdamW step", the sum of the absolute entries of that same gradient.
    scale:    "alpha/r" or "alpha/sqrt(r)"; alpha stays as it is.   factor: above 1.
    """
    size = 1 / factor if scale == "alpha/r" else 1 / math.sqrt(factor)  # how the scale itself changes
    if quantity == "AdamW step":
        return size * factor  # r times as many entries, each of the scale's size
    return size**2 * factor  # r independent terms, each of the scale's size squared


def lora_targets(names: list[str], targets: list[str]) -> tuple[str, ...]:
    """Which of a model's layers get an adapter: those whose name is one of the targets, or ends in one of them after a dot.

    names: all linear layers, such as "encoder.layer.0.attention.self.query", in the model's order.
    targets: names or ends of names, such as "query" or "attention.output.dense".
    Returns the matching names in the model's order, each once. Raises ValueError if some target matches no name at all:
    a misspelt target is otherwise a layer that silently is not trained.
    """
    for target in targets:
        if not any(name == target or name.endswith("." + target) for name in names):
            raise ValueError(f"no layer's name ends in {target!r}")
    return tuple(name for name in names if any(name == target or name.endswith("." + target) for target in targets))


def lora_merge_checkpoint(
    base: dict[str, Tensor], adapter: dict[str, Tensor], r: int, lora_alpha: float, use_rslora: bool
) -> tuple[Tensor, ...]:
    """Merges an adapter that was saved by peft into the weights of its base model, by name.

    base: name -> tensor, such as "encoder.layer.0.query.weight" (d_out, d_in) or "encoder.layer.0.query.bias" (d_out,).
    adapter: for every adapted layer two tensors, "base_model.model.encoder.layer.0.query.lora_A.weight" (r, d_in) and
    "….lora_B.weight" (d_out, r). The scale is lora_alpha / r, or lora_alpha / √r if use_rslora is true.
    Returns one tensor for each name in `base`, in its order; what has no adapter comes back as it was.
    """
    scale = lora_alpha / math.sqrt(r) if use_rslora else lora_alpha / r
    merged = []
    for name, tensor in base.items():
        layer = "base_model.model." + name.removesuffix(".weight")
        if name.endswith(".weight") and layer + ".lora_A.weight" in adapter:
            tensor = tensor + scale * adapter[layer + ".lora_B.weight"] @ adapter[layer + ".lora_A.weight"]
        merged.append(tensor)
    return tuple(merged)


def lora_serve(W0: Tensor, lora_A: Tensor, lora_B: Tensor, alpha: float, tasks: list[int], x: Tensor) -> Tensor:
    """One frozen matrix serves several tasks. Answers requests in turn, each with the adapter of its own task.

    W0: (d_out, d_in).   lora_A: (T, r, d_in) and lora_B: (T, d_out, r), one pair a task.   The scale is alpha / r.
    tasks: the task of each request, counted from 0, in any order.   x: (requests, d_in).
    Returns (requests, d_out), and leaves W0 as it was. What a request is answered must not depend on those before it.
    """
    scale = alpha / lora_A.shape[1]
    return torch.stack([row @ (W0 + scale * lora_B[task] @ lora_A[task]).T for task, row in zip(tasks, x, strict=True)])


def lora_fair_race(tuning: Tensor, test: Tensor, t: float, margin: float) -> tuple[int, int, float, float, str]:
    """Compares LoRA with full fine-tuning from measured accuracies, each with a learning rate of its own.

    tuning: (2, rates, tuning seeds), method 0 is full fine-tuning and method 1 LoRA.   test: (2, rates, test seeds), other seeds.
    A method's rate is the one with the best mean over the tuning seeds. At these rates, take the differences LoRA minus full
    on the test seeds, seed by seed. The interval is their mean ± t · s / √n, with s their standard deviation (divided by n - 1).
    Returns five values: the index of full fine-tuning's rate, that of LoRA's, the mean difference, the half width t · s / √n, and
    "as good" if the whole interval lies above -margin, "worse" if all of it lies below -margin, otherwise "cannot tell".
    """
    full, lora = tuning.mean(dim=-1).argmax(dim=-1).tolist()
    gaps = test[1, lora] - test[0, full]  # (test seeds,)
    mean, half = gaps.mean().item(), t * gaps.std().item() / math.sqrt(len(gaps))
    verdict = "as good" if mean - half > -margin else "worse" if mean + half < -margin else "cannot tell"
    return full, lora, mean, half, verdict


def lora_adapt(x: Tensor, y: Tensor, W0: Tensor, rank: int, alpha: float, lr: float, steps: int) -> tuple[Tensor, Tensor]:
    """Trains a LoRA pair beside one frozen layer, from start to end, so that x W0^T + alpha/r · x A^T B^T comes close to y.

    x: (n, d_in).   y: (n, d_out).   W0: (d_out, d_in), which stays as it was.
    The loss is the mean of (output - y)² over all its entries. `lr` and `steps` suit plain gradient descent with all of x in
    every step; with another optimiser choose your own rate. Gradients by hand or by autograd, as you like.
    Before the first step the layer has to compute what W0 computes: with steps = 0 the start comes back.
    Returns (lora_A, lora_B), of shapes (rank, d_in) and (d_out, rank). They are tried on inputs that you do not see.
    """
    scale = alpha / rank
    lora_A = torch.randn(rank, x.shape[1]) / math.sqrt(x.shape[1])
    lora_B = torch.zeros(y.shape[1], rank)
    for _ in range(steps):
        narrow = x @ lora_A.T  # (n, rank)
        grad_h = 2 / y.numel() * (x @ W0.T + scale * narrow @ lora_B.T - y)  # (n, d_out)
        step_A, step_B = scale * (grad_h @ lora_B).T @ x, scale * grad_h.T @ narrow
        lora_A, lora_B = lora_A - lr * step_A, lora_B - lr * step_B
    return lora_A, lora_B


def lora_choose_settings() -> str:
    """A colleague adapts a language model to the style of a new customer: the words are known, the habits are new. There are a
    few hundred documents, an evening on one GPU, and the old customers' model must stay available. "I take rank 64 on query
    and value, because LoRA's paper adapts those, and the learning rate that worked for full fine-tuning."
    What would you change, and in which order would you try it? Write five to eight sentences. Give for each choice the
    measurement of this chapter that speaks for it, and say of at least one of them why it may not carry over to your
    colleague's model.
    """
    return """
First the place: at an equal number of trained weights, adapters on all layers or on the MLP gained far more in the chapter's
language model than adapters on query and value, so I would spread a small rank over all linear layers. Then the rate: every
method had a best rate of its own, and in the language model LoRA's was two to three times full fine-tuning's; I would try
three or four rates, a factor of two or three apart, on a validation set, before I touch the rank. The rank comes last: in the
task of swapped pixels rank 8 came close to what rank 32 reached, and rank 1 and 2 did not, so I start at 8 or 16, leave α
alone, and double the rank once to see whether it gains. Dropout stays at zero unless held-out loss rises.
Beside it I run full fine-tuning at a gentle rate: here it learned more and forgot no more, so LoRA's case is what is stored and
that the adapter can be taken off, which is what the old customers need. The place is what may not carry over: it was
measured in a model of two layers and on a change of habits; the paper's own table on GPT-3 shows no such gap within attention.
I would therefore measure all layers against query and value once, with the same number of weights and seeds, before I rely on it.
"""
