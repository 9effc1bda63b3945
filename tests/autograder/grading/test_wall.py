"""The parts of the wall, each by itself and at its edges: frames and plain outputs."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import torch

from autograder.asking import wire
from autograder.asking.wire import Malformed, decode, encode, opaque
from autograder.exercises import exercises
from autograder.exercises.drawing import draw
from autograder.grading.inside.coerce import coerce

pytestmark = pytest.mark.xdist_group("wall")

QUICKSTART, LORA, FORWARD = "00_quickstart", "08_lora", "quickstart.lora_forward"


def there_and_back(value):
    frame = encode(value)
    text, blob = wire.lengths(frame[: wire.HEAD_SIZE])
    assert len(frame) == wire.HEAD_SIZE + text + blob
    return decode(frame[wire.HEAD_SIZE : wire.HEAD_SIZE + text], frame[wire.HEAD_SIZE + text :])


def same(a, b):
    if isinstance(a, (torch.Tensor, np.ndarray)):
        return type(a) is type(b) and a.dtype == b.dtype and a.shape == b.shape and a.tolist() == b.tolist()
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return type(b) is dict and a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return type(a) is type(b) and (a == b or a != a and b != b)


# --- frames ----------------------------------------------------------------------------------------------------------

PLAIN = [
    None, True, 0, -(2**70), 1.5, float("inf"), float("nan"), "ü\n\ud800", "", [], (), {}, [1, (2, [3.0, {"a": None}])],
    {"tensor": "0", "tuple": [1]}, {"dict": {"opaque": "x"}}, ((), [()]),
    torch.zeros(2, 3), torch.tensor(7), torch.zeros(0, 4), torch.tensor([True]), torch.ones(3, dtype=torch.bfloat16),
    torch.arange(6).reshape(2, 3).T, torch.ones(2).expand(5, 2),
    np.float32([[1, 2]]), np.array(3), np.arange(6)[::-2], np.array([False]),
]


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: str(value)[:30].encode("ascii", "replace").decode())
def test_plain_data_goes_there_and_back(value):
    assert same(there_and_back(value), value)


def test_every_input_of_every_exercise_goes_there_and_back():
    for exercise_id in exercises:
        if hasattr(exercises[exercise_id], "cases"):
            for inputs in draw(exercises[exercise_id], 3).inputs:
                assert same(there_and_back(inputs), inputs), exercise_id


@pytest.mark.parametrize("value", [
    object(), {1}, b"x", 1j, {1: 2}, 2**1000, np.array(["x"]), np.array([object()]), torch.zeros(1, dtype=torch.complex64), len,
    type("Sub", (float,), {})(1.0), type("Own", (), {})(), np.float64(1.0),
])
def test_what_is_no_plain_data_does_not_travel(value):
    with pytest.raises(Malformed):
        encode({"a": [value]})


def test_what_is_too_large_or_too_deep_does_not_travel():
    deep: list = []
    for _ in range(50):
        deep = [deep]
    for value in (deep, torch.zeros(9_000_000, dtype=torch.float64), "x" * 17_000_000):
        with pytest.raises(Malformed):
            encode(value)


def text(value) -> bytes:
    return json.dumps(value).encode()


GOOD = wire.to_safetensors({"0": torch.zeros(2)})


@pytest.mark.parametrize(("json_part", "blob"), [
    (b"", b""), (b"{", b""), (b"[1, 2", b""), (b"\xff\xfe", b""), (b"[" * 50_000, b""), (text({}), b""), (text({"a": 1}), b""),
    (text({"tuple": 1}), b""), (text({"dict": []}), b""), (text({"dict": {}, "tuple": []}), b""), (text({"tensor": "0"}), b""),
    (text({"tensor": "1"}), GOOD), (text({"tensor": ["0"]}), GOOD), (text({"opaque": "os.system"}), b""),
    (text({"opaque": 1}), b""), (text({"opaque": "x" * 100}), b""),
    (b"1" * 4000, b""), (text([[0] * 400_000]), b""), (text({"pickle": "gASVJA=="}), b""),
    (text(1), b"\x80\x04."), (text(1), GOOD[:-1]), (text(1), GOOD + b"x"), (text(1), struct.pack("<Q", 2**63) + b"{}"),
    (text(1), wire.to_safetensors({"0": torch.zeros(2, dtype=torch.complex64)})),
    (text({"array": "0"}), wire.to_safetensors({"0": torch.zeros(2, dtype=torch.bfloat16)})),
])
def test_anything_else_is_malformed_and_nothing_worse(json_part, blob):
    with pytest.raises(Malformed):
        decode(json_part, blob)


def test_random_bytes_are_malformed_and_nothing_worse():
    rng = np.random.default_rng(0)
    frame = bytearray(encode({"a": [1, torch.ones(3), "x"], "b": (None, {"c": 2.5})})[wire.HEAD_SIZE :])
    parts = len(frame) - len(wire.to_safetensors({"0": torch.ones(3)}))
    broken = 0
    for _ in range(2000):
        hit = bytearray(frame)
        for place in rng.integers(0, len(hit), 3):
            hit[place] = rng.integers(0, 256)
        try:
            decode(bytes(hit[:parts]), bytes(hit[parts:]))
        except Malformed:
            broken += 1
    assert broken > 1000


@pytest.mark.parametrize("head", [b"", b"FTC1", b"HTTP" + bytes(8), struct.pack("!4sII", b"FTC1", 2**32 - 1, 0),
                                  struct.pack("!4sII", b"FTC1", 2, 2**31)])
def test_a_head_that_is_none_or_promises_too_much_is_refused_before_anything_is_read(head):
    with pytest.raises(Malformed):
        wire.lengths(head)


# --- plain outputs ---------------------------------------------------------------------------------------------------


class Agreeable(float):
    __eq__ = __ne__ = __lt__ = __gt__ = __le__ = __ge__ = lambda self, other: True
    __hash__ = None


class Hostile(torch.Tensor):
    @classmethod
    def __torch_function__(cls, *args, **kwargs):
        return "mine"


class OwnArray(np.ndarray):
    def __array_ufunc__(self, *args, **kwargs):
        return True


@pytest.mark.parametrize(("value", "expected"), [
    (Agreeable(2.0), 2.0), (np.float32(0.5), 0.5), (np.int8(3), 3), (np.bool_(True), True), (True, True), (None, None),
    (type("Text", (str,), {})("x"), "x"), ([Agreeable(1), (np.int64(2), "x")], [1.0, (2, "x")]),
    ({"a": np.ones(1)}, {"a": np.ones(1)}),
    (torch.nn.Parameter(torch.ones(2)), torch.ones(2)), (torch.ones(2, requires_grad=True) * 2, torch.full((2,), 2.0)),
    (torch.ones(3).as_subclass(Hostile), torch.ones(3)), (torch.eye(2).to_sparse(), torch.eye(2)),
    (torch.ones(2, 3).T, torch.ones(3, 2)), (np.ones((2, 2)).view(OwnArray), np.ones((2, 2))),
    (np.arange(4.0)[::-1], np.array([3.0, 2, 1, 0])), (np.array(5), np.array(5)),
    (np.ones(2, dtype=">f4"), np.ones(2, dtype=np.float32)), (np.ones(2, dtype=np.longdouble), np.ones(2)),
    (np.ones(2, dtype=np.uint16), np.ones(2, dtype=np.int64)), (np.ones(2, dtype=bool), np.array([True, True])),
])
def test_an_output_becomes_plain(value, expected):
    assert same(coerce(value), expected)
    assert same(there_and_back(coerce(value)), expected)


def endless() -> list:
    inside: list = [1.0]
    inside.append(inside)
    return inside


@pytest.mark.parametrize("value", [
    object(), len, {1: 2}, {1}, b"x", 1j, 10**400, iter([]), torch, np.array(["x"]), torch.ones(1).expand(10**7),
    torch.zeros(1, device="meta"), torch.zeros(1, dtype=torch.complex64),
    np.broadcast_to(np.ones(1), 10**8), [0] * 300_000, endless(), np.array([object()]),
    np.zeros(2, dtype="datetime64[s]"), torch.distributions.Normal(0, 1), type("ü!", (), {})(),
])  # fmt: skip
def test_what_cannot_be_plain_leaves_the_name_of_its_type(value):
    found = there_and_back(coerce(value))
    assert type(found).__module__ == opaque.__module__ and not vars(found)
