"""What is watched while a classifier trains: the four scores on the validation set, beside the loss that stops it."""

from __future__ import annotations

from typing import Any

import numpy as np
from torch import nn

from courselib.lab.callbacks import EarlyStopping
from courselib.lab.training import Step
from courselib.sentiment.dataset import SentimentDataset
from courselib.sentiment.metrics import evaluate


class Watch(EarlyStopping):
    """Early stopping on a validation set's loss that also writes down the scores.

    State, besides that of `EarlyStopping`: `history`, one dict an evaluation: step, train_loss (mean since the last one), loss,
    accuracy, precision, recall, f1.
    """

    def __init__(self, dataset: SentimentDataset, every: int, patience: int, evaluations: int | None = None) -> None:
        super().__init__(self._measured, every, patience, evaluations=evaluations)
        self.dataset = dataset
        self.history: list[dict[str, float]] = []
        self._step, self._trained = 0, []

    def __call__(self, step: Step) -> bool:
        self._step = step.number
        self._trained.append(step.loss)
        return super().__call__(step)

    def _measured(self, model: nn.Module) -> float:
        found = evaluate(model, self.dataset)
        train_loss, self._trained = float(np.mean(self._trained)), []
        self.history.append({"step": self._step, "train_loss": train_loss, "loss": found.loss, **found.scores._asdict()})
        return found.loss

    def state_dict(self) -> dict[str, Any]:
        return super().state_dict() | {"history": self.history, "trained": self._trained}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        super().load_state_dict(state)
        self.history, self._trained = list(state["history"]), list(state["trained"])
