"""Two tasks in a plane: the formulas against autograd, the minima, and what the picture claims."""

import pytest
import torch

from courselib.forgetting import fisher as forgetting_fisher
from courselib.forgetting import penalties, plane


@pytest.fixture(params=[0, 45])
def tasks(request):
    return plane.tasks(request.param)


def test_loss_gradient_and_fisher_are_what_autograd_says(tasks):
    w = torch.tensor([0.7, -0.3], requires_grad=True)
    for task in tasks:
        (gradient,) = torch.autograd.grad(task.loss(w), w)
        assert torch.allclose(task.gradient(w.detach()), gradient, atol=1e-5)
        hessian = torch.autograd.functional.hessian(task.loss, w.detach())
        assert torch.allclose(task.fisher(w.detach()), hessian, atol=1e-5)  # for logistic regression they are one
        assert torch.allclose(forgetting_fisher.true_fisher(plane.TwoWeights(w), task.x)["w"], hessian.diag(), atol=1e-5)


def test_the_loss_of_a_grid_is_the_loss_of_its_points(tasks):
    grid = plane.grid(-1, 1, points=3)
    assert grid.shape == (3, 3, 2) and torch.equal(grid[0, 2], torch.tensor([1.0, -1.0]))
    assert tasks[0].loss(grid)[0, 2] == pytest.approx(tasks[0].loss(grid[0, 2]).item(), abs=1e-6)


def test_minima(tasks):
    A, B = tasks
    both = plane.minimum(A, B)
    for least, of in ((plane.minimum(A), (A,)), (plane.minimum(B), (B,)), (both, (A, B))):
        assert sum(t.gradient(least) for t in of).norm() < 1e-4
    assert torch.allclose(plane.minimum(plane.tasks(0)[0]), torch.tensor(plane.W_A), atol=1e-2)
    assert plane.worst_excess(both, A, B) < 0.06  # one pair of weights does both tasks well ...
    assert (plane.minimum(A) - plane.minimum(B)).norm() > 3  # ... though their minima are far apart


def test_a_spring_moves_the_minimum_from_B_to_where_A_was(tasks):
    A, B = tasks
    start = plane.minimum(A)
    pulls = [plane.minimum(B, near=start, pull=lam * torch.eye(2)) for lam in (0.0, 0.1, 1e4)]
    assert torch.allclose(pulls[0], plane.minimum(B), atol=1e-2) and torch.allclose(pulls[2], start, atol=1e-3)
    assert (B.gradient(pulls[1]) + 0.1 * (pulls[1] - start)).norm() < 1e-4


def test_the_walk_ends_where_newton_says():
    A, B = plane.tasks()
    start = plane.minimum(A)
    model = plane.TwoWeights(start)
    held, fisher = penalties.anchor(model), forgetting_fisher.true_fisher(model, A.x)
    path = plane.walk(B, start, lambda m: penalties.ewc_penalty(m, held, fisher, 1.0), lr=1.0, steps=1500)
    assert path.shape == (1501, 2) and torch.equal(path[0], start)
    assert torch.allclose(path[-1], plane.minimum(B, near=start, pull=A.fisher(start).diag().diag()), atol=0.02)
    decayed = plane.walk(B, start, lr=1.0, steps=300, weight_decay=1.0)[-1]
    assert torch.allclose(decayed, plane.minimum(B, near=torch.zeros(2), pull=torch.eye(2)), atol=1e-3)


def test_a_diagonal_spring_knows_only_axes():
    def total(tilt, diagonal, lam):
        A, B = plane.tasks(tilt)
        start = plane.minimum(A)
        F = A.fisher(start)
        end = plane.minimum(B, near=start, pull=lam * (F.diag().diag() if diagonal else F))
        return sum((t.loss(end) - t.loss(plane.minimum(t))).item() for t in (A, B))

    assert abs(total(0, True, 3.0) - total(0, False, 3.0)) < 0.03
    assert total(45, True, 3.0) > 2 * total(45, False, 3.0)
