"""What to keep of a training on disk: weights to use, and runs to go on with.

Of the weights, `Checkpoints` keeps the best, some on the way, and the last:

    best       what you will use; "best" by the one number you watch, so choose that number with care
    periodic   to go on after a crash, and to look back at when something was lost on the way
    final      where the training ended, which is seldom where it was best

Weights are written as safetensors; `index.json` says which file holds which step and what it scored.

To go on bit by bit takes more, and `save_run` and `load_run` are for that. What decides the next step? The weights; the
optimiser's moments; the step of the schedule; the position in the data; and the random generators, from which dropout draws. A
checkpoint that lacks one of them loads without an error, and trains another model. Such a file holds tensors, numbers and
strings only, and is read with `weights_only=True`: reading it can run no code.
"""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import nn


class Checkpoints:
    """Keeps the best, every `every`-th and the final weights of a model in `folder`.

    Higher scores are better; of equal scores the earlier is kept. State: `index`, name -> {"step", "score"}. A file is
    written beside its place and then moved there, so that a crash leaves the old one and not half of a new one.
    """

    def __init__(self, folder: str | Path, every: int | None = None):
        if every is not None and every < 1:
            raise ValueError(f"every is {every}; it counts steps, so it has to be at least 1. Leave it out for none on the way.")
        self.folder, self.every = Path(folder), every
        self.folder.mkdir(parents=True, exist_ok=True)
        self.index: dict[str, dict[str, float]] = {}

    def save(self, model: nn.Module, step: int, score: float) -> None:
        """To be called after each evaluation, with the score measured on validation data."""
        if score != score:  # nan is neither better nor worse than anything
            raise ValueError(f"The score at step {step} is nan, so nothing can be said to be best. Look at what is measured.")
        if "best" not in self.index or score > self.index["best"]["score"]:
            self._write(model, "best", step, score)
        if self.every and step % self.every == 0:
            self._write(model, f"step {step}", step, score)
        self._write(model, "final", step, score)

    def restore(self, model: nn.Module, name: str = "best") -> nn.Module:
        """Puts the weights kept under `name` into `model` and returns it."""
        if name not in self.index:
            raise ValueError(f"No checkpoint is called {name!r}; there are {', '.join(self.index) or 'none yet'}.")
        model.load_state_dict(load_file(self._path(name)))
        return model

    def _path(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.safetensors"

    def _write(self, model: nn.Module, name: str, step: int, score: float) -> None:
        part = self.folder / "writing.part"
        save_file({key: value.detach().cpu().contiguous().clone() for key, value in model.state_dict().items()}, part)
        os.replace(part, self._path(name))
        self.index[name] = {"step": step, "score": score}
        part.write_text(json.dumps(self.index, indent=1) + "\n", encoding="utf-8")
        os.replace(part, self.folder / "index.json")


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


def save_run(path: Path, step: int, **parts: Any) -> None:
    """Writes a checkpoint: the step, the generators, and the `state_dict()` of each of `parts`.

    `parts` are everything with state: model, optimizer, scheduler, batches, early stopping. Atomic: the file is whole or is
    not there.
    """
    state = {"step": step, "random": random_state()} | {name: part.state_dict() for name, part in parts.items()}
    path = Path(path)
    beside = path.with_suffix(".part")
    torch.save(state, beside)
    os.replace(beside, path)


def load_run(path: Path, **parts: Any) -> int:
    """Puts everything back as it was when `save_run` wrote `path`, and returns the step.

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
