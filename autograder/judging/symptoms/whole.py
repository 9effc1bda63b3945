"""Outputs that hardly depend on what went in: zeros, one value for all, an input as it was, or two inputs put together."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from autograder.judging.symptoms.seen import Seen, numbers

NOTHING = 1e-8


def zeros(seen: Seen) -> str | None:
    if not seen.shapes_agree or not seen.evidence:
        return None
    if all(np.abs(c).max(initial=0) <= NOTHING * min(1.0, np.abs(r).max(initial=0)) for c, r in seen.pairs):
        return "Everything you return is 0: is the result ever filled in?"
    return None


def same_whatever(seen: Seen) -> str | None:
    """The same output in every case, though the right ones differ."""
    if len(seen.came) < 2 or (seen.numeric and not seen.shapes_agree) or all(seen.same(r, seen.right[0]) for r in seen.right[1:]):
        return None
    if all(seen.same(c, seen.came[0]) for c in seen.came[1:]):
        return "You return the same whatever the inputs are: compute the result from the arguments."
    return None


def one_for_all(seen: Seen) -> str | None:
    """One number, or one row, for all."""
    if not seen.shapes_agree or not all(r.ndim for r in seen.right):
        return None
    several = [(c, r) for c, r in seen.pairs if c.size > 1 and np.ptp(r) > 1e-9]
    if several and all(np.isfinite(c).all() and np.ptp(c) <= seen.tolerance * np.abs(c).max() for c, _ in several):
        return (
            "In each case all your values are one and the same number, and the right ones differ: something is summed or "
            "averaged that belongs to each of them."
        )
    rows = [(c, r) for c, r in several if c.ndim >= 2 and c.shape[0] > 1]
    alike = lambda a: seen.same(a, np.broadcast_to(a[:1], a.shape))  # noqa: E731
    if rows and all(alike(c) and not alike(r) for c, r in rows):
        return "All your rows are the same, and the right ones differ: each row has to be computed from its own input."
    return None


def handed_back(seen: Seen) -> str | None:
    """An input as it was."""
    for name in _names(seen) if seen.evidence >= 2 else ():
        values = [numbers(case[name]) for case in seen.inputs]
        if all(v is not None and _equal(seen, c, v) for c, v in zip(seen.came, values, strict=True)):
            return f"You return {name} as it is: the result has to be computed from it."
    return None


def input_handed_back(seen: Seen) -> tuple[str, str] | None:
    """The same, where it can be no accident: an array, or a number with decimals. A small count soon equals another."""
    if not seen.numeric or seen.evidence < 2 or any(not c.size for c in seen.came):
        return None
    several = len({c.ravel()[0] for c in seen.came}) >= 3 and all(np.abs(c).max() >= 10 for c in seen.came)
    telling = several or any(c.size > 1 or c.ravel()[0] % 1 for c in seen.came)
    said = handed_back(seen) if telling else None
    return ("handed_back", said) if said else None


def made_of_inputs(seen: Seen) -> str | None:
    """A sum, a mean, a softmax of one input alone, or two inputs added, multiplied ...; which is not what is asked for."""
    if not seen.numeric or seen.evidence < 2:
        return None
    found: dict[str, int] = {}
    for inputs, came in zip(seen.inputs, seen.came, strict=True):
        fits = {words for words, value in _made(inputs) if value.shape == came.shape and _equal(seen, came, value)}
        found = {w: 1 for w in (fits if inputs is seen.inputs[0] else fits & set(found))}
        if not found:
            return None
    words = min(found, key=lambda w: (len(w), w))
    return f"What you return is {words}, and no more than that: what is still to be done with it?"


def _names(seen: Seen) -> list[str]:
    return [n for n in (seen.inputs[0] if seen.inputs else {}) if all(n in case for case in seen.inputs)]


def _equal(seen: Seen, came: np.ndarray, value: np.ndarray) -> bool:
    return isinstance(came, np.ndarray) and seen.same(came, value)


def _made(inputs: dict) -> Iterator[tuple[str, np.ndarray]]:
    """Words for what can be made of the inputs in one step, and its value."""
    arrays = {}
    for name, value in inputs.items():
        a = numbers(list(value.values()) if isinstance(value, dict) else value)
        if a is not None and a.size:
            arrays[name] = a
    with np.errstate(all="ignore"):
        for name, a in arrays.items():
            yield from _of_one(name, a)
            if a.ndim == 2:
                for words, line in (
                    ("the first row", a[0]),
                    ("the last row", a[-1]),
                    ("the first column", a[:, 0]),
                    ("the last column", a[:, -1]),
                    ("the diagonal", np.diagonal(a)),
                ):
                    yield from _of_one(f"{words} of {name}", line)
        for one, a in arrays.items():
            for other, b in arrays.items():
                if one != other:
                    yield from _of_two(one, a, other, b)


def _of_one(name: str, a: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    yield f"minus {name}", -a
    yield f"exp({name})", np.exp(a)
    yield f"log({name})", np.log(a)
    yield f"the square of {name}", a * a
    yield f"the root of {name}", np.sqrt(a)
    yield f"one over {name}", 1 / a
    yield f"1 - {name}", 1 - a
    yield f"the absolute values of {name}", np.abs(a)
    if not a.ndim:
        return
    for axis, where in ((None, ""), *((k, f" along axis {k}") for k in range(a.ndim if a.ndim > 1 else 0))):
        for words, function in (("sum", np.sum), ("mean", np.mean), ("largest value", np.max), ("smallest value", np.min)):
            yield f"the {words} of {name}{where}", np.asarray(function(a, axis=axis), float)
            yield f"the {words} of the squares of {name}{where}", np.asarray(function(a * a, axis=axis), float)
            yield f"the {words} of the absolute values of {name}{where}", np.asarray(function(np.abs(a), axis=axis), float)
        yield f"the standard deviation of {name}{where}", np.asarray(a.std(axis=axis), float)
        yield f"the variance of {name}{where}", np.asarray(a.var(axis=axis), float)
        yield f"the length (norm) of {name}{where}", np.asarray(np.sqrt((a * a).sum(axis=axis)), float)
        if axis is not None or a.ndim == 1:
            k = -1 if axis is None else axis
            e = np.exp(a - a.max(k, keepdims=True))
            yield f"the softmax of {name}{where}", e / e.sum(k, keepdims=True)
            yield f"the position of the largest value of {name}{where}", np.asarray(a.argmax(k), float)
    yield f"the number of entries of {name}", np.asarray(float(len(a)))
    yield f"the entropy of {name}", np.asarray(-(a * np.log(a))[a > 0].sum())
    yield f"{name} divided by its sum", a / a.sum()
    yield f"the median of {name}", np.asarray(np.median(a))
    yield f"the first entry of {name}", a[0]
    yield f"the last entry of {name}", a[-1]
    if a.ndim == 2:
        yield f"{name} transposed", a.T


def _of_two(one: str, a: np.ndarray, other: str, b: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    if a.shape == b.shape or not b.ndim or not a.ndim:
        yield f"{one} - {other}", a - b
        yield f"{one} / {other}", a / b
        if one < other:
            yield f"{one} + {other}", a + b
            yield f"{one} * {other}", a * b
            yield f"the mean of {one} and {other}", (a + b) / 2
    if a.shape == b.shape and a.ndim and one < other:
        yield f"the mean of ({one} - {other})²", np.asarray(((a - b) ** 2).mean())
        yield f"the sum of ({one} - {other})²", np.asarray(((a - b) ** 2).sum())
        yield f"the mean of |{one} - {other}|", np.asarray(np.abs(a - b).mean())
        yield f"the sum of |{one} - {other}|", np.asarray(np.abs(a - b).sum())
    if a.shape == b.shape and a.ndim == 1:
        yield f"the sum of -{one} * log({other})", np.asarray(-(a * np.log(b))[a > 0].sum())
    if a.ndim == b.ndim and a.ndim in (1, 2):
        for x, left in ((a, one), (a.T, f"{one}.T")):
            for y, right in ((b, other), (b.T, f"{other}.T")):
                if x.shape[-1] == y.shape[0]:
                    yield f"{left} @ {right}", np.asarray(x @ y, float)
