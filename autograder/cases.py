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

from autograder import probes
from autograder.values import copied, plain, same

if TYPE_CHECKING:
    from autograder.exercise import Exercise

PUBLIC_SEED = 2106  # the cases that a student's own check uses; grading draws its own
PUBLIC_FOLDER = Path(__file__).parent / "public"  # exists in a student's bundle only
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


def draw(exercise: Exercise, seed: int) -> Trial:
    """Draw the cases of `exercise` with `seed`; compute what is right and what each misconception would give.

    Raises `AuthorError` when a misconception gives the right output in every case, or raises in every case: then no
    student could ever read its sentence.
    """
    def run(function: Callable, inputs: dict[str, Any]) -> Any:
        return plain(exercise.probe(function, copied(inputs)))

    cases = []
    for case in exercise.cases(np.random.default_rng(seed)):
        own = exercise.expected
        expected = plain(own(**copied(case.inputs))) if own else run(exercise.answer, case.inputs)
        mistaken = {}
        for misconception in exercise.misconceptions:
            try:
                mistaken[misconception.name] = run(misconception.wrong, case.inputs)
            except Exception:
                mistaken[misconception.name] = RAISES
        cases.append(vars(case) | {"expected": expected, "mistaken": mistaken})
    if not cases:
        raise exercise.fail("it has no cases")
    for misconception in exercise.misconceptions:
        if not _can_be_told(misconception.name, cases, exercise.tolerance):
            raise exercise.fail(
                f"misconception {misconception.name!r} cannot be told from the right answer with seed {seed}: "
                "in no case does it return something else. Add a case where it does, or remove it"
            )
    return Trial(
        id=exercise.id,
        name=exercise.name,
        parts=[vars(part) for part in exercise.parts],
        says={m.name: m.says for m in exercise.misconceptions},
        probe=exercise.probe.__name__,
        tolerance=exercise.tolerance,
        seed=seed,
        cases=cases,
    )


def _can_be_told(name: str, cases: list[dict[str, Any]], tolerance: float) -> bool:
    """Some case must show it by a returned value, at ten times the tolerance, so that rounding never decides."""
    given = [(case["mistaken"][name], case["expected"]) for case in cases]
    return any(not _is_raise(wrong) and not same(wrong, right, 10 * tolerance) for wrong, right in given)


def _is_raise(value: Any) -> bool:
    return isinstance(value, str) and value == RAISES


def save(trial: Trial, folder: Path) -> None:
    """Write a trial as `<id>.json` and `<id>.safetensors` into `folder`."""
    from safetensors.torch import save_file

    tensors: dict[str, Any] = {}
    text = json.dumps(_pack(vars(trial), tensors), indent=1)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{trial.id}.json").write_text(text + "\n", encoding="utf-8")
    save_file(tensors, folder / f"{trial.id}.safetensors")


def load(exercise_id: str, folder: Path = PUBLIC_FOLDER) -> Trial:
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
