"""The right numbers in the wrong places: transposed, turned round, moved by one, in another order."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np

from autograder.judging.symptoms.seen import Seen


def places(seen: Seen) -> tuple[str, str] | None:
    """The first of the symptoms below that holds."""
    for symptom in (transposed, reversed_order, shifted, in_another_order):
        said = symptom(seen)
        if said:
            return symptom.__name__, said
    return None


def transposed(seen: Seen) -> str | None:
    if seen.numeric and all(r.ndim >= 2 for r in seen.right) and _turned(seen, lambda r: np.swapaxes(r, -1, -2)):
        return "These are the right values with rows and columns exchanged: transpose the result (or one factor less)."
    return None


def reversed_order(seen: Seen) -> str | None:
    for axis, words in ((0, "first to last"), (-1, "in each row")):
        if _arrays(seen) and _turned(seen, lambda r, a=axis: np.flip(r, a)):
            return f"These are the right values in the opposite order ({words}): turn them round."
    return None


def shifted(seen: Seen) -> str | None:
    """Every value stands one place (or two) too early or too late, along the first or the last axis."""
    if not _arrays(seen) or not seen.shapes_agree or seen.evidence < 2 or not _varied(seen):
        return None
    for axis in (-1, 0):
        for by in (1, -1, 2, -2):
            if all(_moved(seen, c, r, axis, by) for c, r in seen.pairs):
                size, way = ("one place" if abs(by) == 1 else "two places"), ("late" if by > 0 else "early")
                return f"These are the right values, {size} too {way}: the value of each position stands at another."
    for name in seen.inputs[0]:
        steps = [case.get(name) for case in seen.inputs]
        if all(isinstance(s, int) and not isinstance(s, bool) and s > 0 for s in steps):
            for way, turn in (("late", 1), ("early", -1)):
                if all(_moved(seen, c, r, -1, turn * s) for c, r, s in zip(seen.came, seen.right, steps, strict=True)):
                    return f"These are the right values, {name} places too {way}: the value of each position stands at another."
    return None


def in_another_order(seen: Seen) -> str | None:
    """The same rows, or the same numbers, in other places."""
    if not _arrays(seen) or not seen.shapes_agree or seen.evidence < 2 or not _varied(seen):
        return None
    if _turned(seen, lambda r: np.sort(r, -1)) or _turned(seen, lambda r: np.flip(np.sort(r, -1), -1)):
        return "These are the right values, sorted: leave them in the order of the inputs."
    if all(r.ndim == 2 for r in seen.right) and _turned(seen, _rows_sorted, both=True):
        return "These are the right rows in another order: keep the order of the inputs."
    if _turned(seen, lambda r: np.sort(r, None), both=True):
        return "These are the right numbers, but not in the right places: look at which index belongs to which input."
    return None


def values_in_another_order(came: list[tuple], right: list[tuple], same: Any) -> str | None:
    """The values of the output, exchanged among each other; `same(came, right)` compares one of them."""
    count = len(right[0])
    if not 2 <= count <= 5 or any(len(c) != count or len(r) != count for c, r in zip(came, right, strict=True)):
        return None
    for order in permutations(range(count)):
        if order == tuple(range(count)):
            continue
        if all(same(c[i], r[j]) for c, r in zip(came, right, strict=True) for i, j in enumerate(order)):
            words = ", ".join(str(j + 1) for j in order)
            return f"The right values come in the wrong order: yours are number {words} of what is asked for."
    return None


def _arrays(seen: Seen) -> bool:
    return seen.numeric and all(r.ndim >= 1 for r in seen.right)


def _varied(seen: Seen) -> bool:
    """Whether the right values are of more than two kinds: zeros and ones are soon the same in another order."""
    return any(len(np.unique(r)) > 2 for r in seen.right)


def _turned(seen: Seen, turn: Any, both: bool = False) -> bool:
    """Whether `turn(right)` came in every case; with `both`, whether turning both gives the same."""
    if seen.evidence < 2:
        return False
    pairs = seen.pairs
    return all(c.ndim == r.ndim and seen.same(turn(c) if both else c, turn(r)) for c, r in pairs)


def _rows_sorted(array: np.ndarray) -> np.ndarray:
    return array[np.lexsort(np.round(array, 4).T)]


def _moved(seen: Seen, came: np.ndarray, right: np.ndarray, axis: int, by: int) -> bool:
    size = right.shape[axis]
    if size <= abs(by):
        return seen.same(came, right)
    here = np.take(came, range(by, size) if by > 0 else range(size + by), axis)
    there = np.take(right, range(size - by) if by > 0 else range(-by, size), axis)
    return here.size > 0 and seen.same(here, there)
