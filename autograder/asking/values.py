"""Plain values: reading what came back as what was expected, and saying how the two differ.

A right answer is right whether it comes as a torch tensor, a NumPy array or nested Python lists, in
float32 or float64, and 8192.0 is as good as 8192. So every output is first brought to one plain form:

    number -> int or float      tensor, array, list of numbers -> numpy array (float64)
    str -> str                  tuple of outputs, one for each expected component -> tuple
    None, True, False -> themselves

Two things stand for what is no value: `Opaque` for what cannot be made plain, `Raised` for an exception.
`read` takes what `coerce` has made of an output, so it meets no object of the student's own. It needs to know what was
expected, because `[1, 2]` may be an array or two components. What cannot be read raises `Unreadable`, whose text is the
sentence the student sees.
"""

from __future__ import annotations

import builtins
import math
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np

RELATIVE_TOLERANCE = 1e-4  # of the largest expected magnitude: far above float32 noise, far below a wrong factor
FLOAT32_TOLERANCE = 1e-7  # what a whole number may lose by passing through float32
MAX_NUMBERS = 1_000_000  # an answer larger than this is not an answer to any exercise of the course


@dataclass(frozen=True)
class Opaque:
    """Something that is no plain data. All that is known of it is what one would call it: `an object of type set`."""

    what: str


@dataclass(frozen=True)
class Raised:
    """An exception where others give a value: the name of its built-in type. Nothing that is returned is read as one."""

    error: str

    def is_a(self, other: Raised) -> bool:
        """Whether an `except` clause for the other one would catch this one."""
        mine, its = (getattr(builtins, name, None) for name in (self.error, other.error))
        return isinstance(mine, type) and isinstance(its, type) and issubclass(mine, its)


class Unreadable(ValueError):
    """The output is not the kind of thing that was asked for; the text says what came instead."""


def plain(value: Any) -> Any:
    """The plain form of a value we made ourselves (an expected output): tensors become float64 arrays."""
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if value is None or isinstance(value, (bool, str, Raised)):
        return value
    if isinstance(value, Real):
        return int(value) if isinstance(value, Integral) else float(value)
    return _array(value)


def read(value: Any, expected: Any) -> Any:
    """Bring a plain `value` to the form of `expected`; raise `Unreadable` with a sentence if it cannot be."""
    if isinstance(expected, Raised):
        came = _short(value) if type(value) in (int, float) else describe(value)
        raise Unreadable(f"expected {describe(expected)} for this input, your function returned {came}")
    if value is None and expected is not None:
        raise Unreadable("your function returned None: does every path end in a return statement?")
    if isinstance(expected, tuple):
        return _components(value, expected)
    if isinstance(expected, bool):
        if getattr(value, "shape", None) == () and str(value.dtype).removeprefix("torch.") == "bool":
            value = bool(value)
        if not isinstance(value, bool):
            raise Unreadable(f"expected True or False, came {describe(value)}")
        return value
    if isinstance(expected, str):
        if not isinstance(value, str):
            raise Unreadable(f"expected a string, came {describe(value)}")
        return value
    if expected is None:
        if value is not None:
            raise Unreadable(f"expected None, came {describe(value)}")
        return value
    if isinstance(expected, (int, float)):
        return _number(value)
    return _array(value)


def _components(value: Any, expected: tuple) -> tuple:
    """One for each expected one. Numbers in an array are numbers in a tuple."""
    if len(getattr(value, "shape", ())) == 1 and all(isinstance(item, (int, float)) for item in expected):
        value = list(value)
    if not isinstance(value, (tuple, list)) or len(value) != len(expected):
        came = f"{len(value)} values" if isinstance(value, (tuple, list)) and len(value) != 1 else describe(value)
        raise Unreadable(f"expected a tuple of {len(expected)} values, came {came}")
    return tuple(read(v, e) for v, e in zip(value, expected, strict=True))


def _number(value: Any) -> int | float:
    if value is None or isinstance(value, (bool, str, dict, Opaque)):
        raise Unreadable(f"expected a number, came {describe(value)}")
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value)
    array = _array(value)
    if array.size != 1:
        raise Unreadable(f"expected one number, came {describe(value)}")
    return float(array.reshape(()))


def _array(value: Any) -> np.ndarray:
    if value is None or isinstance(value, (bool, str, dict)):
        raise Unreadable(f"expected a tensor, came {describe(value)}")
    if isinstance(value, Opaque):
        raise Unreadable(f"expected a tensor of real numbers, came {value.what}")
    if hasattr(value, "detach"):  # a torch tensor: from any device, with or without a graph, bfloat16 too
        value = value.detach().cpu()
        value = value.double().numpy() if value.is_floating_point() else value.numpy()
    if isinstance(value, (list, tuple)):
        value = [item if isinstance(item, bool) else _array(item) for item in value]  # a mask may come as lists
    elif isinstance(value, int):
        value = float(value)  # whole numbers that no integer of NumPy holds
    try:
        array = np.asarray(value)
    except ValueError:
        raise Unreadable(f"expected a tensor, came {describe(value)} that is not a regular block of numbers") from None
    if array.dtype.kind not in "biuf":
        raise Unreadable(f"expected a tensor of real numbers, came {describe(value)} with entries of type {array.dtype}")
    if array.size > MAX_NUMBERS:
        raise Unreadable(f"expected a small tensor, came {array.size:,} numbers")
    return array.astype(np.float64)


