"""Early stopping: train no longer than a loss on held-out data goes down, and go back to the best weights.

`patience` is how many evaluations in a row may fail to improve on the best one. The first evaluation is always the
best so far, so patience p cannot stop anything before evaluation p + 1: with one evaluation an epoch, "patience 3,
3 epochs" never fires. Source: Prechelt 1998, "Early stopping - but when?".
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence

from torch import nn

from courselib.lab.training import Step


def stop_at(losses: Sequence[float], patience: int) -> int | None:
    """The number (from 1) of the evaluation after which training stops, or None if `losses` never make it stop.

    It stops as soon as `patience` evaluations in a row have not been below the best loss before them.
    """
    _check(patience)
    best = 0
    for i, loss in enumerate(losses):
        if loss < losses[best]:
            best = i
        elif i - best == patience:
            return i + 1
    return None


class EarlyStopping:
    """A callback for `fit`: every `every` steps it evaluates, keeps the best weights, and ends the training in time.

    `evaluate(model)` returns the loss to watch, on data that is not trained on. State: `losses`, one an
    evaluation; `best_step`, the step of the lowest; `stopped`, whether it ended the training. It does not
    touch the weights by itself: call `restore(model)` after the training.
    """

    def __init__(self, evaluate: Callable[[nn.Module], float], every: int, patience: int):
        _check(patience)
        if every < 1:
            raise ValueError(f"every is {every}; an evaluation is due every so many steps, at least 1.")
        self.evaluate, self.every, self.patience = evaluate, every, patience
        self.losses: list[float] = []
        self.best_step, self.stopped = 0, False
        self._best: dict | None = None

    def __call__(self, step: Step) -> bool:
        if step.number % self.every:
            return False
        step.model.eval()
        loss = float(self.evaluate(step.model))
        if not self.losses or loss < min(self.losses):
            self.best_step, self._best = step.number, copy.deepcopy(step.model.state_dict())
        self.losses.append(loss)
        self.stopped = stop_at(self.losses, self.patience) is not None
        return self.stopped

    def restore(self, model: nn.Module) -> nn.Module:
        """Puts the best weights back, and returns the model. Raises ValueError if nothing was evaluated."""
        if self._best is None:
            raise ValueError("There was no evaluation yet, so there are no best weights. Train first, or evaluate more often.")
        model.load_state_dict(self._best)
        return model


def _check(patience: int) -> None:
    if patience < 1:
        raise ValueError(f"patience is {patience}; at least 1 evaluation without an improvement has to pass. Try 3.")
