"""What the model answer gives for inputs that are changed in one way: `alpha` squared, two arguments exchanged, one left out.

A wrong answer very often is the right function of something else. Whoever writes (alpha / r)² has, in every case, the values
that come out for alpha² / r. So each input is changed in each way that its kind knows (`kinds`), the model answer is asked, and
what it gives is data for `autograder.judging.symptoms.changed`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from autograder.asking.inputs import copied
from autograder.asking.probes import call, without_autograd
from autograder.asking.values import Raised, plain
from autograder.exercises.exercise import Exercise
from autograder.exercises.kinds import Change, ways
from autograder.judging.symptoms.changed import Changed

MOST = 700  # changes of one exercise


def changes(exercise: Exercise, cases: list[dict[str, Any]]) -> list[Changed]:
    """The changes that these inputs allow. What the model answer gives for one is computed when it is looked at, case by case.

    Only for exercises that call a function on its inputs: a probe of its own may train, and is not run for this.
    """
    told = [case for case in cases if case["held"] is None and not isinstance(case["expected"], Raised)]
    if exercise.probe not in (call, without_autograd) or not told or not told[0]["inputs"]:
        return []
    right = exercise.expected or exercise.answer
    made = list(ways([case["inputs"] for case in told]))[:MOST]
    return [Changed(change.name, change.says, _Outputs(right, change, cases)) for change in made]


class _Outputs(Sequence):
    """One output a case, in the form of what is right, and None where nothing like it comes out; each computed once."""

    def __init__(self, right: Callable, change: Change, cases: list[dict[str, Any]]):
        self._right, self._change, self._cases = right, change, cases
        self._known: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self._cases)

    def __getitem__(self, place: int) -> Any:  # type: ignore[override]
        if place not in self._known:
            if not 0 <= place < len(self._cases):
                raise IndexError(place)
            self._known[place] = self._of(self._cases[place])
        return self._known[place]

    def _of(self, case: dict[str, Any]) -> Any:
        if case["held"] is not None or isinstance(case["expected"], Raised):
            return None
        try:
            with np.errstate(all="ignore"):
                output = self._change.joins([plain(self._right(**i)) for i in self._change.inputs(copied(case["inputs"]))])
        except Exception:  # the model answer is not made for everything
            return None
        return output if _alike(output, case["expected"]) else None


def _alike(output: Any, expected: Any) -> bool:
    if isinstance(expected, tuple):
        return isinstance(output, tuple) and len(output) == len(expected) and all(map(_alike, output, expected))
    if isinstance(expected, (bool, str)) or expected is None:
        return type(output) is type(expected)
    if isinstance(output, (bool, str)) or not isinstance(output, (int, float, np.ndarray)):
        return False
    return np.shape(output) == np.shape(expected)
