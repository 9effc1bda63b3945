"""What the model answer gives for inputs that are changed in one way: `alpha` squared, two arguments exchanged, one left out.

A wrong answer very often is the right function of something else. Whoever writes (alpha / r)² has, in every case, the values
that come out for alpha² / r. So each input is changed in each way that its kind knows, the model answer is asked, and what it
gives is data for `autograder.judging.symptoms.changed`. A change that makes no difference in any case is left out, and of two
that come to the same the first is kept, with the words of the second.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.asking.inputs import copied
from autograder.asking.probes import call, without_autograd
from autograder.asking.values import Raised, plain
from autograder.exercises.exercise import Exercise
from autograder.exercises.kinds import Change, ways
from autograder.judging.symptoms.changed import Changed

MOST = 400  # changes of one exercise
TWINS = 3  # that are remembered


def changes(exercise: Exercise, cases: list[dict[str, Any]]) -> list[Changed]:
    """The changes that make a difference in these cases, with what the model answer gives. Takes some hundredths of a second.

    Only for exercises that call a function on its inputs: a probe of its own may train, and is not run for this.
    """
    told = [case for case in cases if case["held"] is None and not isinstance(case["expected"], Raised)]
    if exercise.probe not in (call, without_autograd) or not told or not told[0]["inputs"]:
        return []
    right = exercise.expected or (lambda **inputs: exercise.answer(**inputs))
    found: list[Changed] = []
    flat: list[np.ndarray] = [_flat([case["expected"] for case in cases], cases)]
    for change in list(ways([case["inputs"] for case in told]))[:MOST]:
        outputs = [_output(right, case, change) for case in cases]
        mine = _flat(outputs, cases)
        if np.isnan(mine).all() or _near(mine, flat[0], exercise.tolerance, gaps=False):
            continue
        twin = next((i for i, other in enumerate(flat[1:]) if _near(mine, other, exercise.tolerance)), None)
        if twin is None:
            found.append(Changed(change.name, change.says, outputs))
            flat.append(mine)
        elif len(found[twin].twins) < TWINS:
            found[twin].twins.append((change.name, change.says))
    return found


def _flat(outputs: list[Any], cases: list[dict[str, Any]]) -> np.ndarray:
    """All numbers of all cases in one row, nan where there is none; a word is a number of its own."""
    rows = []
    for output, case in zip(outputs, cases, strict=True):
        for value, expected in zip(_values(output, case["expected"]), _values(case["expected"], None), strict=True):
            size = np.size(expected) if isinstance(expected, np.ndarray) else 1
            if value is None:
                rows.append(np.full(size, np.nan))
            elif isinstance(value, str):
                rows.append(np.array([float(zlib.crc32(value.encode()))]))
            else:
                rows.append(np.nan_to_num(np.asarray(value, float).reshape(-1), nan=-12345.0, posinf=1e300, neginf=-1e300))
    return np.concatenate(rows) if rows else np.zeros(0)


def _values(output: Any, expected: Any) -> tuple:
    if isinstance(output, Raised):
        return (None,)
    if output is None and isinstance(expected, tuple):
        return (None,) * len(expected)
    return output if isinstance(output, tuple) else (output,)


def _near(one: np.ndarray, other: np.ndarray, tolerance: float, gaps: bool = True) -> bool:
    """Whether two rows agree; with `gaps` also in what is missing."""
    missing = np.isnan(one)
    if gaps and not np.array_equal(missing, np.isnan(other)):
        return False
    with np.errstate(all="ignore"):
        return bool((np.abs(one - other) <= tolerance * np.abs(other) + 1e-12)[~missing].all())


def _output(right: Callable, case: dict[str, Any], change: Change) -> Any:
    """What comes out for the changed inputs, in the form of what is right; None where nothing like it does."""
    if case["held"] is not None or isinstance(case["expected"], Raised):
        return None
    try:
        with np.errstate(all="ignore"):
            made = [plain(right(**inputs)) for inputs in change.inputs(copied(case["inputs"]))]
        output = change.joins(made)
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
