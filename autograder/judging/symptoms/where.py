"""Where it is wrong: which rows, which entries, which inputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from autograder.judging.symptoms.quantities import quantities
from autograder.judging.symptoms.seen import TINY, Seen, numbers

FEW = 4  # cases: among more of them, one that is wrong has too many ways to be different
LARGE = 50.0  # exp of it, summed and squared, is beyond float32


def entries(seen: Seen) -> str | None:
    """Right everywhere but at one kind of place, which is the same in every case."""
    wrong = wrong_entries(seen)
    if wrong is None:
        return None
    best: tuple[int, str] | None = None
    masks = [dict(_places(r, case)) for r, case in zip(seen.right, seen.inputs, strict=True)]
    for words in masks[0]:
        if not all(words in m for m in masks):
            continue
        inside = all(not (w & ~m[words]).any() for w, m in zip(wrong, masks, strict=True))
        size, all_of_them = sum(int(m[words].sum()) for m in masks), sum(w.size for w in wrong)
        telling = all_of_them - size >= max(4, 0.25 * all_of_them) and sum(int(w.sum()) for w in wrong) >= 0.5 * size
        if inside and telling:
            best = min(best or (size, words), (size, words), key=lambda pair: pair[0])
    return f"Your values are right everywhere but {best[1]}: look at what happens there." if best else None


def cases(seen: Seen) -> str | None:
    """Right in some cases and wrong in others, and one thing about the inputs tells which."""
    if all(seen.wrong) or not any(seen.wrong) or (sum(seen.wrong) < 2 and len(seen.wrong) > FEW):
        return None
    found = [words for words, holds in _conditions(seen) if holds == seen.wrong]
    if not found:
        return None
    other = [words for words in found[1:] if words.split(" is ")[0] != found[0].split(" is ")[0]]
    if len({words.split(" is ")[0] for words in other}) > 1:
        return None  # so many that it says nothing
    also = f" (or where {other[0]}: these cases cannot tell)" if other else ""
    return f"Your values are wrong in exactly those cases where {found[0]}{also}, and right in the others."


def wrong_entries(seen: Seen) -> list[np.ndarray] | None:
    """Which entries are wrong, case by case; None where none of them, or all, are."""
    if not seen.shapes_agree or not all(r.ndim for r in seen.right) or not seen.evidence:
        return None
    with np.errstate(all="ignore"):
        out = []
        for c, r in seen.pairs:
            finite = r[np.isfinite(r)]
            size = float(np.abs(finite).max()) if finite.size else 0.0
            out.append(~((np.abs(c - r) <= seen.tolerance * size + TINY) | (c == r)))
    return out if any((~w).any() for w in out if w.any()) else None


def _places(right: np.ndarray, inputs: dict[str, Any]) -> Iterator[tuple[str, np.ndarray]]:
    """Words for a kind of place, and a mask of it."""
    rows = np.arange(right.shape[0]).reshape(-1, *[1] * (right.ndim - 1)) + np.zeros(right.shape, int)
    unit = "row" if right.ndim > 1 else "entry"
    for index, n in ((rows, right.shape[0]), *([(np.indices(right.shape)[-1], right.shape[-1])] if right.ndim > 1 else [])):
        word = unit if index is rows else "column"
        yield f"in the first {word}", index == 0
        yield f"in the last {word}", index == n - 1
        yield f"after the first {word}", index > 0
        yield f"before the last {word}", index < n - 1
    if right.ndim > 1 and right.shape[-1] == right.shape[-2]:
        i, j = np.indices(right.shape)[-2:]
        yield "on the diagonal", i == j
        yield "off the diagonal", i != j
        yield "above the diagonal", i < j
        yield "below the diagonal", i > j
    yield "where the right value is 0", right == 0
    yield "where the right value is not 0", right != 0
    yield "where the right value is negative", right < 0
    yield "where the right value is positive", right > 0
    yield "at the largest value of each row", right == right.max(-1, keepdims=True)
    yield "at the smallest value of each row", right == right.min(-1, keepdims=True)
    for name, value in inputs.items():
        a = numbers(value)
        if a is None or not a.ndim or a.shape != right.shape[: a.ndim]:
            continue
        a = a.reshape(*a.shape, *[1] * (right.ndim - a.ndim)) + np.zeros(right.shape)
        for number in (0.0, 1.0, -100.0):
            if (a == number).any():
                yield f"where {name} is {number:g}", a == number
        if (a < 0).any() and (a == np.round(a)).all() is np.False_:
            yield f"where {name} is negative", a < 0
            yield f"where {name} is positive", a > 0


def _conditions(seen: Seen) -> Iterator[tuple[str, list[bool]]]:
    """Words for what tells cases apart, and in which cases it holds."""
    known = {n: np.round(v, 9) for n, v in quantities(seen.inputs).items() if not n.startswith("the sum")}
    for name, values in known.items():
        is_size = name.startswith("the number")
        for words, holds in (
            ("is not 1", values != 1),
            ("is 1", values == 1),
            *(
                ()
                if is_size
                else (
                    ("is not 0", values != 0),
                    ("is 0", values == 0),
                    ("is negative", values < 0),
                    ("is above 1", values > 1),
                    ("is below 1", values < 1),
                    ("is not a whole number", values != np.round(values)),
                )
            ),
        ):
            yield f"{name} {words}", list(map(bool, holds))
    names = list(known)
    counted = {
        name: name.startswith("the number") or any(isinstance(case.get(name), int) for case in seen.inputs) for name in names
    }
    for i, one in enumerate(names):
        for other in names[i + 1 :]:
            a, b = known[one], known[other]
            if counted[one] != counted[other]:
                continue
            yield f"{one} differs from {other}", list(map(bool, a != b))
            yield f"{one} is {other}", list(map(bool, a == b))
            if one.startswith("the number") and other.startswith("the number"):
                continue
            yield f"{one} is below {other}", list(map(bool, a < b))
            yield f"{one} is above {other}", list(map(bool, a > b))
            yield f"{one} is at least {other}", list(map(bool, a >= b))
            yield f"{one} is at most {other}", list(map(bool, a <= b))
    arrays = [{n: a for n, v in case.items() if (a := numbers(v)) is not None and a.ndim and a.size} for case in seen.inputs]
    for name in arrays[0] if arrays else ():
        if not all(name in case for case in arrays):
            continue
        these = [case[name] for case in arrays]
        for words, test in (
            ("contains a 0", lambda a: bool((a == 0).any())),
            ("contains -100", lambda a: bool((a == -100).any())),
            ("is 0 throughout", lambda a: not a.any()),
            ("has a negative entry", lambda a: bool((a < 0).any())),
            ("has large entries", lambda a: bool(np.abs(a).max() > LARGE)),
            ("has three axes", lambda a: a.ndim == 3),
            ("is square", lambda a: a.ndim >= 2 and a.shape[-1] == a.shape[-2]),
            ("is not square", lambda a: a.ndim >= 2 and a.shape[-1] != a.shape[-2]),
            ("has more rows than columns", lambda a: a.ndim == 2 and a.shape[0] > a.shape[1]),
            ("has more columns than rows", lambda a: a.ndim == 2 and a.shape[0] < a.shape[1]),
        ):
            yield f"{name} {words}", [test(a) for a in these]
