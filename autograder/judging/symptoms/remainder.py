"""What is left when the right values are taken out: a factor that is an input, an input added, a factor for each row."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autograder.judging.symptoms.seen import Seen, numbers


def by_an_input(seen: Seen) -> str | None:
    """Entry by entry, the right value times (or divided by) one of the inputs, its square or its root."""
    for name, values in _fitting(seen):
        for words, asks, turn in (
            ("times", "is the factor there once too often?", lambda r, v: r * v),
            ("divided by", "is the factor missing?", lambda r, v: r / v),
            ("times the square of", "is the factor there twice too often?", lambda r, v: r * v * v),
            ("times the root of", "is it under a root where it should not be?", lambda r, v: r * np.sqrt(v)),
        ):
            if _every(seen, values, turn):
                return f"Every value is the right one {words} {name}, entry by entry: {asks}"
    return None


def with_an_input(seen: Seen) -> str | None:
    """The right value plus or minus one of the inputs, or half of it."""
    for name, values in _fitting(seen):
        for times, words in ((1, ""), (-1, ""), (0.5, "half of "), (-0.5, "half of ")):  # twice is another sign
            if _every(seen, values, lambda r, v, t=times: r + t * v):
                way = "more" if times > 0 else "less"
                return (
                    f"Every value is {words}{name} {way} than the right one: is {name} "
                    f"{'added once too often' if times > 0 else 'left out, or subtracted where it is not to be'}?"
                )
    return None


def row_factor(seen: Seen) -> str | None:
    """Each row (or column) is right up to a factor of its own, as when something is normalised along the wrong axis."""
    return _by_lines(
        seen,
        lambda c, r: (c * r).sum(-1, keepdims=True) / (r * r).sum(-1, keepdims=True) * r,
        "Each {0} is right up to a factor of its own: something is divided by its sum (or not divided) {1} by {1}.",
    )


def row_shift(seen: Seen) -> str | None:
    """Each row (or column) is right but for a number of its own that is added."""
    return _by_lines(
        seen,
        lambda c, r: r + (c - r).mean(-1, keepdims=True),
        "In each {0} one number of its own is added to all the right values: a mean (or a sum) of the {1} is taken off "
        "where it should not be, or the other way round.",
    )


def _by_lines(seen: Seen, explained: Callable, says: str) -> str | None:
    if not seen.shapes_agree or seen.evidence < 4 or not all(r.ndim >= 2 for r in seen.right):
        return None
    for axis, line in ((-1, "row"), (-2, "column")):
        pairs = [(np.moveaxis(c, axis, -1), np.moveaxis(r, axis, -1)) for c, r in seen.pairs]
        if not any(r.shape[-1] > 1 for _, r in pairs):
            continue
        with np.errstate(all="ignore"):
            made = [np.nan_to_num(explained(c, r)) for c, r in pairs]
            if all(r.size and np.isfinite(c).all() and seen.same(c, m) for (c, r), m in zip(pairs, made, strict=True)):
                return says.format(line, line)
    return None


def _fitting(seen: Seen):
    """The inputs that have the output's shape, or are a column or a row beside it. Scalars are quantities (`relations`)."""
    if not seen.shapes_agree or seen.evidence < 2 or not all(r.ndim for r in seen.right):
        return
    for name in seen.inputs[0]:
        values = [numbers(case.get(name)) for case in seen.inputs]
        if all(v is not None and v.ndim and v.size > 1 and _fits(v, r) for v, r in zip(values, seen.right, strict=True)):
            yield name, values


def _fits(value: np.ndarray, right: np.ndarray) -> bool:
    try:
        return np.broadcast_shapes(value.shape, right.shape) == right.shape
    except ValueError:
        return False


def _every(seen: Seen, values: list, turn: Callable) -> bool:
    with np.errstate(all="ignore"):
        return all(seen.same(c, turn(r, v)) for c, r, v in zip(seen.came, seen.right, values, strict=True))
