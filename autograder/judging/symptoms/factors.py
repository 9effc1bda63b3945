"""A factor between what came and what is right: a sign, a number that has a meaning, a size or a scalar of the inputs.

Each symptom is a function from `Seen` to its sentence, or None. A sentence says what is so in every case, and then asks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

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
    (math.pi, "π times", "is π there once too often?"),
    (1 / math.pi, "1/π times", "is π missing?"),
    (math.sqrt(2), "√2 times", "is a 2 under the wrong root?"),
    (1 / math.sqrt(2), "1/√2 times", "is a 2 under the wrong root?"),
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
    said = in_quantities(rate, [seen.inputs[i] for i in rows], seen.tolerance, seen.evidence >= 3)
    return f"Every value is the right one {said[0]}. {said[1]}" if said else None


def in_quantities(rate: np.ndarray, inputs: list[dict], tolerance: float, strong: bool) -> tuple[str, str] | None:
    """Factors, one for each of these inputs, as `divided by the number of rows of x`, and what one may ask then."""
    turned, also = (-rate, ", with the other sign") if (rate < 0).all() else (rate, "")
    if (turned <= 0).any() or np.allclose(rate, 1):
        return None
    known = {name: v for name, v in quantities(inputs).items() if (v > 0).all() and not np.allclose(v, 1, rtol=1e-3)}
    found = []
    for words, asks, value in _monomials(known, strong):
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


def _monomials(known: dict[str, np.ndarray], strong: bool) -> Iterator[tuple[str, str, np.ndarray]]:
    """Words, a question and the factors; those of two quantities only where the evidence is `strong`, for there are many."""
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
            if name.startswith("the number") and "all entries" not in name and (n > 1).all() and strong:
                asks = f"Is it n where n - 1 is asked for, or the other way round, with n {name}?"
                yield f"times n/(n - 1), with n {name}", asks, n / (n - 1)
                yield f"times (n - 1)/n, with n {name}", asks, (n - 1) / n
                yield f"times (n + 1)/n, with n {name}", asks, (n + 1) / n
                yield f"times n/(n + 1), with n {name}", asks, n / (n + 1)
        names = [name for name in known if "all entries" not in name] if strong else []
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
    for came, right in seen.pairs:
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


def common_factor(seen: Seen) -> str | None:
    """In each case one factor for all entries, but none that has a name."""
    rate = _rate(seen)
    if rate is None or seen.evidence < 3 or all(r.size < 3 for r in seen.right):
        return None
    said = ", ".join(f"{r:.4g}" for r in rate[:3]) + (" ..." if len(rate) > 3 else "")
    return f"In each case all your values are the right ones times one factor ({said}): the direction is right, the scale is not."
