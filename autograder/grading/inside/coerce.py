"""Whatever a student's function returned, as plain data. Runs inside the sandbox, beside the student's code.

An object of the student's own class would be looked at by the judge through the student's own methods; plain data has none.
What cannot be made plain leaves only the name of its type. The judge's side checks everything again (see `protocol`).
"""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import torch

from autograder.asking.values import MAX_NUMBERS
from autograder.asking.wire import DEPTH_MOST, DTYPES, INTEGER_MOST, opaque

TEXT_MOST = 20_000  # characters of a string
ITEMS_MOST = 200_000  # of a list and all lists in it, of one case


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
    with torch._C.DisableTorchFunctionSubclass():  # a subclass may answer everything in its own way
        if value.numel() > MAX_NUMBERS or value.dtype not in DTYPES:
            return opaque("Tensor")
        value = value.detach() if value.layout is torch.strided else value.detach().to_dense()
        return value.as_subclass(torch.Tensor).cpu().resolve_neg().contiguous()


def _array(value: np.ndarray) -> Any:
    value = np.ndarray.view(value, np.ndarray)
    if value.size > MAX_NUMBERS or value.dtype.kind not in "biuf":
        return opaque("ndarray")
    kind = value.dtype.newbyteorder("=")
    if kind.kind == "u" and kind.itemsize > 1:  # torch has these, and can do little with them
        kind = np.dtype(np.float64 if kind.itemsize == 8 else np.int64)
    if kind.kind == "f" and kind.itemsize > 8:
        kind = np.dtype(np.float64)
    return np.array(value, dtype=kind, order="C")
