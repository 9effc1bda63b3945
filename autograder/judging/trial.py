"""Trials: the cases of one exercise, drawn with a seed, with what is right and what each misconception would give.

A `Trial` is plain data. In the full course it is drawn live from the exercise (`draw`). A student's bundle has neither
solutions nor exercises: there the same trial, drawn once with the public seed, is read from a folder (`save`, `load`):
JSON for the structure, safetensors for the numbers, never pickle.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from autograder.asking import probes
from autograder.places import PUBLIC

if TYPE_CHECKING:
    pass

PUBLIC_SEED = 2106  # the cases that a student's own check uses; grading draws its own
RAISES = "this misconception raises"  # stands for the output of a wrong answer that does not survive these inputs


@dataclass(frozen=True)
class Trial:
    """Everything `check` needs of an exercise, as data. `cases` holds dicts with label, group, inputs, expected, mistaken."""

    id: str
    name: str
    parts: list[dict[str, Any]]
    says: dict[str, str]
    probe: str
    tolerance: float
    seed: int
    cases: list[dict[str, Any]]

    @property
    def points(self) -> float:
        return float(sum(part["points"] for part in self.parts))

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return [case["inputs"] for case in self.cases]

    @property
    def ask_with(self) -> Callable:
        return getattr(probes, self.probe)


def save(trial: Trial, folder: Path) -> None:
    """Write a trial as `<id>.json` and `<id>.safetensors` into `folder`."""
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {}
    text = json.dumps(_pack(vars(trial), tensors), indent=1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{trial.id}.json").write_text(text + "\n", encoding="utf-8")
    save_file(tensors, folder / f"{trial.id}.safetensors")


def load(exercise_id: str, folder: Path = PUBLIC) -> Trial:
    """Read a trial that `save` wrote. Raises `KeyError` with a sentence when the folder holds none of that id."""
    from safetensors.torch import load_file

    path = folder / f"{exercise_id}.json"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in folder.glob("*.json"))) or "none"
        raise KeyError(f"there is no exercise {exercise_id!r}; known here: {known}")
    tensors = load_file(folder / f"{exercise_id}.safetensors")
    return Trial(**_unpack(json.loads(path.read_text(encoding="utf-8")), tensors))


def _pack(value: Any, tensors: dict[str, Any]) -> Any:
    """JSON for structure; tensors and arrays move to `tensors` and leave their name behind."""
    import torch

    if isinstance(value, dict):
        return {key: _pack(item, tensors) for key, item in value.items()}
    if isinstance(value, list):
        return [_pack(item, tensors) for item in value]
    if isinstance(value, tuple):
        return {"tuple": [_pack(item, tensors) for item in value]}
    if isinstance(value, (torch.Tensor, np.ndarray)):
        name = str(len(tensors))
        tensors[name] = torch.as_tensor(value).contiguous().clone()
        return {"tensor" if isinstance(value, torch.Tensor) else "array": name}
    return value


def _unpack(value: Any, tensors: dict[str, Any]) -> Any:
    if isinstance(value, list):
        return [_unpack(item, tensors) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"tuple"}:
            return tuple(_unpack(item, tensors) for item in value["tuple"])
        if value.keys() == {"tensor"}:
            return tensors[value["tensor"]]
        if value.keys() == {"array"}:
            return tensors[value["array"]].numpy()
        return {key: _unpack(item, tensors) for key, item in value.items()}
    return value
