"""Which weights to keep of a training: the best, some on the way, and the last.

    best       what you will use; "best" by the one number you watch, so choose that number with care
    periodic   to go on after a crash, and to look back at when something was lost on the way
    final      where the training ended, which is seldom where it was best

Weights are written as safetensors; `index.json` says which file holds which step and what it scored.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

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
