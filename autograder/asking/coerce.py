"""Whatever a student's function returned, as plain data that shares nothing with it.

It runs beside the student's code, in a check and behind the wall alike, so that both judge the same thing. An object of the
student's own class would be looked at by the judge through the student's own methods; plain data has none. What has numbers
in it, and a known way to give them out, is read (a deque, a Decimal, a sparse tensor, anything with `__array__`); what is
left becomes an `Opaque`. The judge's side of the wall checks everything again (see `wire`).
"""

from __future__ import annotations

import array
import types
from collections import deque
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
import torch

from autograder.asking.values import MAX_NUMBERS, Opaque
from autograder.asking.wire import DEPTH_MOST, DTYPES, INTEGER_MOST

ROOM = 200_000  # items of all outputs of one exercise together; with the sizes below, what fits is less than a frame may hold
ITEM_BYTES = 200  # of a tensor: what counts as one item
TEXT_MOST = 20_000  # characters of a string
ITEM_TEXT = 4  # characters (up to 12 bytes each in JSON): what counts as one item
ITEM_BITS = 120  # of a whole number
OPAQUE_ITEMS = 10
LISTS = (list, deque, range, type({}.keys()), type({}.values()))
MUCH = Opaque("more than any answer of this course holds")


class _TooMuch(Exception):
    pass


def coerce(value: Any, room: list[int]) -> Any:
    """The plain form of `value`. Never raises an `Exception`: what cannot be read is `Opaque`.

    `room` is `[ROOM]` for the first output of an exercise; each output takes what it needs of it, and what needs more than
    is left takes nothing and is `Opaque` too.
    """
    left = room[0]
    try:
        return _coerce(value, 0, room)
    except _TooMuch:
        room[0] = left
        return MUCH


def _coerce(value: Any, depth: int, room: list[int]) -> Any:
    _take(1, room)
    if depth > DEPTH_MOST // 2:  # the outputs lie in containers themselves
        raise _TooMuch
    try:
        found = _plain(value, type(value), depth, room)
    except _TooMuch:
        raise
    except Exception:  # its own methods failed
        found = _opaque(type(value))
    _take(OPAQUE_ITEMS if type(found) is Opaque else 0, room)
    return found


def _take(items: int, room: list[int]) -> None:
    if items > room[0]:
        raise _TooMuch
    room[0] -= items


def _plain(value: Any, kind: type, depth: int, room: list[int]) -> Any:
    """By the type alone: `isinstance` would ask the value what it claims to be."""
    if value is None or kind is bool:
        return value
    if issubclass(kind, str):
        text = str.__str__(value)[:TEXT_MOST]
        _take(len(text) // ITEM_TEXT, room)
        return text
    if issubclass(kind, torch.Tensor):
        return _tensor(value, room)
    if kind is np.bool_:
        return bool(value)
    if issubclass(kind, Integral):
        return _integer(int(value), room)
    if issubclass(kind, (Real, Decimal)):
        return float(value)
    if issubclass(kind, tuple):
        return tuple(_coerce(item, depth + 1, room) for item in tuple.__iter__(value))
    if issubclass(kind, list):
        return [_coerce(item, depth + 1, room) for item in list.__iter__(value)]
    if kind in LISTS:
        return [_coerce(item, depth + 1, room) for item in value]
    if issubclass(kind, dict) and all(type(key) is str for key in dict.keys(value)):
        return {_coerce(key, depth + 1, room): _coerce(item, depth + 1, room) for key, item in dict.items(value)}
    if issubclass(kind, np.ndarray):
        return _array(np.ndarray.view(value, np.ndarray), depth, room)
    if kind in (memoryview, array.array) or hasattr(kind, "__array__"):
        return _array(np.asarray(value).view(np.ndarray), depth, room)
    return _opaque(kind)


def _integer(value: int, room: list[int]) -> Any:
    if abs(value) >= INTEGER_MOST:
        return Opaque(f"a whole number of about {int(value.bit_length() * 0.30103) + 1:,} digits")
    _take(value.bit_length() // ITEM_BITS, room)
    return value


def _tensor(value: torch.Tensor, room: list[int]) -> Any:
    with torch._C.DisableTorchFunctionSubclass():  # a subclass may answer everything in its own way
        if value.is_nested:
            return Opaque("a nested tensor")
        if value.numel() > MAX_NUMBERS:
            return _numbers(value.numel())
        if value.dtype not in DTYPES:
            return Opaque(f"a tensor of {str(value.dtype).removeprefix('torch.')} numbers")
        _take(1 + value.numel() * value.element_size() // ITEM_BYTES, room)
        value = value.detach() if value.layout is torch.strided else value.detach().to_dense()
        return value.as_subclass(torch.Tensor).cpu().resolve_neg().clone(memory_format=torch.contiguous_format)


def _array(value: np.ndarray, depth: int, room: list[int]) -> Any:
    if value.size > MAX_NUMBERS:
        return _numbers(value.size)
    if value.dtype.kind in "OU":  # numbers as objects, strings
        return _coerce(value.tolist(), depth + 1, room)
    if value.dtype.kind not in "biuf":
        return Opaque(f"an array of type {value.dtype.name}")
    kind = value.dtype.newbyteorder("=")
    if kind.kind == "u" and kind.itemsize > 1:  # torch has these, and can do little with them
        kind = np.dtype(np.float64 if kind.itemsize == 8 else np.int64)
    if kind.kind == "f" and kind.itemsize > 8:
        kind = np.dtype(np.float64)
    _take(1 + value.size * kind.itemsize // ITEM_BYTES, room)
    return np.array(value, dtype=kind, order="C")


def _numbers(count: int) -> Opaque:
    return Opaque(f"a tensor of {count:,} numbers")


def _opaque(kind: type) -> Opaque:
    if kind in (types.FunctionType, types.BuiltinFunctionType, types.MethodType):
        return Opaque("a function")
    name = type.__getattribute__(kind, "__name__")
    return Opaque(f"an object of type {name[:40]}" if name.isidentifier() else "an object")


__all__ = ["ROOM", "coerce"]
