"""The inputs of a call: a copy for the student's function, and whether it left that copy as it was."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np


def copied(value: Any) -> Any:
    """A copy of plain data that shares nothing with it: what `copy.deepcopy` does, several times faster for tensors."""
    kind = type(value)
    if kind is dict:
        return {key: copied(item) for key, item in value.items()}
    if kind in (list, tuple):
        return kind(copied(item) for item in value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is np.ndarray and not value.dtype.hasobject:
        return value.copy()
    if kind.__module__ == "torch" and kind.__name__ == "Tensor" and not value.requires_grad and not value.is_sparse:
        return value.clone()
    return copy.deepcopy(value)


def untouched(before: Any, after: Any) -> bool:
    """Whether `after`, which was a copy of `before`, still equals it. A stream or a generator may go on, so that is no change."""
    if type(before) is not type(after):
        return False
    if isinstance(before, dict):
        return before.keys() == after.keys() and all(untouched(before[key], after[key]) for key in before)
    if isinstance(before, (list, tuple)):
        return len(before) == len(after) and all(map(untouched, before, after))
    if hasattr(before, "detach"):
        before, after = before.detach().cpu(), after.detach().cpu()
        same = before.dtype == after.dtype and before.shape == after.shape
        return same and bool(((before == after) | ((before != before) & (after != after))).all())  # nan equals itself here
    if isinstance(before, np.ndarray):
        return before.dtype == after.dtype and np.array_equal(before, after, equal_nan=before.dtype.kind in "fc")
    if isinstance(before, (bool, int, float, str)):
        return before == after or before != before
    return True
