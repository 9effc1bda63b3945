"""Gradients derived by hand against autograd, in float64, where only rounding can excuse a difference."""

import math

import pytest
import torch
from torch.nn import functional as F

from courselib.lora import (
    AttentionWeights,
    LinearLoRA,
    adamw_step,
    attention_backward,
    attention_forward,
    lora_forward,
    lora_gradients,
    softmax_rows,
)

TOLERANCE = 1e-10


def randn(*shape: int, grad: bool = False) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64, requires_grad=grad)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(11)


def test_lora_forward_is_the_layer():
    layer = LinearLoRA(torch.nn.Linear(5, 4, bias=False, dtype=torch.float64), rank=3, alpha=7)
    layer.lora_B["default"].weight.data.normal_()
    x = randn(6, 5)
    W0, A, B = layer.base_layer.weight, layer.lora_A["default"].weight, layer.lora_B["default"].weight
    assert (lora_forward(x, W0, A, B, 7) - layer(x)).abs().max() < TOLERANCE


def test_lora_gradients_are_autograds():
    x, W0, A, B = randn(6, 5), randn(4, 5), randn(3, 5, grad=True), randn(4, 3, grad=True)
    h = x @ (W0 + 7 / 3 * B @ A).T
    grad_h = randn(6, 4)
    expected = torch.autograd.grad(h, (A, B), grad_h)
    for ours, theirs in zip(lora_gradients(x, grad_h, A.detach(), B.detach(), alpha=7), expected, strict=True):
        assert ours.shape == theirs.shape
        assert (ours - theirs).abs().max() < TOLERANCE


def test_only_B_moves_first():
    x, A, B, grad_h = randn(6, 5), randn(3, 5), torch.zeros(4, 3, dtype=torch.float64), randn(6, 4)
    grad_A, grad_B = lora_gradients(x, grad_h, A, B, alpha=7)
    assert (grad_A == 0).all() and (grad_B != 0).all()


def attention_weights(d: int = 6, d_k: int = 4, d_v: int = 5, rank: int = 3) -> AttentionWeights:
    return AttentionWeights(
        W_q=randn(d_k, d), W_k=randn(d_k, d), W_v=randn(d_v, d), W_o=randn(d, d_v),
        A_q=randn(rank, d, grad=True), B_q=randn(d_k, rank, grad=True),
        A_v=randn(rank, d, grad=True), B_v=randn(d_v, rank, grad=True), alpha=7,
    )


@pytest.mark.parametrize("causal", [False, True])
def test_attention_forward_is_torchs_attention_with_merged_weights(causal):
    weights = attention_weights()
    X = randn(7, 6)
    q = X @ (weights.W_q + 7 / 3 * weights.B_q @ weights.A_q).T
    v = X @ (weights.W_v + 7 / 3 * weights.B_v @ weights.A_v).T
    expected = F.scaled_dot_product_attention(q, X @ weights.W_k.T, v, is_causal=causal) @ weights.W_o.T
    ours, cache = attention_forward(X, weights, causal)
    assert ours.shape == (7, 6)
    assert (ours - expected).abs().max() < TOLERANCE
    assert torch.allclose(cache.P.sum(dim=1), torch.ones(7, dtype=torch.float64))


def test_causal_attention_does_not_see_the_future():
    weights, X = attention_weights(), randn(7, 6)
    changed = X.clone()
    changed[5:] += 1
    before, after = attention_forward(X, weights, causal=True)[0], attention_forward(changed, weights, causal=True)[0]
    assert before[:5].equal(after[:5])
    assert not torch.allclose(before[5:], after[5:])


@pytest.mark.parametrize("causal", [False, True])
def test_attention_backward_is_autograds(causal):
    weights, X, grad_O = attention_weights(), randn(7, 6, grad=True), randn(7, 6)
    O, cache = attention_forward(X, weights, causal)  # noqa: E741
    names = ("A_q", "B_q", "A_v", "B_v")
    expected = torch.autograd.grad(O, [getattr(weights, name) for name in names] + [X], grad_O)
    with torch.no_grad():
        ours = attention_backward(grad_O, weights, cache)
    assert set(ours) == {*names, "X"}
    for name, theirs in zip((*names, "X"), expected, strict=True):
        assert ours[name].shape == theirs.shape
        assert (ours[name] - theirs).abs().max() < TOLERANCE, name


def test_softmax_survives_large_scores():
    S = randn(3, 4) * 1000
    assert torch.allclose(softmax_rows(S), S.softmax(dim=1))


@pytest.mark.parametrize("settings", [{}, {"lr": 0.05, "beta1": 0.8, "beta2": 0.95, "eps": 1e-3, "weight_decay": 0.3}])
def test_three_adamw_steps_are_torchs(settings):
    start, target = randn(4, 3), randn(4, 3)
    theirs = start.clone().requires_grad_()
    options = {key: value for key, value in settings.items() if not key.startswith("beta")}
    betas = (settings.get("beta1", 0.9), settings.get("beta2", 0.999))
    optimizer = torch.optim.AdamW([theirs], betas=betas, **options)
    ours, m, v = start.clone(), torch.zeros_like(start), torch.zeros_like(start)
    for step in (1, 2, 3):
        optimizer.zero_grad()
        (theirs - target).pow(4).sum().backward()
        optimizer.step()
        ours, m, v = adamw_step(ours, 4 * (ours - target) ** 3, m, v, step, **settings)
        assert (ours - theirs).abs().max() < TOLERANCE
    state = optimizer.state[theirs]
    assert (m - state["exp_avg"]).abs().max() < TOLERANCE and (v - state["exp_avg_sq"]).abs().max() < TOLERANCE


def test_first_adamw_step_has_the_size_of_the_learning_rate():
    zeros, grad = torch.zeros(3, dtype=torch.float64), torch.tensor([5.0, -0.01, 300.0], dtype=torch.float64)
    after, m, v = adamw_step(zeros, grad, zeros, zeros, step=1, lr=0.1)
    assert torch.allclose(after, -0.1 * grad.sign(), atol=1e-6)
    assert (zeros == 0).all()  # the inputs are left alone
    uncorrected = m / v.sqrt()  # without the bias correction: 3.16 times as far
    assert torch.allclose(uncorrected, grad.sign() * 0.1 / math.sqrt(0.001))


@pytest.mark.parametrize("step", [0, -1])
def test_adamw_counts_from_one(step):
    with pytest.raises(ValueError, match=f"step counts from 1.*{step} came"):
        adamw_step(*[torch.zeros(2)] * 4, step=step)
