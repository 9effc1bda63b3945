"""The sizes and the scalars of the inputs, by the words one would use for them: what a wrong factor may be.

`the number of rows of x`, `alpha`, `the number of labels that are not -100`. Each is an array with one number a case.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.judging.symptoms.seen import numbers

IGNORED = -100  # the label that a loss passes over
AXES = {1: ("entries",), 2: ("rows", "columns"), 3: ("matrices", "rows in each matrix", "columns")}


def quantities(inputs: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """One array a quantity, in the order of the inputs; of several that are equal in every case, the first."""
    found = [of_one(case) for case in inputs]
    names = [name for name in found[0] if all(name in case for case in found)] if found else []
    out: dict[str, np.ndarray] = {}
    for name in names:
        values = np.array([case[name] for case in found])
        if not any(np.array_equal(values, known) for known in out.values()):
            out[name] = values
    return out


def scalars(inputs: dict[str, Any]) -> dict[str, float]:
    """The inputs that are one number."""
    return {
        name: float(v) for name, v in inputs.items() if isinstance(v, (int, float)) and not isinstance(v, bool) and name != "seed"
    }


def of_one(inputs: dict[str, Any]) -> dict[str, float]:
    """Every quantity of one case."""
    out: dict[str, float] = scalars(inputs)
    for name, value in inputs.items():
        array = numbers(value)
        if isinstance(value, dict) and value and all(isinstance(v, (int, float)) for v in value.values()):
            array = np.array(list(value.values()), float)
        if array is None:
            if isinstance(value, (list, tuple, dict)):
                out[f"the number of entries of {name}"] = float(len(value))
            continue
        if array.ndim == 1 and array.size > 1 and np.isfinite(array).all() and isinstance(value, (list, tuple, dict)):
            out[f"the sum of {name}"] = float(array.sum())
        if 1 <= array.ndim <= 3:
            for word, size in zip(AXES[array.ndim], array.shape, strict=True):
                out[f"the number of {word} of {name}"] = float(size)
        if array.ndim > 1:
            out[f"the number of all entries of {name}"] = float(array.size)
        if array.ndim and (array == IGNORED).any():
            out[f"the number of entries of {name} that are not {IGNORED}"] = float((array != IGNORED).sum())
        elif array.ndim and array.size > 1 and set(np.unique(array)) == {0.0, 1.0}:
            out[f"the number of ones in {name}"] = float(array.sum())
    return out
