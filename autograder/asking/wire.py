"""What crosses the wall: frames of plain data, bounded, and never pickle.

A frame is a small fixed head, JSON for the structure, and safetensors for the numbers:

    b"FTC1"  length of the JSON (4 bytes)  length of the safetensors (4 bytes)  JSON  safetensors

Plain data is None, bool, int, float, str, list, tuple, dict with string keys, torch tensor, NumPy array. In the JSON each
container that JSON has no name for becomes an object with one key: {"tuple": [...]}, {"dict": {...}}, {"tensor": "0"},
{"array": "0"}, {"opaque": "set"}. The last stands for something that is no plain data: the other side gets an object of
that type's name, about which nothing else is known.

Whoever decodes trusts nothing: every frame that is not exactly this raises `Malformed`, before much memory was spent on it.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors

MAGIC = b"FTC1"
JSON_MOST = 16_000_000  # bytes
TENSORS_MOST = 64_000_000  # bytes
DEPTH_MOST = 40  # containers in containers
ITEMS_MOST = 300_000  # in all containers of a frame together
INTEGER_MOST = 2**1000  # what still fits into a float
NAME_MOST = 60  # characters of the type's name of an opaque thing
DTYPES = {
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.float16, torch.bfloat16, torch.float32, torch.float64,
}
_HEAD = struct.Struct("!4sII")


class Malformed(ValueError):
    """What came is not a frame of this protocol, or is larger than a frame may be."""


def opaque(name: str) -> Any:
    """An object about which nothing is known but the name of its type."""
    return type(name, (), {})()


def encode(value: Any) -> bytes:
    """One frame. Raises `Malformed` for what is not plain data, or too much of it."""
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(_pack(value, tensors, 0)).encode()
    blob = to_safetensors(tensors) if tensors else b""
    if len(text) > JSON_MOST or len(blob) > TENSORS_MOST:
        raise Malformed(f"{len(text):,} + {len(blob):,} bytes are too many for one frame")
    return _HEAD.pack(MAGIC, len(text), len(blob)) + text + blob


def lengths(head: bytes) -> tuple[int, int]:
    """The lengths of the two parts that follow a head of `HEAD_SIZE` bytes."""
    if len(head) != _HEAD.size:
        raise Malformed("a frame is cut off")
    magic, text, blob = _HEAD.unpack(head)
    if magic != MAGIC:
        raise Malformed("this is not a frame")
    if text > JSON_MOST or blob > TENSORS_MOST:
        raise Malformed(f"a frame of {text:,} + {blob:,} bytes is too large")
    return text, blob


HEAD_SIZE = _HEAD.size


def decode(text: bytes, blob: bytes) -> Any:
    """The value of a frame. Raises `Malformed`, and nothing else, for anything that `encode` does not make."""
    try:
        tree = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Malformed(f"not JSON: {error}") from None
    try:
        tensors = from_safetensors(blob) if blob else {}
    except Exception as error:  # safetensors meets a broken file with several kinds of exceptions
        raise Malformed(f"not safetensors: {error}") from None
    if any(tensor.dtype not in DTYPES for tensor in tensors.values()):
        raise Malformed("a tensor of a type that does not travel")
    return _unpack(tree, tensors, 0, [ITEMS_MOST])


def _pack(value: Any, tensors: dict[str, torch.Tensor], depth: int) -> Any:
    if depth > DEPTH_MOST:
        raise Malformed("too deep")
    kind = type(value)
    if value is None or kind in (bool, float, str):
        return value
    if kind is int:
        if abs(value) >= INTEGER_MOST:
            raise Malformed("a whole number that is too large to travel")
        return value
    if kind is list:
        return [_pack(item, tensors, depth + 1) for item in value]
    if kind is tuple:
        return {"tuple": [_pack(item, tensors, depth + 1) for item in value]}
    if kind is dict:
        if any(type(key) is not str for key in value):
            raise Malformed("a dictionary with a key that is not a string")
        return {"dict": {key: _pack(item, tensors, depth + 1) for key, item in value.items()}}
    if isinstance(value, (torch.Tensor, np.ndarray)):
        if isinstance(value, np.ndarray) and value.dtype.kind not in "biuf":
            raise Malformed(f"an array of {value.dtype} does not travel")
        tensor = torch.as_tensor(np.array(value, order="C") if isinstance(value, np.ndarray) else value).detach()
        if tensor.dtype not in DTYPES:
            raise Malformed(f"a tensor of {tensor.dtype} does not travel")
        name = str(len(tensors))
        tensors[name] = tensor.contiguous().clone()
        return {"tensor" if isinstance(value, torch.Tensor) else "array": name}
    if kind.__module__ == opaque.__module__:
        return {"opaque": kind.__name__[:NAME_MOST]}
    raise Malformed(f"{kind.__name__} is not plain data")


def _unpack(value: Any, tensors: dict[str, torch.Tensor], depth: int, left: list[int]) -> Any:
    left[0] -= 1
    if depth > DEPTH_MOST or left[0] < 0:
        raise Malformed("too deep, or too much")
    if isinstance(value, list):
        return [_unpack(item, tensors, depth + 1, left) for item in value]
    if not isinstance(value, dict):
        if type(value) is int and abs(value) >= INTEGER_MOST:
            raise Malformed("a whole number that is too large to travel")
        return value
    if len(value) != 1:
        raise Malformed("an object without a kind")
    ((kind, inside),) = value.items()
    if kind == "tuple" and isinstance(inside, list):
        return tuple(_unpack(item, tensors, depth + 1, left) for item in inside)
    if kind == "dict" and isinstance(inside, dict):
        return {key: _unpack(item, tensors, depth + 1, left) for key, item in inside.items()}
    if kind in ("tensor", "array") and isinstance(inside, str) and inside in tensors:
        return tensors[inside] if kind == "tensor" else _array(tensors[inside])
    if kind == "opaque" and isinstance(inside, str) and inside.isidentifier() and len(inside) <= NAME_MOST:
        return opaque(inside)
    raise Malformed("an object of an unknown kind")


def _array(tensor: torch.Tensor) -> np.ndarray:
    if tensor.dtype is torch.bfloat16:
        raise Malformed("NumPy has no bfloat16")
    return tensor.numpy()


__all__ = ["Malformed", "decode", "encode", "opaque"]
