"""What crosses the wall: frames of plain data, bounded, and never pickle.

A frame is a small fixed head, JSON for the structure, and safetensors for the numbers:

    b"FTC1"  length of the JSON (4 bytes)  length of the safetensors (4 bytes)  JSON  safetensors

Plain data is None, bool, int, float, str, list, tuple, dict with string keys, torch tensor, NumPy array. In the JSON each
thing that JSON has no name for becomes an object with one key: {"tuple": [...]}, {"dict": {...}}, {"tensor": "0"},
{"array": "0"}, {"opaque": "an object of type set"}, {"raised": "ValueError"}. The last two are `Opaque` and `Raised` of
`values`. `pack` and `unpack` also serve what lies on a disk.

Whoever decodes trusts nothing: every frame that is not exactly this raises `Malformed`, before much memory was spent on it.
What encodes also decodes: both sides count the same items against the same limits.
"""

from __future__ import annotations

import json
import struct
from typing import Any

import numpy as np
import torch
from safetensors.torch import load as from_safetensors
from safetensors.torch import save as to_safetensors

from autograder.asking.values import Opaque, Raised

MAGIC = b"FTC1"
JSON_MOST = 16_000_000  # bytes
TENSORS_MOST = 64_000_000  # bytes
DEPTH_MOST = 40  # containers in containers
ITEMS_MOST = 300_000  # in all containers of a frame together
INTEGER_MOST = 2**1000  # what still fits into a float
NAME_MOST = 80  # characters of what an opaque thing is, or of an exception's name
DTYPES = {
    torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64,
    torch.float16, torch.bfloat16, torch.float32, torch.float64,
}
_HEAD = struct.Struct("!4sII")


class Malformed(ValueError):
    """What came is not a frame of this protocol, or is larger than a frame may be."""


def encode(value: Any) -> bytes:
    """One frame. Raises `Malformed` for what is not plain data, or too much of it."""
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(pack(value, tensors)).encode()
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
    return unpack(tree, tensors)


def pack(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """What JSON can say of `value`; tensors and arrays move to `tensors` and leave their name behind. Raises `Malformed`."""
    return _pack(value, tensors, 0, [ITEMS_MOST])


def unpack(tree: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """The value that `pack` made `tree` and `tensors` of. Raises `Malformed` for anything else."""
    if any(tensor.dtype not in DTYPES for tensor in tensors.values()):
        raise Malformed("a tensor of a type that does not travel")
    return _unpack(tree, tensors, 0, [ITEMS_MOST])


def _count(depth: int, left: list[int]) -> None:
    """Count one more item, on either side."""
    left[0] -= 1
    if depth > DEPTH_MOST or left[0] < 0:
        raise Malformed(f"more than {DEPTH_MOST} containers in each other, or more than {ITEMS_MOST:,} items")


def _pack(value: Any, tensors: dict[str, torch.Tensor], depth: int, left: list[int]) -> Any:
    _count(depth, left)
    kind = type(value)
    if value is None or kind in (bool, float, str):
        return value
    if kind is int:
        return _int(value)
    if kind is list:
        return [_pack(item, tensors, depth + 1, left) for item in value]
    if kind is tuple:
        return {"tuple": [_pack(item, tensors, depth + 1, left) for item in value]}
    if kind is dict:
        if any(type(key) is not str for key in value):
            raise Malformed("a dictionary with a key that is not a string")
        return {"dict": {key: _pack(item, tensors, depth + 1, left) for key, item in value.items()}}
    if isinstance(value, (torch.Tensor, np.ndarray)):
        name = str(len(tensors))
        tensors[name] = _tensor(value)
        return {"tensor" if isinstance(value, torch.Tensor) else "array": name}
    if kind is Opaque:
        return {"opaque": _name(value.what)}
    if kind is Raised:
        return {"raised": _name(value.error)}
    raise Malformed(f"{kind.__name__} is not plain data")


def _unpack(value: Any, tensors: dict[str, torch.Tensor], depth: int, left: list[int]) -> Any:
    _count(depth, left)
    if isinstance(value, list):
        return [_unpack(item, tensors, depth + 1, left) for item in value]
    if not isinstance(value, dict):
        return _int(value) if type(value) is int else value
    if len(value) != 1:
        raise Malformed("an object without a kind")
    ((kind, inside),) = value.items()
    if kind == "tuple" and isinstance(inside, list):
        return tuple(_unpack(item, tensors, depth + 1, left) for item in inside)
    if kind == "dict" and isinstance(inside, dict):
        return {key: _unpack(item, tensors, depth + 1, left) for key, item in inside.items()}
    if kind in ("tensor", "array") and isinstance(inside, str) and inside in tensors:
        return tensors[inside] if kind == "tensor" else _array(tensors[inside])
    if kind == "opaque":
        return Opaque(_name(inside))
    if kind == "raised":
        return Raised(_name(inside))
    raise Malformed("an object of an unknown kind")


def _int(value: int) -> int:
    if abs(value) >= INTEGER_MOST:
        raise Malformed("a whole number that is too large to travel")
    return value


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.isprintable() or not 0 < len(value) <= NAME_MOST:
        raise Malformed("a name that is none")
    return value


def _tensor(value: torch.Tensor | np.ndarray) -> torch.Tensor:
    """A tensor that shares nothing with `value` and lies in one piece."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in "biuf":
            raise Malformed(f"an array of {value.dtype} does not travel")
        try:
            value = torch.as_tensor(np.array(value, order="C"))
        except (TypeError, ValueError):  # long doubles, bytes in the other order
            raise Malformed(f"an array of {value.dtype} does not travel") from None
    if value.dtype not in DTYPES or value.layout is not torch.strided or value.is_meta:
        raise Malformed(f"a tensor of {value.dtype} that is {value.layout} on {value.device} does not travel")
    return value.detach().cpu().contiguous().clone()


def _array(tensor: torch.Tensor) -> np.ndarray:
    if tensor.dtype is torch.bfloat16:
        raise Malformed("NumPy has no bfloat16")
    return tensor.numpy()


__all__ = ["Malformed", "decode", "encode", "pack", "unpack"]
