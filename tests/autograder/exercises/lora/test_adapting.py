"""A LoRA pair trained by a student: other right ways pass, thresholds measure what they say, and by hand is by hand."""

import math

import numpy as np
import pytest
import torch

from autograder import grade
from autograder.judging.measures import lora as measures
from solutions.lora import lora_attention_forward, lora_gradient


def with_backward(x, y, W0, rank, alpha, lr, steps, *, optimiser=torch.optim.SGD, rate=None, random_B=False):
    """As it is written at work: parameters, an optimiser, `backward()`."""
    A, B = torch.nn.Parameter(torch.zeros(rank, x.shape[1])), torch.nn.Parameter(torch.zeros(y.shape[1], rank))
    torch.nn.init.kaiming_uniform_(B if random_B else A, a=math.sqrt(5))
    stepper = optimiser([A, B], lr=rate or lr)
    for _ in range(steps):
        stepper.zero_grad()
        torch.nn.functional.mse_loss(x @ (W0 + alpha / rank * B @ A).T, y).backward()
        stepper.step()
    return A, B


def with_numpy(x, y, W0, rank, alpha, lr, steps):
    x, y, W0 = (np.asarray(a, dtype=float) for a in (x, y, W0))
    A, B, s = 0.1 * np.random.default_rng(0).standard_normal((rank, x.shape[1])), np.zeros((y.shape[1], rank)), alpha / rank
    for _ in range(steps):
        G = 2 * (x @ (W0 + s * B @ A).T - y) / y.size
        A, B = A - lr * s * B.T @ G.T @ x, B - lr * s * G.T @ x @ A.T
    return A, B


@pytest.mark.parametrize("answer", [
    with_backward, with_numpy,
    lambda *given: with_backward(*given, random_B=True),  # the other half at zero: another method, and as right
    lambda *given: with_backward(*given, optimiser=torch.optim.AdamW, rate=0.05),
], ids=["SGD", "NumPy", "A at zero", "AdamW"])  # fmt: skip
def test_other_ways_to_train_a_pair_are_right(answer):
    report = grade("lora.adapt", answer, seed=11)
    assert (report.score, report.state) == (5, "right"), report.message


def test_what_is_no_pair_of_the_right_shapes_is_told_so():
    turned = grade("lora.adapt", lambda *given: tuple(m.T for m in with_numpy(*given)), seed=11)
    assert turned.score == 0 and "(2, 16)" in turned.message and "(16, 2)" in turned.message
    merged = grade("lora.adapt", lambda x, y, W0, *_: W0, seed=11)
    assert merged.score == 0 and "a pair (lora_A, lora_B) was expected" in merged.message


def test_a_step_too_many_after_the_start_or_none_is_seen():
    """A function that always takes one step more: it learns, and its start is no start."""
    late = grade("lora.adapt", lambda x, y, W0, rank, alpha, lr, steps: with_numpy(x, y, W0, rank, alpha, lr, steps + 1), seed=11)
    assert late.score == 4 and "Before the first step" in late.message
    idle = grade("lora.adapt", lambda x, y, W0, rank, alpha, lr, steps: with_numpy(x, y, W0, rank, alpha, lr, 0), seed=11)
    assert idle.score == 2 and "error left: 1, at most 0.1" in idle.message


def test_the_error_left_is_a_share_of_what_was_missing():
    """Hand-worked: alpha 6, rank 2, so B A counts three times; the change is 3 at (0, 0) and -6 at (1, 1)."""
    A, B = np.eye(2), np.diag([1.0, -2.0])
    held = {"x_test": torch.eye(2), "missing": torch.diag(torch.tensor([3.0, -6.0])), "alpha": 6.0, "rank": 2}
    assert measures.error_left((A, B, A, 0 * B, 0.0), held) == pytest.approx(0)
    assert measures.error_left((A, 0 * B, A, B, 0.0), held) == pytest.approx(1)
    assert measures.error_left((A, B / 2, A, B, 0.0), held) == pytest.approx(1 / 4)
    assert measures.error_left((A, np.diag([1.0, 0.0]), A, B, 0.0), held) == pytest.approx(36 / 45)
    assert measures.start_size((A, B, A, B, 0.0), held) == pytest.approx(2)
    assert measures.start_size((A, B, A, 0 * B, 0.0), held) == 0
    assert measures.moved((A, B, A, B, 0.25), held) == 0.25


def by_autograd(x, grad_h, lora_A, lora_B, alpha):
    A, B = lora_A.clone().requires_grad_(), lora_B.clone().requires_grad_()
    (alpha / A.shape[0] * x @ A.T @ B.T).backward(grad_h)
    return A.grad, B.grad


def attention_by_autograd(X, W_q, W_k, W_v, W_o, A_q, B_q, A_v, B_v, alpha, grad_out):
    pairs = [m.clone().requires_grad_() for m in (A_q, B_q, A_v, B_v)]
    return torch.autograd.grad(lora_attention_forward(X, W_q, W_k, W_v, W_o, *pairs, alpha), pairs, grad_out)


@pytest.mark.parametrize(("exercise_id", "answer"), [
    ("lora.gradient", by_autograd), ("lora.attention_backward", attention_by_autograd),
])
def test_where_by_hand_is_asked_for_autograd_is_off(exercise_id, answer):
    report = grade(exercise_id, answer, seed=11)
    assert report.score == 0 and "by hand" in report.message


def test_by_hand_is_right_and_these_autograd_answers_would_be():
    x, grad_h, A, B = torch.randn(4, 6), torch.randn(4, 5), torch.randn(3, 6), torch.randn(5, 3)
    for hand, automatic in zip(lora_gradient(x, grad_h, A, B, 2.0), by_autograd(x, grad_h, A, B, 2.0), strict=True):
        assert torch.allclose(hand, automatic, atol=1e-5)
    assert grade("lora.gradient", lora_gradient, seed=11).score == 6
