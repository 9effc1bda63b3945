"""Trials: the cases of one exercise, drawn with a seed, with what is right and what each misconception would give.

A `Trial` is plain data. In the full course it is drawn live from the exercise (`draw`). A student's bundle has neither
solutions nor exercises: there the same trial, drawn once with the public seed, is read from a folder (`save`, `load`).
It is packed as what crosses the wall is (`autograder.asking.wire`): JSON for the structure, safetensors for the numbers.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from autograder.asking import probes
from autograder.asking.wire import pack, unpack
from autograder.places import PUBLIC

PUBLIC_SEED = 2106  # the cases that a student's own check uses; grading draws its own


@dataclass(frozen=True)
class Trial:
    """Everything `check` needs of an exercise, as data. `cases` holds dicts with label, group, inputs, held, expected, mistaken.

    `expected` is a plain output, and `mistaken` one for each misconception; `Raised` where one raises an exception. Where a case
    holds something back (`held`), `expected` is the form of the output only, and `mistaken` is empty.
    """

    id: str
    name: str
    parts: list[dict[str, Any]]
    says: dict[str, str]
    probe: str
    tolerance: float
    keeps_inputs: bool
    seed: int
    cases: list[dict[str, Any]]
    closed: list[str]  # the modules that are shut while it is asked
    seconds: float  # for all cases together

    @property
    def points(self) -> float:
        return float(sum(part["points"] for part in self.parts))

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return [case["inputs"] for case in self.cases]

    @property
    def ask_with(self) -> Callable:
        return probes.named(self.probe)


def save(trial: Trial, folder: Path) -> None:
    """Write a trial as `<id>.json` and `<id>.safetensors` into `folder`."""
    tensors: dict[str, Any] = {}
    text = json.dumps(pack(vars(trial), tensors), indent=1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{trial.id}.json").write_text(text + "\n", encoding="utf-8")
    save_file(tensors, folder / f"{trial.id}.safetensors")


def load(exercise_id: str, folder: Path = PUBLIC) -> Trial:
    """Read a trial that `save` wrote. Raises `KeyError` with a sentence when the folder holds none of that id."""
    path = folder / f"{exercise_id}.json"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.json"))) or "none"
        raise KeyError(f"there is no exercise {exercise_id!r}; known here: {known}")
    tensors = load_file(folder / f"{exercise_id}.safetensors")
    return Trial(**unpack(json.loads(path.read_text(encoding="utf-8")), tensors))
