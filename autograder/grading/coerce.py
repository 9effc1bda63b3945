"""Whatever a student's function returned, as plain data. Runs inside the sandbox, beside the student's code.

An object of the student's own class would be looked at by the judge through the student's own methods; plain data has none.
What cannot be made plain leaves only the name of its type. The judge's side checks everything again (see `protocol`).
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import torch

from autograder.grading.protocol import DEPTH_MOST, DTYPES, INTEGER_MOST, opaque
from autograder.values import MAX_NUMBERS

TEXT_MOST = 20_000  # characters of a string
ITEMS_MOST = 200_000  # of a list, or of all lists in it together


def coerce(value: Any) -> Any:
    """The plain form of `value`; never raises."""
    try:
        return _coerce(value, 0, [ITEMS_MOST])
    except Exception:
        return opaque("object")


def _coerce(value: Any, depth: int, left: list[int]) -> Any:
    left[0] -= 1
    if left[0] < 0 or depth > DEPTH_MOST:
        raise ValueError("too much")
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)[:TEXT_MOST]
    if isinstance(value, torch.Tensor):
        return _tensor(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value) if abs(int(value)) < INTEGER_MOST else opaque("int")
    if isinstance(value, Real):
        return float(value)
    if isinstance(value, np.ndarray):
        return _array(value)
    if isinstance(value, tuple):
        return tuple(_coerce(item, depth + 1, left) for item in value)
    if isinstance(value, list):
        return [_coerce(item, depth + 1, left) for item in value]
    if isinstance(value, dict) and all(type(key) is str for key in value):
        return {key: _coerce(item, depth + 1, left) for key, item in value.items()}
    name = type(value).__name__
    return opaque(name[:40] if name.isidentifier() else "object")


def _tensor(value: torch.Tensor) -> Any:
    value = value.detach()
    if value.numel() > MAX_NUMBERS:
        return opaque("Tensor")
    value = (value.to_dense() if value.layout is not torch.strided else value).cpu().resolve_conj().resolve_neg()
    value = value.as_subclass(torch.Tensor)
    return value if value.dtype in DTYPES else opaque(str(value.dtype).split(".")[-1])


def _array(value: np.ndarray) -> Any:
    if value.size > MAX_NUMBERS:
        return opaque("array")
    if value.dtype.kind == "f" and value.dtype.itemsize not in (4, 8):
        value = value.astype(np.float64)
    if value.dtype.kind == "u" and value.dtype.itemsize > 1:
        value = value.astype(np.float64 if value.dtype.itemsize == 8 else np.int64)
    if value.dtype.kind not in "biuf":
        return opaque("array")
    return np.array(value, dtype=value.dtype.newbyteorder("="), order="C", subok=False)
