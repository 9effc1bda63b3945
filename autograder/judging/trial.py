"""Trials: the cases of one exercise, drawn with a seed, with what is right and what wrong answers would give.

In the full course a `Trial` is drawn live from the exercise (`draw`), and what wrong answers would give is computed when one
has come. A student's bundle has neither solutions nor exercises: there the same trial, drawn once with the public seed, is read
from a folder, all of it as data (`save`, `load`).
It is packed as what crosses the wall is (`autograder.asking.wire`): JSON for the structure, safetensors for the numbers.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from functools import cached_property
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from autograder.asking import probes
from autograder.asking.fresh import fresh
from autograder.asking.values import same
from autograder.asking.wire import pack, unpack
from autograder.judging.symptoms.changed import Changed
from autograder.places import PUBLIC

PUBLIC_SEED = 2106  # the cases that a student's own check uses; grading draws its own


@dataclass(frozen=True)
class Trial:
    """Everything `check` needs of an exercise. `cases` holds dicts with label, group, inputs, held, expected.

    `expected` is a plain output, or `Raised`. Where a case holds something back (`held`), it is the form of the output only.
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
    find_mistaken: Callable[[], list[dict[str, Any]]] = field(default=list, repr=False, compare=False)
    find_changed: Callable[[], list[Changed]] = field(default=list, repr=False, compare=False)

    @cached_property
    def mistaken(self) -> list[dict[str, Any]]:
        """Case by case, what each misconception gives: a plain output, or `Raised`. Nothing where a case holds something back."""
        return self.find_mistaken()

    @cached_property
    def changed(self) -> list[Changed]:
        """What the right function gives for changed inputs (see `symptoms.changed`)."""
        return self.find_changed()

    @property
    def points(self) -> float:
        return float(sum(part["points"] for part in self.parts))

    @property
    def inputs(self) -> list[dict[str, Any]]:
        return [case["inputs"] for case in self.cases]

    @property
    def ask_with(self) -> Callable:
        return probes.named(self.probe)

    @property
    def data(self) -> dict[str, Any]:
        """What it holds itself, without what wrong answers would give."""
        return {f.name: getattr(self, f.name) for f in fields(self) if not f.name.startswith("find_")}


def save(trial: Trial, folder: Path) -> None:
    """Write a trial as `<id>.json` and `<id>.safetensors` into `folder`."""
    tensors: dict[str, Any] = {}
    with fresh(trial.seed), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # inputs are changed to what no function is made for
        changed = [vars(c) | {"outputs": list(c.outputs)} for c in trial.changed if _matters(c, trial)]
        everything = trial.data | {"mistaken": trial.mistaken, "changed": changed}
    text = json.dumps(pack(everything, tensors), indent=1)
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
    data = unpack(json.loads(path.read_text(encoding="utf-8")), tensors)
    mistaken, changed = data.pop("mistaken"), [Changed(**change) for change in data.pop("changed")]
    return Trial(**data, find_mistaken=lambda: mistaken, find_changed=lambda: changed)


def _matters(change: Changed, trial: Trial) -> bool:
    """Whether something else than the right output comes out, in a form that can be compared."""
    return any(output is not None and not same(output, case["expected"], trial.tolerance)
               for output, case in zip(change.outputs, trial.cases, strict=True))
