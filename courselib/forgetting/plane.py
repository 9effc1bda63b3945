"""Two tasks in a plane: a model with two weights, so that every loss, every path and every spring can be drawn.

The model is logistic regression without a bias, p(y = 1 | x) = sigmoid(w . x), for x and w in the plane. Task A's
inputs vary much along one direction and little along the other, so A's loss is a long valley: it holds one
combination of the weights tight and leaves the other nearly free. Task B's valley lies across it. Where the two
valleys meet, one pair of weights does both tasks, however far apart the two minima are.

Logistic regression has one more virtue: its Hessian is its Fisher information, exactly and everywhere,
mean of p (1 - p) x x^T, with no approximation between them. Picture after Kirkpatrick et al. 2017, figure 1; here it is computed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.lab.training import Step, fit

EXAMPLES = 400
W_A, W_B = (1.5, -2.0), (-1.5, 1.5)  # the weights each task's labels are made with, before A is turned
WIDE, NARROW = 2.0, 0.25  # standard deviations of a task's inputs along its two directions


class TwoWeights(nn.Module):
    """Logits (0, w . x) for the labels 0 and 1; the only parameter is w, (2,)."""

    def __init__(self, w: Tensor | tuple[float, float]):
        super().__init__()
        self.w = nn.Parameter(torch.as_tensor(w, dtype=torch.float32).clone())

    def forward(self, x: Tensor) -> Tensor:
        logit = x @ self.w  # (n,)
        return torch.stack([torch.zeros_like(logit), logit], dim=-1)  # (n, 2)


@dataclass(frozen=True)
class PlaneTask:
    """Inputs x (n, 2), and for each of them the probability of label 1, (n,)."""

    name: str
    x: Tensor
    p: Tensor

    def loss(self, w: Tensor) -> Tensor:
        """Mean cross-entropy at weights (..., 2); returns (...,). Least at the weights the labels were made with."""
        logit = w @ self.x.T  # (..., n)
        return (F.softplus(logit) - self.p * logit).mean(-1)

    def gradient(self, w: Tensor) -> Tensor:
        """The gradient of the loss at w (2,): the mean of (sigmoid(w . x) - p) x."""
        return ((self.x @ w).sigmoid() - self.p) @ self.x / len(self.x)

    def fisher(self, w: Tensor) -> Tensor:
        """The full Fisher information at w (2,), which here is the Hessian too: mean of q (1 - q) x x^T, (2, 2)."""
        q = (self.x @ w).sigmoid()
        return self.x.T @ (self.x * (q * (1 - q))[:, None]) / len(self.x)


def tasks(tilt: float = 0.0, seed: int = 0) -> tuple[PlaneTask, PlaneTask]:
    """Task A, whose valley is turned by `tilt` degrees from lying along w2, and task B, whose valley lies along w1.

    Labels are given as the probabilities that the task's own weights say, so nothing depends on the luck of a draw.
    """
    generator = torch.Generator().manual_seed(seed)
    angle = math.radians(tilt)
    turn = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    found = []
    for name, spread, w, rotate in [("A", (WIDE, NARROW), W_A, turn), ("B", (NARROW, WIDE), W_B, torch.eye(2))]:
        x = torch.randn(EXAMPLES, 2, generator=generator) * torch.tensor(spread) @ rotate.T
        found.append(PlaneTask(name, x, (x @ (rotate @ torch.tensor(w))).sigmoid()))
    return found[0], found[1]


def minimum(*of: PlaneTask, near: Tensor | None = None, pull: Tensor | None = None) -> Tensor:
    """The weights (2,) at which the sum of the tasks' losses is least, by Newton's method: the loss is convex.

    With `near` (2,) and `pull` (2, 2) the spring 1/2 (w - near)^T pull (w - near) is part of the sum.
    """
    near, pull = torch.zeros(2) if near is None else near, torch.zeros(2, 2) if pull is None else pull
    w = near.clone()

    def total(w: Tensor) -> Tensor:
        return sum(t.loss(w) for t in of) + (w - near) @ pull @ (w - near) / 2

    for _ in range(50):
        gradient = sum(t.gradient(w) for t in of) + pull @ (w - near)
        step, size = torch.linalg.solve(sum(t.fisher(w) for t in of) + pull, gradient), 1.0
        while total(w - size * step) > total(w) and size > 1e-3:  # far from the minimum a whole step can overshoot
            size /= 2
        w = w - size * step
        if (size * step).norm() < 1e-5:
            break
    return w


def walk(
    task: PlaneTask, start: Tensor, penalty: Callable[[nn.Module], Tensor] | None = None, *, lr: float = 0.5,
    steps: int = 300, weight_decay: float = 0.0,
) -> Tensor:
    """The path (steps + 1, 2) of gradient descent on all of `task` from `start`, with a penalty(model) if there is one.

    It is the course's `fit` with plain SGD, and `penalty` may be any of `courselib.forgetting.penalties`'s.
    """
    model, path = TwoWeights(start), [start.detach().clone()]

    def note(step: Step) -> None:
        path.append(step.model.w.detach().clone())

    optimizer = torch.optim.SGD(model.parameters(), lr=lr, weight_decay=weight_decay)
    fit(model, [task], lambda m, t: t.loss(m.w) + (penalty(m) if penalty else 0), optimizer, steps=steps,
        callbacks=(note,), progress=False)
    return torch.stack(path)


def grid(low: float = -2.6, high: float = 2.6, points: int = 121) -> Tensor:
    """Weights (points, points, 2) over a square, to draw contours from."""
    line = torch.linspace(low, high, points)
    return torch.stack(torch.meshgrid(line, line, indexing="xy"), dim=-1)


def worst_excess(w: Tensor, *of: PlaneTask) -> Tensor:
    """For weights (..., 2): how far the task that is worse off there is above its own least loss, (...,).

    Where it is small lies the joint region: weights that are good for every task.
    """
    return torch.stack([t.loss(w) - t.loss(minimum(t)) for t in of]).amax(0)
