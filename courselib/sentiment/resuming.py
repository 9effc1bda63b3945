"""Callbacks for `fit`: a history, early stopping, and checkpoints from which training goes on bit by bit.

What decides the next step? The weights; the optimiser's moments; the step of the schedule; the position in the data; and the
random generators, from which dropout draws. A checkpoint that lacks one of them loads without an error, and trains another model.

Files are written beside and renamed, so that a process that dies while it saves leaves the old checkpoint whole. They hold
tensors, numbers and strings only, and are read with `weights_only=True`: reading one can run no code.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from courselib.lab.training import Step
from courselib.sentiment.dataset import SentimentDataset
from courselib.sentiment.metrics import Evaluation, evaluate


def random_state() -> dict[str, Any]:
    """The state of python's, numpy's and torch's generators (all CUDA devices), as plain data."""
    name, keys, *rest = np.random.get_state()
    version, internal, gauss = random.getstate()
    return {
        "python": [version, list(internal), gauss],
        "numpy": [name, keys.tolist(), *rest],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def set_random_state(state: dict[str, Any]) -> None:
    """Puts the generators back to what `random_state` returned."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state_all(state["cuda"])


def save(path: Path, step: int, **parts: Any) -> None:
    """Writes a checkpoint: the step, the generators, and the `state_dict()` of each of `parts`.

    `parts` are everything with state: model, optimizer, scheduler, batches, early stopping. Atomic: the file is whole or is
    not there.
    """
    state = {"step": step, "random": random_state()} | {name: part.state_dict() for name, part in parts.items()}
    path = Path(path)
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    os.replace(beside, path)


def load(path: Path, **parts: Any) -> int:
    """Puts everything back as it was when `save` wrote `path`, and returns the step.

    `parts` have the names they were saved under. Raises ValueError, before anything is changed, if the checkpoint and `parts`
    do not name the same things: a forgotten part is the error that one does not see.
    """
    state = torch.load(path, weights_only=True, map_location="cpu")
    saved = set(state) - {"step", "random"}
    if saved != set(parts):
        raise ValueError(
            f"The checkpoint holds {', '.join(sorted(saved))}, and {', '.join(sorted(parts)) or 'nothing'} is to be restored. "
            "Restore all of it, or training goes on as another run."
        )
    for name, part in parts.items():
        part.load_state_dict(state[name])
    set_random_state(state["random"])  # last: making a model or a scheduler may draw numbers
    return state["step"]


class EarlyStopping:
    """Counts evaluations since the best one; `update` says whether to stop. Smaller is better.

    It stops at the first evaluation that is the `patience`-th in a row without an improvement of more than `least`. The first
    evaluation always improves, so the earliest stop is evaluation number patience + 1. Raises ValueError for a patience
    below 1, and, if `evaluations` tells how many there will be, for one that could never fire.
    """

    def __init__(self, patience: int, least: float = 0.0, evaluations: int | None = None) -> None:
        if patience < 1:
            raise ValueError(f"patience is {patience}; it has to be at least 1.")
        if evaluations is not None and evaluations <= patience:
            raise ValueError(
                f"With {evaluations} evaluations a patience of {patience} can never stop anything: the first evaluation is "
                f"the best so far, and {patience} worse ones have to follow. Evaluate more often, or take a patience below "
                f"{evaluations}."
            )
        self.patience, self.least = patience, least
        self.best, self.waited = float("inf"), 0

    def update(self, value: float) -> bool:
        if value < self.best - self.least:
            self.best, self.waited = value, 0
        else:
            self.waited += 1
        return self.waited >= self.patience

    def state_dict(self) -> dict[str, float]:
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, float]) -> None:
        self.best, self.waited = state["best"], int(state["waited"])


class Watch:
    """A callback for `fit`: evaluates every `every` steps, keeps the best weights, and stops when it has waited long enough.

    `history` has one dict an evaluation: step, train_loss (mean since the last one), loss, accuracy, precision, recall, f1. The
    loss on `dataset`, a validation set, decides what is best. `best_weights` and `best_step` belong to that evaluation;
    `restore_best(model)` puts them in. With `on_best`, that is called with the step whenever there is a new best: to write it
    to disk.
    """

    def __init__(
        self, dataset: SentimentDataset, every: int, stopping: EarlyStopping | None = None,
        on_best: Callable[[int], None] | None = None,
    ) -> None:
        self.dataset, self.every, self.stopping, self.on_best = dataset, every, stopping, on_best
        self.history: list[dict[str, float]] = []
        self.best_step, self.best_loss = 0, float("inf")
        self.best_weights: dict[str, Tensor] = {}
        self._losses: list[float] = []

    def __call__(self, step: Step) -> bool:
        self._losses.append(step.loss)
        if step.number % self.every:
            return False
        found = evaluate(step.model, self.dataset)
        self._record(step, found)
        if found.loss < self.best_loss:
            self.best_loss, self.best_step = found.loss, step.number
            self.best_weights = {name: value.detach().clone() for name, value in step.model.state_dict().items()}
            if self.on_best:
                self.on_best(step.number)
        return self.stopping is not None and self.stopping.update(found.loss)

    def _record(self, step: Step, found: Evaluation) -> None:
        train_loss, self._losses = float(np.mean(self._losses)), []
        self.history.append({"step": step.number, "train_loss": train_loss, "loss": found.loss, **found.scores._asdict()})

    def restore_best(self, model: nn.Module) -> None:
        """Puts the weights of the best evaluation into `model`. Raises ValueError if there was none yet."""
        if not self.best_weights:
            raise ValueError("There was no evaluation yet, so there is no best one. Train for at least `every` steps.")
        model.load_state_dict(self.best_weights)
