"""The right numbers in another shape, or what remains to be done to get it: a sum, a mean, one value more."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.judging.symptoms.seen import Seen

AXES = ("first", "second", "third")
REDUCTIONS = (
    ("sum", np.sum, "The right result is the sum of yours{0}: it is not yet added up."),
    ("mean", np.mean, "The right result is the mean of yours{0}: it is not yet averaged."),
    ("max", np.max, "The right result is the largest of yours{0}: it is not yet picked out."),
    ("min", np.min, "The right result is the smallest of yours{0}: it is not yet picked out."),
)


def another_shape(seen: Seen) -> str | None:
    """The right numbers in the right order, with axes too many, too few or joined."""
    if not seen.numeric or seen.shapes_agree:
        return None
    pairs = seen.pairs
    if all(r.ndim >= 2 and seen.same(c, np.swapaxes(r, -1, -2)) for c, r in pairs):
        return f"These are the right values, transposed: shape {pairs[0][1].shape} is asked for, yours is {pairs[0][0].shape}."
    if all(c.size == r.size and seen.same(c.reshape(r.shape), r) for c, r in pairs):
        c, r = next((c, r) for c, r in pairs if c.shape != r.shape)
        extra = c.size == r.size and [n for n in c.shape if n != 1] == [n for n in r.shape if n != 1]
        why = "an axis of length 1 is too many or missing (keepdim, unsqueeze, squeeze)" if extra else "reshape them"
        return f"These are the right values in shape {c.shape}, and {r.shape} is asked for: {why}."
    return None


def not_reduced(seen: Seen) -> str | None:
    """Adding up, averaging or picking along one axis (or all) of what came gives what is right."""
    if not seen.numeric or seen.shapes_agree:
        return None
    pairs = seen.pairs
    for _, function, says in REDUCTIONS:
        if all(c.size and seen.same(np.asarray(function(c), float), r) for c, r in pairs):
            return says.format("")
        for axis in range(min(c.ndim for c, _ in pairs)):
            if all(c.shape[axis] and seen.same(np.asarray(function(c, axis=axis), float), r) for c, r in pairs):
                return says.format(f" along its {AXES[axis]} axis" if axis < 3 else "")
    for axis in range(min(c.ndim for c, _ in pairs)):
        for place, words in ((0, "first"), (-1, "last")):
            if all(c.shape[axis] and seen.same(np.take(c, place, axis), r) for c, r in pairs):
                return f"You return more than is asked for: the right result is the {words} entry of yours along axis {axis}."
    return None


def reduced(seen: Seen) -> str | None:
    """What came is the sum, the mean or a part of what is right."""
    if not seen.numeric or seen.shapes_agree:
        return None
    pairs = seen.pairs
    for axis in range(min(r.ndim for _, r in pairs)):
        for place, words in ((0, "first"), (-1, "last")):
            if all(seen.same(c, np.take(r, place, axis)) for c, r in pairs):
                return f"You return only the {words} of the right values along the {AXES[axis]} axis: all of them are asked for."
    for word, function, _ in REDUCTIONS:
        name = {"sum": "the sum", "mean": "the mean", "max": "the largest", "min": "the smallest"}[word]
        if all(seen.same(c, np.asarray(function(r), float)) for c, r in pairs):
            return f"You return {name} of the right values: shape {pairs[0][1].shape} is asked for, every one of them."
        for axis in range(min(r.ndim for _, r in pairs)):
            if all(seen.same(c, np.asarray(function(r, axis=axis), float)) for c, r in pairs):
                return f"You return {name} of the right values along the {AXES[axis]} axis: keep them apart."
    return None


def a_part(seen: Seen) -> str | None:
    """Right but for what is missing, or too much, at one end."""
    if not seen.numeric or seen.shapes_agree:
        return None
    pairs = seen.pairs
    if not all(c.ndim == r.ndim >= 1 for c, r in pairs):
        return None
    for axis in range(min(r.ndim for _, r in pairs)):
        short = all(c.shape[axis] <= r.shape[axis] for c, r in pairs)
        for end, words in ((False, "end"), (True, "beginning")):
            if all(
                seen.same(c, _cut(r, c, axis, end)) if short else seen.same(_cut(c, r, axis, end), r)
                for c, r in pairs
                if c.shape[axis] and r.shape[axis]
            ) and all(c.shape[axis] and (short or c.shape[axis] >= r.shape[axis]) for c, r in pairs):
                what = "are missing at" if short else "are too many at"
                return f"These are the right values, but some {what} the {words} (axis {axis}): {_lengths(pairs, axis)}."
    if all(c.shape[0] <= r.shape[0] and c.shape[1:] == r.shape[1:] and _some_of(seen, c, r) for c, r in pairs):
        return f"These are some of the right values, in their order, and the others are missing: {_lengths(pairs, 0)}."
    return None


def _cut(big: np.ndarray, small: np.ndarray, axis: int, end: bool) -> np.ndarray:
    """As much of the one, from its beginning or its end, as the other has along this axis."""
    size = min(small.shape[axis], big.shape[axis])
    return np.take(big, range(big.shape[axis] - size, big.shape[axis]) if end else range(size), axis)


def _some_of(seen: Seen, came: np.ndarray, right: np.ndarray) -> bool:
    """Whether what came is the right thing with some of its rows left out."""
    place = 0
    for row in came:
        while place < len(right) and not seen.same(row, right[place]):
            place += 1
        if place == len(right):
            return False
        place += 1
    return len(came) > 0


def shape_of_an_input(seen: Seen) -> str | None:
    """Wrong numbers in a wrong shape, which is that of an input."""
    if not seen.numeric or seen.shapes_agree:
        return None
    for name in seen.inputs[0]:
        shapes = [np.shape(case.get(name)) if hasattr(case.get(name), "shape") else None for case in seen.inputs]
        if all(s and c.shape == tuple(s) for c, s in zip(seen.came, shapes, strict=True)):
            c, r = next((c, r) for c, r in seen.pairs if c.shape != r.shape)
            return f"Your result has the shape of {name}, {c.shape}, and {r.shape} is asked for: which axis is to be summed over?"
    return None


def _lengths(pairs: Any, axis: int) -> str:
    c, r = next((c, r) for c, r in pairs if c.shape != r.shape)
    return f"{c.shape[axis]} came, {r.shape[axis]} are asked for"
