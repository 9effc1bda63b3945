"""A function between what came and what is right: a logarithm, a root, the other part of a whole, a number added, a rounding."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from autograder.judging.symptoms.quantities import quantities
from autograder.judging.symptoms.seen import Seen


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


FUNCTIONS: tuple[tuple[str, Callable, str], ...] = (
    ("log", np.log, "the natural logarithm of the right one: an exp is missing, or a log too many"),
    ("exp", np.exp, "exp of the right one: an exp too many, or a log is missing"),
    ("log2", np.log2, "the logarithm to base 2 of the right one: take the power, or leave the logarithm out"),
    ("minus_log", lambda r: -np.log(r), "minus the natural logarithm of the right one: an exp is missing, or a log too many"),
    ("exp_of_minus", lambda r: np.exp(-r), "exp of minus the right one"),
    ("square", np.square, "the square of the right one: a root is missing, or a square too many"),
    ("root", np.sqrt, "the square root of the right one: a square is missing, or a root too many"),
    ("inverse", lambda r: 1 / r, "one over the right one: the division is the other way round"),
    ("inverse_root", lambda r: r**-0.5, "one over the root of the right one"),
    ("inverse_square", lambda r: r**-2, "one over the square of the right one"),
    ("complement", lambda r: 1 - r, "1 minus the right one: the other share (or the other class) was asked for"),
    ("percent_off", lambda r: 100 * (1 - r), "100 minus the percentage: asked is the other share, as a fraction"),
    ("absolute", np.abs, "right but without its sign: no absolute value belongs there"),
    ("minus_absolute", lambda r: -np.abs(r), "minus the size of the right one: the sign has to come from the data"),
    (
        "cut_at_zero",
        lambda r: np.maximum(r, 0),
        "right where the right one is positive, and 0 where it is negative: nothing is to be cut off at 0",
    ),
    ("cut_above_zero", lambda r: np.minimum(r, 0), "right where the right one is negative, and 0 where it is positive"),
    ("cut_to_share", lambda r: np.clip(r, 0, 1), "right between 0 and 1 and cut off outside: nothing is to be cut off"),
    ("cosine_to_angle", np.arccos, "the angle (arccos) to the right cosine: asked is the cosine"),
    ("cosine_to_degrees", lambda r: np.degrees(np.arccos(r)), "the angle in degrees to the right cosine: asked is the cosine"),
    ("cosine_to_sine", lambda r: np.sqrt(1 - r * r), "the sine to the right cosine"),
    ("radians_to_degrees", np.degrees, "in degrees, where radians are asked for"),
    ("softmax", _softmax, "a softmax of the right ones: one softmax too many"),
    ("log_softmax", lambda r: np.log(_softmax(r)), "a log-softmax of the right ones: one too many"),
    ("sigmoid", lambda r: 1 / (1 + np.exp(-r)), "the sigmoid of the right one: one sigmoid too many"),
    ("logit", lambda r: np.log(r / (1 - r)), "the log-odds of the right one: a sigmoid is missing"),
    (
        "sums_to_one",
        lambda r: r / r.sum(-1, keepdims=True),
        "right but divided by the sum along the last axis, so that it is 1: nothing is to be normalised",
    ),
    (
        "largest_is_one",
        lambda r: r / r.max(-1, keepdims=True),
        "right but divided by the largest one, which is now 1: asked is something else, so divide by the sum, or by nothing",
    ),
    ("length_is_one", lambda r: r / np.linalg.norm(r, axis=-1, keepdims=True), "right but scaled to length 1"),
    ("length_is_one", lambda r: r / np.linalg.norm(r), "right but scaled to length 1"),
    (
        "centred",
        lambda r: r - r.mean(-1, keepdims=True),
        "right but without its mean along the last axis: no mean is to be taken off",
    ),
    (
        "centred",
        lambda r: r - r.mean(0, keepdims=True),
        "right but without its mean along the first axis: no mean is to be taken off",
    ),
    ("added_up", lambda r: np.cumsum(r, -1), "the running sum of the right ones: asked are the single ones"),
)


OF_SIGNS = ("absolute", "minus_absolute", "cut_at_zero", "cut_above_zero")  # the same as a sign, or nothing, where all have one
OF_ROWS = ("softmax", "log_softmax", "sums_to_one", "largest_is_one", "length_is_one", "centred", "added_up")


def function_of_it(seen: Seen) -> tuple[str, str] | None:
    """A logarithm, a root, a complement ... of the right value. Returns its name and its sentence."""
    if not seen.shapes_agree or seen.evidence < 1:
        return None
    both = any((r < 0).any() for r in seen.right) and any((r > 0).any() for r in seen.right)
    arrays, whole = all(r.ndim for r in seen.right), all(not np.any(v % 1) for v in (*seen.came, *seen.right))
    for name, turn, words in FUNCTIONS:
        if name == "square" and all((np.abs(r) <= 1).all() and not (r % 1).any() for r in seen.right):
            continue  # of 1 and -1 it is a sign
        if whole and name not in (*OF_SIGNS, "square", "complement", "added_up", "percent_off"):
            continue
        if (
            (name in OF_SIGNS and not both and name != "absolute")
            or (name in OF_ROWS and not arrays)
            or (seen.evidence < 2 and name in (*OF_SIGNS, *OF_ROWS))
        ):
            continue
        try:
            if seen.turned(turn):
                return name, f"Every value is {words}."
        except (ValueError, IndexError):  # an axis that a number does not have
            continue
    return None


def rounded(seen: Seen) -> str | None:
    """Rounded to some decimals, or cut to a whole number."""
    if not seen.shapes_agree:
        return None
    for turn, words in (
        (np.floor, "the right one rounded down"),
        (np.ceil, "the right one rounded up"),
        (np.trunc, "the right one without its decimals"),
    ):
        if _without_slack(seen, turn):
            return f"Every value is {words} to a whole number: do not round (and / divides exactly where // does not)."
    for decimals in range(7):
        if _without_slack(seen, lambda r, d=decimals: np.round(r, d)):
            to = f"{decimals} decimals" if decimals > 1 else "one decimal" if decimals else "a whole number"
            return f"Every value is right but rounded to {to}: return it as it is, and round only for printing."
    return None


def _without_slack(seen: Seen, turn: Callable) -> bool:
    pairs = seen.pairs
    return all(np.isfinite(r).all() and np.allclose(c, turn(r), rtol=1e-6, atol=1e-9) for c, r in pairs)


def offset(seen: Seen) -> str | None:
    """One and the same number added in every case, or a size or a scalar of the inputs."""
    if not seen.shapes_agree or seen.evidence < 2:
        return None
    with np.errstate(all="ignore"):
        gaps = [c - r for c, r in seen.pairs]
    if not all(np.isfinite(g).all() and g.size for g in gaps):
        return None
    if _largest(seen.right) < 1e-3 * _largest(seen.came):
        return None
    each = [float(g.mean()) for g in gaps]
    if not all(seen.same(c, r + e) for c, r, e in zip(seen.came, seen.right, each, strict=True)):
        return None
    if np.allclose(each, each[0], rtol=1e-4, atol=1e-9) and abs(each[0] * 12 - round(each[0] * 12)) < 1e-3:
        size, way = f"{abs(each[0]):.4g}", "large" if each[0] > 0 else "small"
        ask = {
            1.0: "do you count from 1 where it is from 0, or one too many?",
            -1.0: "do you count from 0 where it is from 1, or one too few?",
        }.get(round(each[0], 6), "is something counted once too often, or not at all?")
        if abs(each[0]) <= 2 or any(r.size > 2 for r in seen.right):
            return f"Every value is too {way} by {size}, in all cases: {ask}"
    for name, value in quantities(seen.inputs).items() if seen.evidence >= 3 else ():
        for times, words in ((1, ""), (-1, ""), (2, "twice "), (-2, "twice "), (0.5, "half "), (-0.5, "half ")):
            if np.allclose(each, times * value, rtol=1e-4, atol=1e-9):
                return (
                    f"Every value is too {'large' if times > 0 else 'small'} by {words}{name}: is it added where it is not to be?"
                )
    return None


def _largest(values: list[np.ndarray]) -> float:
    return max(float(np.abs(v).max()) if v.size else 0.0 for v in values)


def rest(seen: Seen) -> str | None:
    """What came and what is right add up to a size, a scalar or a sum of the inputs: the other part of a whole."""
    if not seen.shapes_agree or seen.evidence < 2:
        return None
    if _largest(seen.right) < 1e-3 * _largest(seen.came):
        return None
    for name, value in quantities(seen.inputs).items():
        if all(seen.same(c + r, np.full(r.shape, v)) for c, r, v in zip(seen.came, seen.right, value, strict=True)):
            return f"Every value is {name} minus the right one: you have the other part of the whole."
    return None
