"""What cannot be, whatever the inputs are: nan, a value where there is none, rows that do not sum to what they should."""

from __future__ import annotations

from typing import Any

import numpy as np

from autograder.judging.symptoms.seen import TINY, Seen, numbers

LARGE = 50.0  # exp of it, summed and squared, is beyond float32


def not_zero(seen: Seen) -> str | None:
    """Something else than 0 where the right value is exactly 0, as at what is masked."""
    return _zeros(
        seen,
        lambda c, r: (r == 0) & (np.abs(c) > 1e-6),
        "The right value is exactly 0 in some places where yours is not, such as {0}: is something not masked that should be?",
    )


def zero(seen: Seen) -> str | None:
    """0 where the right value is not, or nan."""
    return _zeros(
        seen,
        lambda c, r: (np.abs(c) < TINY) & (np.abs(r) > 1e-6),
        "Your value is 0 in some places where the right one is not, such as {0}: is something masked or left out that belongs?",
    )


def not_a_number(seen: Seen) -> str | None:
    """nan or infinity, and whether large inputs explain it."""
    if not seen.shapes_agree:
        return None
    bad = [not np.isfinite(c[np.isfinite(r)]).all() for c, r in seen.pairs]
    if not any(bad):
        return None
    large = [
        max((float(np.abs(a).max()) for v in case.values() if (a := numbers(v)) is not None and a.size), default=0.0) > LARGE
        for case in seen.inputs
    ]
    if bad == large or (any(large) and all(b <= big for b, big in zip(bad, large, strict=True))):
        return (
            "Where the inputs are large your values are nan or infinite: exp of a large number overflows. Subtract the largest "
            "first (softmax does not change), or use log_softmax or logsumexp."
        )
    empty = any(
        not numbers(v).any()
        for case, b in zip(seen.inputs, bad, strict=True)
        if b  # type: ignore[union-attr]
        for v in case.values()
        if numbers(v) is not None
    )
    if empty:
        return (
            "Where an input is 0 your values are nan or infinite: there is a division by 0, a log of 0, or 0 times infinity. "
            "Say what the result is there before you divide."
        )
    pairs = [(c, r) for c, r, b in zip(seen.came, seen.right, bad, strict=True) if b]
    if all(np.isneginf(c).any() and np.array_equal(np.isneginf(c), r == 0) for c, r in pairs):
        return "You return -inf where 0 is asked for: these are masked scores, or logarithms. Take the softmax (or exp) of them."
    dead = [c for c, _ in pairs if c.ndim >= 2 and np.isnan(c).all(-1).any() and not np.isnan(c).all()]
    if dead:
        row = int(np.argwhere(np.isnan(dead[0]).all(-1))[0][-1])
        return f"Row {row} is nan throughout: a softmax (or a mean) over nothing, where everything was masked, or 0/0."
    return None


def cannot_be(seen: Seen) -> str | None:
    """A sum, a sign or a range that every right output keeps, and this one does not."""
    if not seen.shapes_agree:
        return None
    pairs = seen.pairs
    rows = [(c, r) for c, r in pairs if r.ndim and r.shape[-1] > 1]
    for total in (1.0, 0.0):
        if rows and all(np.allclose(r.sum(-1), total, atol=1e-4) and np.abs(r).max() > 1e-6 for _, r in rows):
            worst = max((float(np.abs(c.sum(-1) - total).max()), i) for i, (c, _) in enumerate(rows))
            if worst[0] > 1e-2:
                sums = rows[worst[1]][0].sum(-1)
                reach = float(np.ravel(sums)[np.abs(np.ravel(sums) - total).argmax()])
                what, do = ("Each row has", "does") if rows[0][1].ndim > 1 else ("The values have", "do")
                return f"{what} to sum to {total:g}, and yours {do} not: one sum is {reach:.3g}."
    every, came = np.concatenate([r.ravel() for _, r in pairs]), np.concatenate([c.ravel() for c, _ in pairs])
    if every.size >= 3 and np.isfinite(every).all() and np.isfinite(came).all():
        if every.min() >= 0 and came.min() < -1e-6 * max(1.0, every.max()):
            return f"No right value is negative here, and you return {came.min():.3g}: is a difference the other way round?"
        if every.min() >= -1 and every.max() <= 1 and np.ptp(every) > 0.01 and np.abs(came).max() > 1.001 and np.any(every % 1):
            return (
                f"All right values lie between {'0 and 1' if every.min() >= 0 else '-1 and 1'} in these cases, and you return "
                f"{came[np.abs(came).argmax()]:.4g}: look at the size first."
            )
    return None


def _zeros(seen: Seen, where: Any, says: str) -> str | None:
    if not seen.shapes_agree or seen.evidence < 2:
        return None
    found = [where(c, r) for c, r in seen.pairs]
    sparse = [r for r in seen.right if r.size > 2 and r.ndim and 0 < (r == 0).sum() < r.size]
    if not sparse and where(np.zeros(1), np.ones(1))[0] is np.False_:
        return None
    hits = [f for f, r, w in zip(found, seen.right, seen.wrong, strict=True) if w and r.ndim and r.size > 2]
    if not hits or not all(f.any() for f in hits if f.size):
        return None
    place = tuple(int(k) for k in np.argwhere(hits[0])[0])
    return says.format(_at(place))


def _at(place: tuple[int, ...]) -> str:
    if len(place) == 1:
        return f"entry {place[0]}"
    row, column = place[-2:]
    side = "on" if row == column else "above" if column > row else "below"
    return f"row {row}, column {column} ({side} the diagonal)"
