"""Early stopping: train no longer than a loss on held-out data goes down, and go back to the best weights.

`patience` is how many evaluations in a row may fail to improve on the best one. The first evaluation is always the
best so far, so patience p cannot stop anything before evaluation p + 1: with one evaluation an epoch, "patience 3,
3 epochs" never fires. Source: Prechelt 1998, "Early stopping - but when?".
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from courselib.lab.training import Step


def stop_at(losses: Sequence[float], patience: int, least: float = 0.0) -> int | None:
    """The number (from 1) of the evaluation after which training stops, or None if `losses` never make it stop.

    It stops as soon as `patience` evaluations in a row have not been below the mark by more than `least`. The first sets the
    mark, and every one that is below it by more than that sets it anew.
    """
    _check(patience, least)
    mark, waited = math.inf, 0
    for number, loss in enumerate(losses, 1):
        mark, waited = (loss, 0) if loss < mark - least else (mark, waited + 1)
        if waited == patience:
            return number
    return None


class EarlyStopping:
    """A callback for `fit`: every `every` steps it evaluates, keeps the best weights, and ends the training in time.

    `evaluate(model)` returns the loss to watch, on data that is not trained on. An improvement of no more than `least` does not
    count against patience, but the weights of the lowest loss are the best however little it is lower. State, which
    `state_dict` holds so that a training that goes on stops where it would have: `losses`, one an evaluation; `best_step`, the
    step of the lowest; the weights it had; `stopped`, whether it ended the training. It does not touch the model by itself:
    call `restore(model)` after the training.

    Raises ValueError for a patience below 1 and, if `evaluations` tells how many there will be, for one that could never fire.
    """

    def __init__(
        self, evaluate: Callable[[nn.Module], float], every: int, patience: int, least: float = 0.0,
        evaluations: int | None = None,
    ):
        _check(patience, least)
        if every < 1:
            raise ValueError(f"every is {every}; an evaluation is due every so many steps, at least 1.")
        if evaluations is not None and evaluations <= patience:
            raise ValueError(
                f"With {evaluations} evaluations a patience of {patience} can never stop anything: the first evaluation is "
                f"the best so far, and {patience} worse ones have to follow. Evaluate more often, or take a patience below "
                f"{evaluations}."
            )
        self.evaluate, self.every, self.patience, self.least = evaluate, every, patience, least
        self.losses: list[float] = []
        self.best_step, self.stopped = 0, False
        self._best: dict[str, Any] = {}

    def __call__(self, step: Step) -> bool:
        if step.number % self.every:
            return False
        step.model.eval()
        loss = float(self.evaluate(step.model))
        if not self.losses or loss < min(self.losses):
            self.best_step = step.number
            self._best = {name: value.detach().clone() for name, value in step.model.state_dict().items()}
        self.losses.append(loss)
        self.stopped = stop_at(self.losses, self.patience, self.least) is not None
        return self.stopped

    def restore(self, model: nn.Module) -> nn.Module:
        """Puts the best weights back, and returns the model. Raises ValueError if nothing was evaluated."""
        if not self._best:
            raise ValueError("There was no evaluation yet, so there are no best weights. Train first, or evaluate more often.")
        model.load_state_dict(self._best)
        return model

    def state_dict(self) -> dict[str, Any]:
        return {"losses": list(self.losses), "best_step": self.best_step, "stopped": self.stopped, "best": self._best}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.losses, self.best_step, self.stopped = list(state["losses"]), state["best_step"], state["stopped"]
        self._best = state["best"]


def _check(patience: int, least: float) -> None:
    if patience < 1:
        raise ValueError(f"patience is {patience}; at least 1 evaluation without an improvement has to pass. Try 3.")
    if least < 0:
        raise ValueError(f"least is {least}; an improvement is counted from 0 up. Leave it out for any.")
