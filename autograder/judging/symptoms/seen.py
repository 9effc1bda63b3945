"""What a symptom looks at: one output that came out wrong, in every case in which something was to be returned.

An output with several values is looked at value by value. `came` and `right` are arrays in double precision, a number is one of
shape `()`; words and truths stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from autograder.asking.values import FLOAT32_TOLERANCE, Opaque

TINY = 1e-12  # below it a difference is none, where the right value is 0


@dataclass(frozen=True)
class Seen:
    """Case by case: what came, what is right, and the inputs. `tolerance` is relative to the largest right value."""

    came: list[Any]
    right: list[Any]
    inputs: list[dict[str, Any]]
    labels: list[str]
    tolerance: float

    @property
    def pairs(self) -> list[tuple[Any, Any]]:
        """What came and what is right, case by case."""
        return list(zip(self.came, self.right, strict=True))

    @cached_property
    def numeric(self) -> bool:
        """Whether all of it is numbers; then every symptom of numbers may look."""
        return all(isinstance(v, np.ndarray) for v in (*self.came, *self.right))

    @cached_property
    def shapes_agree(self) -> bool:
        return self.numeric and all(c.shape == r.shape for c, r in self.pairs)

    @cached_property
    def finite(self) -> bool:
        """Whether nothing that came is nan or infinite where the right value is finite."""
        return self.shapes_agree and all(np.isfinite(c[np.isfinite(r)]).all() for c, r in self.pairs)

    @cached_property
    def wrong(self) -> list[bool]:
        """Which cases are wrong."""
        return [not self.same(c, r) for c, r in self.pairs]

    @cached_property
    def evidence(self) -> int:
        """How many numbers are not what they should be. One number proves little: a relation that needs a search asks for two."""
        pairs = self.pairs
        return (
            sum(
                int((np.abs(c - r) > self.tolerance * _size(r) + TINY).sum()) if c.shape == r.shape else max(c.size, r.size)
                for c, r in pairs
            )
            if self.numeric
            else sum(self.wrong)
        )

    @cached_property
    def only_wrong(self) -> Seen:
        """The cases that are wrong, alone."""
        keep = [i for i, wrong in enumerate(self.wrong) if wrong]
        pick = lambda items: [items[i] for i in keep]  # noqa: E731
        return replace(self, came=pick(self.came), right=pick(self.right), inputs=pick(self.inputs), labels=pick(self.labels))

    def same(self, came: Any, right: Any) -> bool:
        """Whether two outputs agree, to the exercise's tolerance."""
        if isinstance(right, (str, bool)) or isinstance(came, (str, bool)) or right is None or came is None:
            return type(came) is type(right) and came == right
        return agree(np.asarray(came, float), np.asarray(right, float), self.tolerance)

    def turned(self, turn: Any) -> bool:
        """Whether in every case what came is `turn(right)`."""
        if not self.numeric:
            return False
        with np.errstate(all="ignore"):
            return all(self.same(c, np.asarray(turn(r), float)) for c, r in self.pairs)


def agree(came: np.ndarray, right: np.ndarray, tolerance: float) -> bool:
    """Two arrays of one shape that differ by no more than `tolerance` of the largest finite value of the second."""
    if came.shape != right.shape:
        return False
    finite = np.isfinite(right)
    if not finite.all():
        if not np.array_equal(came[~finite], right[~finite], equal_nan=True):
            return False
        came, right = came[finite], right[finite]
    if not right.size:
        return True
    return bool((np.abs(came - right) <= tolerance * _size(right) + TINY).all())  # nan and infinity fail


def numbers(value: Any) -> np.ndarray | None:
    """Whatever plain data holds a regular block of numbers, as an array; None for everything else."""
    if value is None or isinstance(value, (str, dict, Opaque)):
        return None
    if hasattr(value, "detach"):
        value = value.detach().cpu().double().numpy()
    if isinstance(value, (list, tuple)):
        items = [numbers(item) for item in value]
        if any(item is None or item.shape != items[0].shape for item in items):
            return None
        return np.stack(items) if items else np.zeros(0)
    try:
        array = np.asarray(value)
    except (ValueError, OverflowError):
        return None
    return array.astype(float) if array.dtype.kind in "biuf" else None


def tolerance_of(right: list[Any], tolerance: float) -> float:
    """A count is a count: whole numbers have to be met exactly, whatever the tolerance of the exercise is."""
    return FLOAT32_TOLERANCE if all(isinstance(r, int) for r in right) else tolerance


def _size(right: np.ndarray) -> float:
    finite = right[np.isfinite(right)]
    return float(np.abs(finite).max()) if finite.size else 0.0
