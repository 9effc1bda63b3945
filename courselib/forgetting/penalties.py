"""Why fine-tuning forgets, and two springs that hold it back: L2-SP and elastic weight consolidation.

Nothing in the loss of task B mentions task A, so training on B moves every weight it likes. A penalty can ask the
weights to stay near theta*, where task A was learned. The question is what "near" means:

    L2-SP   lambda/2 sum_i      (theta_i - theta*_i)^2    every weight counts alike   (Li et al. 2018)
    EWC     lambda/2 sum_i  F_i (theta_i - theta*_i)^2    the weights A needs count   (Kirkpatrick et al. 2017)

F is the diagonal of task A's Fisher information at theta*; `fisher` says what that is, and what it is often taken for.
First the penalties as formulas, then `L2SP` and `EWC`: the same as methods of learning one task after another.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from courselib.forgetting.fisher import Weights, add, true_fisher
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


class L2SP(Method):
    """A spring of the same strength on every weight, to where the task before has left it (Li et al. 2018).

    State: `start`, the weights before the task at hand; none before the first task, which is learned freely. Limit: it holds
    what the old tasks do not care about as fast as what they need. Raises ValueError for a negative strength.
    """

    def __init__(self, strength: float):
        self.strength = _checked(strength)
        self.start: dict[str, Tensor] | None = None

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return plain_loss(model, x, y) + self.penalty(model)

    def penalty(self, model: nn.Module) -> Tensor | float:
        """The part of the loss that speaks for the old tasks."""
        return l2sp_penalty(model, self.start, self.strength) if self.start is not None else 0.0

    def after_task(self, model: nn.Module, task: Task) -> None:
        self.start = anchor(model)


class EWC(Method):
    """A spring on every weight, as strong as the weight mattered to the tasks so far (Kirkpatrick et al. 2017).

    `importance(model, x, y)` measures that when a task has been learned, on its training data: the right diagonal Fisher unless
    told otherwise (`fisher` has others, to compare). State: `start`, the weights before the task at hand; `fisher`, the
    importances of all tasks so far.

    Limits. After several tasks the Fishers are added and the springs all end at the *latest* weights, which is what is
    usually done (Huszar 2018); the paper has a spring for each task, to where that one was learned. With one head for
    classes that come later no strength helps: chapter 04 says why. Raises ValueError for a negative strength.
    """

    def __init__(self, strength: float, importance: Callable[[nn.Module, Tensor, Tensor], Weights] | None = None):
        self.strength, self.importance = _checked(strength), importance
        self.start: dict[str, Tensor] | None = None
        self.fisher: Weights | None = None

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return plain_loss(model, x, y) + self.penalty(model)

    def penalty(self, model: nn.Module) -> Tensor | float:
        """The part of the loss that speaks for the old tasks."""
        return ewc_penalty(model, self.start, self.fisher, self.strength) if self.start is not None else 0.0

    def after_task(self, model: nn.Module, task: Task) -> None:
        x, y = task.x_train, task.y_train
        found = self.importance(model, x, y) if self.importance else true_fisher(model, x)
        self.fisher = found if self.fisher is None else add(self.fisher, found)
        self.start = anchor(model)


def _checked(strength: float) -> float:
    if strength < 0:
        raise ValueError(f"The strength is {strength}; a negative spring would push the weights away. Give 0 or more.")
    return strength


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
