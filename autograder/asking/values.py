"""Reading what a student's function returned, as plain data.

A right answer is right whether it comes as a torch tensor, a NumPy array or nested Python lists, in
float32 or float64, and 8192.0 is as good as 8192. So every output is first brought to one plain form:

    number -> int or float      tensor, array, list of numbers -> numpy array (float64)
    str -> str                  tuple of outputs, one for each expected component -> tuple
    None, True, False -> themselves

`read` needs to know what was expected, because `[1, 2]` may be an array or two components. What cannot be read
raises `Unreadable`, whose text is the sentence the student sees.
"""

from __future__ import annotations

import copy
import math
from numbers import Integral, Real
from typing import Any

import numpy as np

RELATIVE_TOLERANCE = 1e-4  # of the largest expected magnitude: far above float32 noise, far below a wrong factor
FLOAT32_TOLERANCE = 1e-7  # what a whole number may lose by passing through float32
MAX_NUMBERS = 1_000_000  # an answer larger than this is not an answer to any exercise of the course


class Unreadable(ValueError):
    """The output is not the kind of thing that was asked for; the text says what came instead."""


def plain(value: Any) -> Any:
    """The plain form of a value we made ourselves (an expected output): tensors become float64 arrays."""
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, Real):
        return int(value) if isinstance(value, Integral) else float(value)
    return _array(value)


def copied(value: Any) -> Any:
    """A copy of plain data that shares nothing with it: what `copy.deepcopy` does, several times faster for tensors."""
    kind = type(value)
    if kind is dict:
        return {key: copied(item) for key, item in value.items()}
    if kind in (list, tuple):
        return kind(copied(item) for item in value)
    if value is None or kind in (bool, int, float, str):
        return value
    if kind is np.ndarray and not value.dtype.hasobject:
        return value.copy()
    if kind.__module__ == "torch" and kind.__name__ == "Tensor" and not value.requires_grad and not value.is_sparse:
        return value.clone()
    return copy.deepcopy(value)


def read(value: Any, expected: Any) -> Any:
    """Bring a student's `value` to the plain form of `expected`; raise `Unreadable` with a sentence if it cannot be."""
    if value is None and expected is not None:
        raise Unreadable("your function returned None: does every path end in a return statement?")
    if isinstance(expected, tuple):
        if len(getattr(value, "shape", ())) == 1 and all(isinstance(item, (int, float)) for item in expected):
            value = list(value)  # numbers in an array are numbers in a tuple
        if not isinstance(value, (tuple, list)) or len(value) != len(expected):
            came = f"{len(value)} values" if isinstance(value, (tuple, list)) else describe(value)
            raise Unreadable(f"expected a tuple of {len(expected)} values, came {came}")
        return tuple(read(v, e) for v, e in zip(value, expected, strict=True))
    if expected is None or isinstance(expected, (bool, str)):
        if type(value) is np.bool_:
            value = bool(value)
        if not isinstance(value, type(expected)):
            raise Unreadable(f"expected {describe(expected)}, came {describe(value)}")
        return value
    if isinstance(expected, (int, float)):
        return _number(value)
    return _array(value)


def _number(value: Any) -> int | float:
    if isinstance(value, (bool, str, complex)):
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
    if isinstance(value, (str, bytes, dict, set)) or callable(value):
        raise Unreadable(f"expected a tensor, came {describe(value)}")
    try:
        if hasattr(value, "detach"):  # a torch tensor: from any device, with or without a graph, bfloat16 too
            value = value.detach().cpu()
            value = value.double().numpy() if value.is_floating_point() else value.numpy()
        elif isinstance(value, (list, tuple)):
            value = [_array(item) for item in value]
        array = np.asarray(value)
    except Unreadable:
        raise
    except Exception:
        raise Unreadable(f"expected a tensor, came {describe(value)} that is not a regular block of numbers") from None
    if array.dtype.kind not in "iuf":
        raise Unreadable(f"expected a tensor of real numbers, came {describe(value)}")
    if array.size > MAX_NUMBERS:
        raise Unreadable(f"expected a small tensor, came {array.size:,} numbers")
    return array.astype(np.float64)


def describe(value: Any) -> str:
    """What a value is, in a student's words: `a tensor of shape (3, 5)`, `the string 'mlm'`, `None`."""
    if value is None or isinstance(value, bool):
        return str(value)
    if isinstance(value, str):
        return f"the string {value[:40]!r}"
    if isinstance(value, (int, float)):
        return f"the number {value:.10g}" if isinstance(value, float) else f"the number {value}"
    if hasattr(value, "shape"):
        return f"a tensor of shape {tuple(value.shape)}"
    if isinstance(value, (list, tuple)):
        return f"a {type(value).__name__} of {len(value)} items"
    return f"an object of type {type(value).__name__}"


def shape(value: Any) -> Any:
    """The shape of a plain value: a tuple for an array, () for a number, a tuple of shapes for components."""
    if isinstance(value, tuple):
        return tuple(shape(item) for item in value)
    return np.shape(value) if not isinstance(value, str) else ()


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
    if expected is None or isinstance(expected, (bool, str)):
        agree = type(value) is type(expected) and value == expected
        return None if agree else f"came {describe(value)}, which is not the answer"
    if isinstance(value, (str, tuple)) or value is None:
        return f"expected a number or a tensor, came {describe(value)}"
    if isinstance(expected, int) and isinstance(value, int):
        return None if value == expected else f"came {value}, which is not the expected value"
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
    finite = np.isfinite(wanted)
    if not np.array_equal(np.isnan(came), np.isnan(wanted)):
        return "came nan (not a number): look for 0/0, or log or sqrt of a negative number"
    if not np.array_equal(came[~finite], wanted[~finite], equal_nan=True) or not np.isfinite(came[finite]).all():
        return "came infinite values where finite ones were expected, or the other way round"
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
