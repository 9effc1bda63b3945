"""Relations between what came and what is right, number by number: a sign, a factor, a function of it.

Each symptom is a function from `Seen` to its sentence, or None. A sentence says what is so in every case, and then asks.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from autograder.judging.symptoms.quantities import quantities
from autograder.judging.symptoms.seen import Seen

FACTORS = (
    (2.0, "twice", "is there a factor of 2 too many, or a half too few?"),
    (0.5, "half", "is there a half too many, or a factor of 2 too few?"),
    (4.0, "four times", "is a 2 squared, or a 4 too many?"),
    (0.25, "a quarter of", "is a half squared, or a 4 too few?"),
    (3.0, "three times", "is something counted three times?"),
    (1 / 3, "a third of", "is something divided by 3?"),
    (8.0, "eight times", "are these bits where bytes are asked for?"),
    (1 / 8, "an eighth of", "are these bytes where bits are asked for?"),
    (100.0, "100 times", "is it a percentage where a share is asked for?"),
    (0.01, "a hundredth of", "is it a share where a percentage is asked for?"),
    (10.0, "10 times", "is a power of ten wrong?"),
    (0.1, "a tenth of", "is a power of ten wrong?"),
    *((10.0**k, f"10^{k} times", "is it in another unit: thousands, millions, giga?") for k in (3, 6, 9, -3, -6, -9)),
    *(((1000 / 1024) ** k, f"(1000/1024)^{k} times", "does a kilo have 1000 here, or 1024?") for k in (1, 2, 3, -1, -2, -3)),
    (1 / math.log(2), "1/ln 2 times", "is it in bits, where nats (the natural logarithm) are asked for?"),
    (math.log(2), "ln 2 times", "is it in nats, where bits are asked for?"),
    (1 / math.log(10), "1/ln 10 times", "is the logarithm one to base 10?"),
    (math.log(10), "ln 10 times", "is the logarithm a natural one, where base 10 is asked for?"),
    (math.pi, "π times", "is π there once too often?"), (1 / math.pi, "1/π times", "is π missing?"),
    (math.sqrt(2), "√2 times", "is a 2 under the wrong root?"), (1 / math.sqrt(2), "1/√2 times", "is a 2 under the wrong root?"),
)
POWERS = (  # of a size or a scalar of the inputs
    (1.0, "times {0}", "Is {0} multiplied in once too often, or is a division by it missing{1}?"),
    (-1.0, "divided by {0}", "Is there a division by {0} too many{2}, or is the factor missing?"),
    (2.0, "times the square of {0}", "Does {0} stand there twice too often?"),
    (-2.0, "divided by the square of {0}", "Is the square of {0} missing?"),
    (0.5, "times the root of {0}", "Is {0} under a root where it should not be, or the other way round?"),
    (-0.5, "divided by the root of {0}", "Is {0} under a root where it should not be, or the other way round?"),
    (3.0, "times the cube of {0}", "Does {0} stand there three times too often?"),
    (-3.0, "divided by the cube of {0}", "Is the cube of {0} missing?"),
    (4.0, "times the fourth power of {0}", "Was {0} divided by where it is to be multiplied with, squared?"),
    (-4.0, "divided by the fourth power of {0}", "Was {0} divided by where it is to be multiplied with, squared?"),
)


def sign(seen: Seen) -> str | None:
    if seen.evidence >= 1 and seen.turned(np.negative):
        return "Every value is right but for its sign: something is subtracted the other way round, or a minus is missing."
    return None


def factor(seen: Seen) -> str | None:
    """One constant factor in all cases, one of those that have a meaning."""
    rate = _rate(seen)
    if rate is None or not np.allclose(rate, rate[0], rtol=1e-3):
        return None
    for value, words, asks in FACTORS:
        for turn, also in ((value, ""), (-value, ", with the other sign")):
            if seen.turned(lambda r, turn=turn: turn * r):
                return f"Every value is {words} the right one{also}: {asks}"
    return None


def by_a_quantity(seen: Seen) -> str | None:
    """A factor that is a size or a scalar of the inputs, a power of one, or the quotient or product of two."""
    rate = _rate(seen)
    if rate is None or seen.evidence < 2:
        return None
    rows = [i for i, r in enumerate(seen.right) if np.abs(r).max(initial=0) > 0]
    said = in_quantities(rate, [seen.inputs[i] for i in rows], seen.tolerance)
    return f"Every value is the right one {said[0]}. {said[1]}" if said else None


def in_quantities(rate: np.ndarray, inputs: list[dict], tolerance: float) -> tuple[str, str] | None:
    """Factors, one for each of these inputs, as `divided by the number of rows of x`, and what one may ask then."""
    turned, also = (-rate, ", with the other sign") if (rate < 0).all() else (rate, "")
    if (turned <= 0).any() or np.allclose(rate, 1):
        return None
    known = {name: v for name, v in quantities(inputs).items() if (v > 0).all() and not np.allclose(v, 1, rtol=1e-3)}
    found = []
    for words, asks, value in _monomials(known):
        if np.allclose(value, turned, rtol=max(1e-5, 2 * tolerance)) and not np.allclose(value, 1):
            found.append((words, asks))
    if not found:
        return None
    (words, asks), others = found[0], found[1:2]
    also += f" (or {others[0][0]}: these cases cannot tell)" if others else ""
    return f"{words}{also}", asks


def in_a_word(rate: np.ndarray) -> tuple[str, str] | None:
    """One constant factor as `twice`, and what one may ask then."""
    for value, words, asks in FACTORS:
        for turn, also in ((value, ""), (-value, ", with the other sign")):
            if np.allclose(rate, turn, rtol=1e-4):
                return f"{words} the right one{also}", asks
    return None


def _monomials(known: dict[str, np.ndarray]):
    with np.errstate(all="ignore"):
        for power, words, asks in POWERS:
            for name, value in known.items():
                is_size = name.startswith("the number")
                if is_size and "all entries" in name and abs(power) != 1:
                    continue
                sizes = (" (a sum where a mean is asked for)", " (a mean where a sum is asked for)") if is_size else ("", "")
                yield words.format(name), asks.format(name, *sizes), value**power
                if abs(power) == 1:
                    yield f"{words.format(name)} and doubled", asks.format(name, "", ""), 2 * value**power
                    yield f"{words.format(name)} and halved", asks.format(name, "", ""), value**power / 2
        for name, n in known.items():
            if name.startswith("the number") and (n > 1).all():
                asks = f"Is it n where n - 1 is asked for, or the other way round, with n {name}?"
                yield f"times n/(n - 1), with n {name}", asks, n / (n - 1)
                yield f"times (n - 1)/n, with n {name}", asks, (n - 1) / n
                yield f"times (n + 1)/n, with n {name}", asks, (n + 1) / n
                yield f"times n/(n + 1), with n {name}", asks, n / (n + 1)
        names = [name for name in known if "all entries" not in name]
        for i, one in enumerate(names):
            for other in names[i + 1 :]:
                a, b = known[one], known[other]
                swap = "Is one of the two taken for the other?"
                yield f"times {one} and divided by {other}", swap, a / b
                yield f"times {other} and divided by {one}", swap, b / a
                both = "Do both belong there?"
                yield f"times {one} and {other}", both, a * b
                yield f"divided by {one} and {other}", both, 1 / (a * b)
                yield f"times the square of {one} / {other}", swap, (a / b) ** 2
                yield f"times the square of {other} / {one}", swap, (b / a) ** 2


def _rate(seen: Seen) -> np.ndarray | None:
    """For each case with a right value that is not all zero, the factor that what came is of it; None where there is no such."""
    if not seen.shapes_agree:
        return None
    rates = []
    for came, right in zip(seen.came, seen.right, strict=True):
        if not np.isfinite(came).all() or not np.isfinite(right).all():
            return None
        square = float((right * right).sum())
        if square == 0:
            if np.abs(came).max(initial=0) > 1e-9:
                return None
            continue
        rate = float((came * right).sum()) / square
        if not seen.same(came, rate * right) or rate == 0:
            return None
        rates.append(rate)
    return np.array(rates) if rates else None


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
    ("cut_at_zero", lambda r: np.maximum(r, 0), "right where the right one is positive, and 0 where it is negative: nothing is to be "
     "cut off at 0"),
    ("cut_above_zero", lambda r: np.minimum(r, 0), "right where the right one is negative, and 0 where it is positive"),
    ("cut_to_share", lambda r: np.clip(r, 0, 1), "right between 0 and 1 and cut off outside: nothing is to be cut off"),
    ("cosine_to_angle", np.arccos, "the angle (arccos) to the right cosine: asked is the cosine"),
    ("softmax", _softmax, "a softmax of the right ones: one softmax too many"),
    ("log_softmax", lambda r: np.log(_softmax(r)), "a log-softmax of the right ones: one too many"),
    ("sigmoid", lambda r: 1 / (1 + np.exp(-r)), "the sigmoid of the right one: one sigmoid too many"),
    ("logit", lambda r: np.log(r / (1 - r)), "the log-odds of the right one: a sigmoid is missing"),
    ("sums_to_one", lambda r: r / r.sum(-1, keepdims=True), "right but divided by the sum along the last axis, so that it is 1: "
     "nothing is to be normalised"),
    ("largest_is_one", lambda r: r / r.max(-1, keepdims=True), "right but divided by the largest one, which is now 1: asked is "
     "something else, so divide by the sum, or by nothing"),
    ("length_is_one", lambda r: r / np.linalg.norm(r, axis=-1, keepdims=True), "right but scaled to length 1"),
    ("length_is_one", lambda r: r / np.linalg.norm(r), "right but scaled to length 1"),
    ("centred", lambda r: r - r.mean(-1, keepdims=True), "right but without its mean along the last axis: no mean is to be taken off"),
    ("centred", lambda r: r - r.mean(0, keepdims=True), "right but without its mean along the first axis: no mean is to be taken off"),
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
        if whole and name not in (*OF_SIGNS, "square", "complement", "added_up", "percent_off"):
            continue
        if (name in OF_SIGNS and not both and name != "absolute") or (name in OF_ROWS and not arrays) or \
                (seen.evidence < 2 and name in (*OF_SIGNS, *OF_ROWS)):
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
    for turn, words in ((np.floor, "the right one rounded down"), (np.ceil, "the right one rounded up"),
                        (np.trunc, "the right one without its decimals")):
        if _without_slack(seen, turn):
            return f"Every value is {words} to a whole number: do not round (and / divides exactly where // does not)."
    for decimals in range(7):
        if _without_slack(seen, lambda r, d=decimals: np.round(r, d)):
            to = f"{decimals} decimals" if decimals > 1 else "one decimal" if decimals else "a whole number"
            return f"Every value is right but rounded to {to}: return it as it is, and round only for printing."
    return None


def _without_slack(seen: Seen, turn: Callable) -> bool:
    pairs = zip(seen.came, seen.right, strict=True)
    return all(np.isfinite(r).all() and np.allclose(c, turn(r), rtol=1e-6, atol=1e-9) for c, r in pairs)


def offset(seen: Seen) -> str | None:
    """One and the same number added in every case, or a size or a scalar of the inputs."""
    if not seen.shapes_agree or seen.evidence < 2:
        return None
    with np.errstate(all="ignore"):
        gaps = [c - r for c, r in zip(seen.came, seen.right, strict=True)]
    if not all(np.isfinite(g).all() and g.size for g in gaps):
        return None
    if _largest(seen.right) < 1e-3 * _largest(seen.came):
        return None
    each = [float(g.mean()) for g in gaps]
    if not all(seen.same(c, r + e) for c, r, e in zip(seen.came, seen.right, each, strict=True)):
        return None
    if np.allclose(each, each[0], rtol=1e-4, atol=1e-9) and abs(each[0] * 12 - round(each[0] * 12)) < 1e-3:
        size, way = f"{abs(each[0]):.4g}", "large" if each[0] > 0 else "small"
        ask = {1.0: "do you count from 1 where it is from 0, or one too many?",
               -1.0: "do you count from 0 where it is from 1, or one too few?"}.get(
                   round(each[0], 6), "is something counted once too often, or not at all?")
        if abs(each[0]) <= 2 or any(r.size > 2 for r in seen.right):
            return f"Every value is too {way} by {size}, in all cases: {ask}"
    for name, value in quantities(seen.inputs).items() if seen.evidence >= 3 else ():
        for times, words in ((1, ""), (-1, ""), (2, "twice "), (-2, "twice "), (0.5, "half "), (-0.5, "half ")):
            if np.allclose(each, times * value, rtol=1e-4, atol=1e-9):
                return f"Every value is too {'large' if times > 0 else 'small'} by {words}{name}: is it added where it is not to be?"
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


def common_factor(seen: Seen) -> str | None:
    """In each case one factor for all entries, but none that has a name."""
    rate = _rate(seen)
    if rate is None or seen.evidence < 3 or all(r.size < 3 for r in seen.right):
        return None
    said = ", ".join(f"{r:.4g}" for r in rate[:3])
    return f"In each case all your values are the right ones times one factor ({said}{' ...' if len(rate) > 3 else ''}): the direction is " \
           "right, and the scale is not."
