"""Gradients of two tasks: their angle, and the second-order account of a step."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from courselib.forgetting.interference import cosine, curvature, dot, loss_after, task_gradient


@pytest.fixture
def problem():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 5), nn.Tanh(), nn.Linear(5, 3)).double()
    return model, torch.randn(20, 4, dtype=torch.float64), torch.randint(3, (20,))


def test_all_weights_are_one_vector(problem):
    model, x, y = problem
    first, second = task_gradient(model, x, y), task_gradient(model, x.flip(0), y)
    long = [torch.cat([g.flatten() for g in gradient]) for gradient in (first, second)]
    assert cosine(first, second) == pytest.approx(F.cosine_similarity(*long, dim=0).item())
    assert dot(first, second) == pytest.approx((long[0] @ long[1]).item())
    assert cosine(first, first) == pytest.approx(1) and cosine(first, [-g for g in first]) == pytest.approx(-1)
    assert cosine(first, [0 * g for g in first]) == 0.0


def test_curvature_is_that_of_the_whole_hessian(problem):
    model, x, y = problem
    direction = [torch.randn_like(p) for p in model.parameters()]
    shapes, start = [p.shape for p in model.parameters()], torch.nn.utils.parameters_to_vector(model.parameters()).detach()

    def loss(vector):
        parts = torch.split(vector, [s.numel() for s in shapes])
        names = [name for name, _ in model.named_parameters()]
        weights = {n: part.view(s) for n, part, s in zip(names, parts, shapes, strict=True)}
        return F.cross_entropy(torch.func.functional_call(model, weights, (x,)), y)

    hessian = torch.autograd.functional.hessian(loss, start)
    d = torch.cat([part.flatten() for part in direction])
    assert curvature(model, x, y, direction) == pytest.approx((d @ hessian @ d).item())


def test_slope_and_curvature_account_for_a_small_step(problem):
    model, x, y = problem
    before = [p.detach().clone() for p in model.parameters()]
    direction = [torch.randn_like(p) for p in model.parameters()]
    here = loss_after(model, x, y, direction, 0.0)
    assert here == pytest.approx(F.cross_entropy(model(x), y).item())
    slope, curve = dot(task_gradient(model, x, y), direction), curvature(model, x, y, direction)
    errors = [loss_after(model, x, y, direction, h) - here - h * slope - h**2 / 2 * curve for h in (1e-2, 1e-3)]
    assert abs(errors[1]) < 3e-3 * abs(errors[0]) and abs(errors[0]) < 1e-3  # the rest is of third order
    assert all(torch.equal(p, b) for p, b in zip(model.parameters(), before, strict=True))


def test_only_trainable_weights_count(problem):
    model, x, y = problem
    model[0].requires_grad_(False)
    gradient = task_gradient(model, x, y)
    assert [g.shape for g in gradient] == [(3, 5), (3,)]
    assert loss_after(model, x, y, gradient, -0.01) < loss_after(model, x, y, gradient, 0.0)
    with pytest.raises(ValueError, match="no trainable weight"):
        task_gradient(model.requires_grad_(False), x, y)
    with pytest.raises(ValueError, match="the same weights"):
        dot(gradient, gradient[::-1])
