"""Exercises of chapter 08 on a whole attention layer: forward and backward."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

import solutions.lora as answers
from autograder.asking.probes import without_autograd
from autograder.exercises.draws import normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- attention_forward ------------------------------------------------------------------------------------------------


def _attention_inputs(rng: np.random.Generator, n: int, d: int, d_k: int, d_v: int, rank: int, alpha: float) -> dict[str, Any]:
    half = 0.6  # keeps the softmax away from one-hot rows, where mistakes in the scores would not show
    return {
        "X": normal(rng, n, d), "W_q": normal(rng, d_k, d, scale=half), "W_k": normal(rng, d_k, d, scale=half),
        "W_v": normal(rng, d_v, d, scale=half), "W_o": normal(rng, d, d_v, scale=half),
        "A_q": normal(rng, rank, d, scale=half), "B_q": normal(rng, d_k, rank, scale=half),
        "A_v": normal(rng, rank, d, scale=half), "B_v": normal(rng, d_v, rank, scale=half), "alpha": alpha,
    }


def attention_cases(rng: np.random.Generator) -> list[Case]:
    return [
        Case("4 tokens, d 5, d_k 3, d_v 6, rank 2, alpha 3", _attention_inputs(rng, 4, 5, 3, 6, 2, 3.0), "rectangular"),
        Case("3 tokens, all widths 4, rank 3, alpha 2", _attention_inputs(rng, 3, 4, 4, 4, 3, 2.0), "square"),
    ]


def _attention(X, W_q, W_k, W_v, W_o, A_q, B_q, A_v, B_v, alpha, *, width="d_k", axis=-1, scale=None, on_key=False, turn=True,
               late=False, output=True, crossed=False, query=True, value=True):
    """The forward pass with one thing wrong, chosen by a keyword."""
    s = alpha / A_q.shape[0] if scale is None else scale
    Q = X @ W_q.T + s * query * X @ A_q.T @ B_q.T
    K, V = X @ W_k.T, X @ W_v.T + s * value * X @ A_v.T @ B_v.T
    if on_key:
        Q, K = X @ W_q.T, K + s * X @ A_q.T @ B_q.T
    divisor = {"d_k": math.sqrt(K.shape[1]), "d": math.sqrt(X.shape[1]), "none": 1.0, "no root": K.shape[1]}[width]
    scores = K @ Q.T if crossed else Q @ K.T
    P = torch.softmax(scores, dim=axis) / divisor if late else torch.softmax(scores / divisor, dim=axis)
    return P @ V @ (W_o.T if turn else W_o) if output else P @ V


def _wrong_attention(**how: Any) -> Any:
    return lambda **inputs: _attention(**inputs, **how)


attention_forward = Exercise(
    id="lora.attention_forward",
    answer=answers.lora_attention_forward,
    cases=attention_cases,
    parts=[
        Part("shape", 1, shape_only=True),
        Part("different widths", 2, on="rectangular"),
        Part("equal widths", 1, on="square"),
    ],
    misconceptions=[
        Misconception(
            "no_temperature", _wrong_attention(width="none"), earns=1,
            says="The scores are not divided by √d_k. Without it they grow with the width and the softmax saturates.",
        ),
        Misconception(
            "model_width", _wrong_attention(width="d"), earns=2,
            says="You divided by √d, the width of the model. The scores are sums over d_k terms, so it is √d_k.",
        ),
        Misconception(
            "wrong_axis", _wrong_attention(axis=0), earns=1,
            says="Your softmax normalises the columns. Each token (row) distributes its attention over the keys: dim=-1.",
        ),
        Misconception(
            "no_scale", _wrong_attention(scale=1.0), earns=1,
            says="The factor α/r is missing from the two LoRA updates.",
        ),
        Misconception(
            "no_root", _wrong_attention(width="no root"), earns=1,
            says="You divided the scores by d_k. A sum of d_k independent terms grows like √d_k, so divide by the root.",
        ),
        Misconception(
            "softmax_first", _wrong_attention(late=True), earns=1,
            says="You divided by √d_k after the softmax. Divide the scores, then take the softmax, so that each row sums to 1.",
        ),
        Misconception(
            "no_lora", _wrong_attention(scale=0.0), earns=1,
            says="This is the frozen layer without its two LoRA pairs. Add them to the query and the value projection.",
        ),
        Misconception(
            "query_only", _wrong_attention(value=False), earns=1,
            says="Only the query has its LoRA pair. The value projection has one as well: + α/r · X A_v^T B_v^T.",
        ),
        Misconception(
            "value_only", _wrong_attention(query=False), earns=1,
            says="Only the value has its LoRA pair. The query projection has one as well: + α/r · X A_q^T B_q^T.",
        ),
        Misconception(
            "scores_transposed", _wrong_attention(crossed=True), earns=1,
            says="Your scores are K Q^T. Row i has to hold how much token i, the one that asks, likes each key: Q K^T.",
        ),
        Misconception(
            "no_output_projection", _wrong_attention(output=False),
            "You stopped at H = P V. The output projection is missing: multiply by W_o.T.",
        ),
        Misconception(
            "on_key", _wrong_attention(on_key=True), earns=1,
            says="You put the query's pair on the key projection. W_q and W_v are adapted here, W_k stays as it is.",
        ),
        Misconception(
            "output_not_transposed", _wrong_attention(turn=False),
            "You multiplied by W_o where W_o.T is needed: W_o is (d, d_v), so a row of width d_v goes through it as H @ W_o.T.",
        ),
    ],
)

# --- attention_backward -----------------------------------------------------------------------------------------------


def attention_backward_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for n, d, d_k, d_v, rank, alpha in [(4, 5, 3, 6, 2, 3.0), (5, 4, 4, 4, 3, 2.0)]:
        inputs = _attention_inputs(rng, n, d, d_k, d_v, rank, alpha) | {"grad_out": normal(rng, n, d)}
        cases.append(Case(f"{n} tokens, d {d}, d_k {d_k}, d_v {d_v}, rank {rank}, alpha {alpha:g}", inputs))
    return cases


def _backward(X, W_q, W_k, W_v, W_o, A_q, B_q, A_v, B_v, alpha, grad_out, *, centred=True, temperature=True, scaled=True,
              gate=True, turn=True, sums="row", adapted=True, crossed=False, order="AB"):
    """The backward pass with one thing wrong, chosen by a keyword."""
    s = alpha / A_q.shape[0]
    inside = s if adapted else 0.0
    Q, K = X @ W_q.T + inside * X @ A_q.T @ B_q.T, X @ W_k.T
    V = X @ W_v.T + inside * X @ A_v.T @ B_v.T
    P = torch.softmax(Q @ K.T / math.sqrt(K.shape[1]), dim=-1)
    grad_H = grad_out @ W_o
    grad_V, grad_P = (P.T if turn else P) @ grad_H, grad_H @ V.T
    products = grad_P * P
    sums = {"row": products.sum(-1, keepdim=True), "along the row": products.sum(-1), "diagonal": products}[sums]
    grad_S = grad_P - sums if centred else grad_P
    grad_S = grad_S * P if gate else grad_P
    grad_Q = (grad_S.T if crossed else grad_S) @ K / (math.sqrt(K.shape[1]) if temperature else 1.0)
    s = s if scaled else 1.0
    of_q, of_v = (s * (grad_Q @ B_q).T @ X, s * grad_Q.T @ (X @ A_q.T)), (s * (grad_V @ B_v).T @ X, s * grad_V.T @ (X @ A_v.T))
    return {"AB": (*of_q, *of_v), "BA": (*of_q[::-1], *of_v[::-1]), "v first": (*of_v, *of_q)}[order]


def _wrong_backward(**how: Any) -> Any:
    return lambda **inputs: _backward(**inputs, **how)


attention_backward = Exercise(
    id="lora.attention_backward",
    answer=answers.lora_attention_backward,
    probe=without_autograd,
    cases=attention_backward_cases,
    parts=[
        Part("grad_A_q", 2, of=0), Part("grad_B_q", 1, of=1),
        Part("grad_A_v", 1, of=2), Part("grad_B_v", 1, of=3),
    ],
    misconceptions=[
        Misconception(
            "softmax_uncentred", _wrong_backward(centred=False), earns=2,
            says="The value path is right. In the softmax's backward pass the row mean is missing: "
            "grad_S = P * (grad_P - sum(grad_P * P)), because the probabilities of a row have to keep their sum.",
        ),
        Misconception(
            "softmax_skipped", _wrong_backward(gate=False), earns=2,
            says="The value path is right. You passed grad_P straight on to the scores, as if there were no softmax between.",
        ),
        Misconception(
            "no_temperature", _wrong_backward(temperature=False), earns=2,
            says="The value path is right. The query path lacks 1/√d_k: the scores were divided by it, so is their gradient.",
        ),
        Misconception(
            "no_scale", _wrong_backward(scaled=False),
            "All four gradients lack the factor α/r. It stands in the forward pass, so the chain rule keeps it.",
        ),
        Misconception(
            "p_not_transposed", _wrong_backward(turn=False), earns=3,
            says="The query path is right. For the values use P transposed: token j's value went to every row i "
            "with weight P[i, j].",
        ),
        Misconception(
            "no_keepdim", _wrong_backward(sums="along the row"), earns=2,
            says="The value path is right. Your row sums have shape (n,), so they are subtracted along the columns: "
            "sum with keepdim=True.",
        ),
        Misconception(
            "softmax_diagonal", _wrong_backward(sums="diagonal"), earns=2,
            says="The value path is right. P * (1 - P) * grad_P is only the diagonal of the softmax's derivative: every score "
            "moves all probabilities of its row.",
        ),
        Misconception(
            "key_gradient_mixed", _wrong_backward(crossed=True), earns=2,
            says="The value path is right. For the queries you used grad_S transposed. S = Q K^T, so grad_Q = grad_S @ K; "
            "transposed it belongs to the keys, grad_K = grad_S.T @ Q.",
        ),
        Misconception(
            "b_before_a", _wrong_backward(order="BA"),
            says="All four are right, but B comes before A. The statement's order: A and B of the query, then of the value.",
        ),
        Misconception(
            "value_before_query", _wrong_backward(order="v first"),
            says="All four are right, but the value's pair comes first. The query's is the first, then the value's.",
        ),
        Misconception(
            "forward_without_lora", _wrong_backward(adapted=False),
            "You computed Q and V from the frozen weights alone. The backward pass needs the forward pass's, with LoRA.",
        ),
    ],
)