def describe(value: Any) -> str:
    """What a plain value is, in a student's words: `a tensor of shape (3, 5)`, `the string 'mlm'`, `None`, `a ValueError`."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return f"the string {value[:40]!r}"
    if isinstance(value, (int, float)):
        return f"the number {_short(value)}"
    if isinstance(value, Opaque):
        return value.what
    if isinstance(value, Raised):
        return f"{'an' if value.error[0] in 'AEIOU' else 'a'} {value.error}"
    if hasattr(value, "shape"):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, (list, tuple, dict)):
        return f"a {type(value).__name__} of {len(value)} item{'' if len(value) == 1 else 's'}"
    return f"an object of type {type(value).__name__}"


def _short(number: float) -> str:
    return str(number) if isinstance(number, int) and abs(number) < 10**15 else f"{float(number):.10g}"


def shape(value: Any) -> Any:
    """The shape of a plain value: a tuple for an array, () for a number, a tuple of shapes for components."""
    if isinstance(value, tuple):
        return tuple(shape(item) for item in value)
    return np.shape(value) if not isinstance(value, (str, Raised)) else ()


def same(value: Any, expected: Any, tolerance: float = RELATIVE_TOLERANCE) -> bool:
    """Whether two plain values agree, to `tolerance` times the largest expected magnitude."""
    return difference(value, expected, tolerance) is None


def difference(value: Any, expected: Any, tolerance: float = RELATIVE_TOLERANCE) -> str | None:
    """None when the two plain values agree, otherwise one sentence that says how they differ."""
    if isinstance(expected, tuple):
        if not isinstance(value, tuple) or len(value) != len(expected):
            return f"expected {len(expected)} values"
        found = [difference(v, e, tolerance) for v, e in zip(value, expected, strict=True)]
        return next((f"value {i + 1}: {text}" for i, text in enumerate(found) if text), None)
    if isinstance(expected, Raised):
        agree = isinstance(value, Raised) and value.is_a(expected)
        return None if agree else f"expected {describe(expected)}, came {describe(value)}"
    if expected is None or isinstance(expected, (bool, str)):
        agree = type(value) is type(expected) and value == expected
        return None if agree else f"came {describe(value)}, which is not the answer"
    if isinstance(value, (str, tuple, Raised)) or value is None:
        return f"expected a number or a tensor, came {describe(value)}"
    if isinstance(expected, int) and isinstance(value, int):
        return None if value == expected else f"came {_short(value)}, which is not the expected value"
    if isinstance(expected, int):
        tolerance = FLOAT32_TOLERANCE  # a count is a count: half a parameter too many is wrong
    if np.shape(value) != np.shape(expected):
        return shape_difference(np.shape(value), np.shape(expected))
    return _numeric_difference(np.asarray(value, float), np.asarray(expected, float), tolerance)


def shape_difference(came: tuple, wanted: tuple) -> str:
    """One sentence on two shapes that differ."""
    if len(wanted) == 2 and came == wanted[::-1]:
        return f"expected shape {wanted}, came {came}: it is transposed"
    return f"expected shape {wanted}, came {came}"


def _numeric_difference(came: np.ndarray, wanted: np.ndarray, tolerance: float) -> str | None:
    if np.isnan(came).any() and not np.array_equal(np.isnan(came), np.isnan(wanted)):
        return "came nan (not a number): look for 0/0, or log or sqrt of a negative number"
    if not np.array_equal(np.isnan(came), np.isnan(wanted)):
        return "came a number where nan (not a number) was expected"
    finite = np.isfinite(wanted)
    if not np.isfinite(came[finite]).all():
        return "came an infinite value where a finite one was expected: look for a division by zero, or exp of a large number"
    if np.isfinite(came[np.isinf(wanted)]).any():
        return "came a finite value where an infinite one was expected"
    if not np.array_equal(came[~finite], wanted[~finite], equal_nan=True):
        return "came an infinite value with the wrong sign"
    if not finite.any():
        return None
    size = float(np.abs(wanted[finite]).max())
    gap = float(np.abs(came[finite] - wanted[finite]).max())
    if gap <= tolerance * size + math.ulp(1.0):
        return None
    if came.size == 1:
        close = "; it is close, so look for a rounding" if gap < 0.01 * size else ""
        return f"came {float(came.reshape(())):.6g}, which is not the expected value{close}"
    return f"right shape, wrong values: off by up to {gap:.3g} where the right values reach {size:.3g}"
