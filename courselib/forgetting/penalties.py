"""Why fine-tuning forgets, and two springs that hold it back: L2-SP and elastic weight consolidation.

Nothing in the loss of task B mentions task A, so training on B moves every weight it likes. A penalty can ask the
weights to stay near theta*, where task A was learned. The question is what "near" means:

    L2-SP   lambda/2 sum_i      (theta_i - theta*_i)^2    every weight counts alike   (Li et al. 2018)
    EWC     lambda/2 sum_i  F_i (theta_i - theta*_i)^2    the weights A needs count   (Kirkpatrick et al. 2017)

F is the diagonal of task A's Fisher information at theta*; `fisher` says what that is, and what it is often taken for.
First the penalties as formulas, then `L2SP` and `EWC`: the same as methods of learning one task after another; last EWC with
the whole matrix, to see what the diagonal leaves out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor, nn

from courselib.forgetting.fisher import Weights, add, true_fisher, whole_fisher_form
from courselib.lab.data.digits import Task
from courselib.lab.in_turn import Method, plain_loss


def anchor(model: nn.Module) -> dict[str, Tensor]:
    """theta*: a copy of every trainable weight as it is now, to be held on to."""
    return {name: p.detach().clone() for name, p in model.named_parameters() if p.requires_grad}


def l2sp_penalty(model: nn.Module, start: Weights, strength: float) -> Tensor:
    """strength/2 sum_i (theta_i - theta*_i)^2, a scalar: decay towards `start`.

    Often called weight decay, which it is not: weight decay pulls towards 0 and so away from what was learned.
    Source: Li, Grandvalet and Davoine 2018, eq. 2.
    """
    return strength / 2 * sum(((p - start[name]) ** 2).sum() for name, p in _held(model, start))


def ewc_penalty(model: nn.Module, start: Weights, fisher: Weights, strength: float) -> Tensor:
    """strength/2 sum_i F_i (theta_i - theta*_i)^2, a scalar; its gradient is strength * F * (theta - theta*).

    `fisher` was computed at `start`, on the old task's data. Source: Kirkpatrick et al. 2017, eq. 3.
    """
    return strength / 2 * sum((fisher[name] * (p - start[name]) ** 2).sum() for name, p in _held(model, start))


def distance(model: nn.Module, start: Weights, fisher: Weights | None = None) -> float:
    """How far the weights have come: sqrt(sum_i (theta_i - theta*_i)^2), with `fisher` each square times F_i.

    The first is what L2-SP keeps small, the second what EWC keeps small. Two models can be far apart by the first
    and near by the second: distance alone does not say whether anything was forgotten.
    """
    weight = fisher or {name: torch.ones(()) for name in start}
    with torch.no_grad():
        return sum((weight[name] * (p - start[name]) ** 2).sum() for name, p in _held(model, start)).sqrt().item()


class Spring(Method):
    """What all springs share: the new task's loss, and a penalty on weights that leave where the old tasks were learned.

    State: `start`, the weights before the task at hand; none before the first task, which is learned freely. A spring says
    in `pull` how hard it pulls. Raises ValueError for a negative strength.
    """

    def __init__(self, strength: float):
        if strength < 0:
            raise ValueError(f"The strength is {strength}; a negative spring would push the weights away. Give 0 or more.")
        self.strength = strength
        self.start: Weights | None = None

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return plain_loss(model, x, y) + self.penalty(model)

    def penalty(self, model: nn.Module) -> Tensor | float:
        """The part of the loss that speaks for the old tasks."""
        return self.pull(model) if self.start is not None else 0.0

    def pull(self, model: nn.Module) -> Tensor:
        """The penalty, once there is something to hold on to."""
        raise NotImplementedError

    def after_task(self, model: nn.Module, task: Task) -> None:
        self.start = anchor(model)


class L2SP(Spring):
    """A spring of the same strength on every weight, to where the task before has left it (Li et al. 2018).

    Limit: it holds what the old tasks do not care about as fast as what they need.
    """

    def pull(self, model: nn.Module) -> Tensor:
        return l2sp_penalty(model, self.start, self.strength)


class EWC(Spring):
    """A spring on every weight, as strong as the weight mattered to the tasks so far (Kirkpatrick et al. 2017).

    `importance(model, x, y)` measures that when a task has been learned, on its training data or the first `examples` of it: the
    right diagonal Fisher unless told otherwise (`fisher` has others, to compare). State besides `start`: `fisher`, the
    importances of all tasks so far.

    After several tasks their importances are added. `anchors` says where the springs end: "latest", all at the latest weights,
    which is what is usually done (Huszar 2018); or "each", those of each task at the weights where that task was learned, as in
    the paper. Springs on one weight are one spring, as stiff as all together and fastened at their weighted mean, so "each"
    takes no more room. Limit: with one head for classes that come later, little is kept while they are learned: chapter 04
    says why. Raises ValueError for a negative strength and for other anchors.
    """

    def __init__(
        self, strength: float, importance: Callable[[nn.Module, Tensor, Tensor], Weights] | None = None, *,
        anchors: str = "latest", examples: int | None = None,
    ):
        super().__init__(strength)
        if anchors not in ("latest", "each"):
            raise ValueError(f"The anchors are {anchors!r}; choose 'latest' or 'each'.")
        self.importance, self.anchors, self.examples = importance, anchors, examples
        self.fisher: Weights | None = None

    def pull(self, model: nn.Module) -> Tensor:
        return ewc_penalty(model, self.start, self.fisher, self.strength)

    def after_task(self, model: nn.Module, task: Task) -> None:
        x, y = task.x_train[: self.examples], task.y_train[: self.examples]
        found = self.importance(model, x, y) if self.importance else true_fisher(model, x)
        here = anchor(model)
        if self.fisher is None:
            self.fisher, self.start = found, here
            return
        if self.anchors == "each":
            here = {name: _one_spring(self.fisher, self.start, found, here, name) for name in here}
        self.start = {**self.start, **here}  # a weight that is trained no longer, an older head, stays held where it is
        self.fisher = add(self.fisher, found)


def _one_spring(stiff: Weights, end: Weights, other: Weights, other_end: Weights, name: str) -> Tensor:
    """Where the one spring is fastened that two springs on the same weights amount to: the mean, weighted by stiffness."""
    if name not in end:
        return other_end[name]
    total = stiff[name] + other[name]
    mean = (stiff[name] * end[name] + other[name] * other_end[name]) / total.clamp_min(torch.finfo(total.dtype).tiny)
    return torch.where(total > 0, mean, other_end[name])


class WholeEWC(Spring):
    """EWC with the whole Fisher matrix of `examples` old inputs, which is never built: a means to see what the diagonal costs.

    State besides `start`: the old model and those inputs, `x`. Limits: it is for one old task, and it keeps old inputs, so that
    whoever may use it may as well rehearse. Raises ValueError for a negative strength.
    """

    def __init__(self, strength: float, examples: int = 200):
        super().__init__(strength)
        self.examples = examples

    def pull(self, model: nn.Module) -> Tensor:
        direction = {name: p - self.start[name] for name, p in _held(model, self.start)}
        return self.strength / 2 * whole_fisher_form(self.old, self.x, direction)

    def after_task(self, model: nn.Module, task: Task) -> None:
        super().after_task(model, task)
        self.old, self.x = copy.deepcopy(model), task.x_train[: self.examples]


def _held(model: nn.Module, start: Weights) -> list[tuple[str, nn.Parameter]]:
    """The weights that `start` holds on to, each with its name."""
    here = dict(model.named_parameters())
    missing = [name for name in start if name not in here]
    if missing:
        raise ValueError(f"The model has no weight called {missing[0]!r}. Was the anchor taken from another model?")
    changed = [name for name in start if here[name].shape != start[name].shape]
    if changed:
        name = changed[0]
        raise ValueError(
            f"{name!r} has shape {tuple(here[name].shape)} but was anchored with shape {tuple(start[name].shape)}. "
            "Was a head added since?"
        )
    return [(name, here[name]) for name in start]
