"""Frames: what encodes decodes to the same, and whatever is no frame is malformed and nothing worse."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import torch

from autograder.asking import wire
from autograder.asking.values import Opaque, Raised
from autograder.asking.wire import Malformed, decode, encode
from autograder.exercises import exercises
from autograder.exercises.drawing import draw
from frames import same, there_and_back

PLAIN = [
    None, True, 0, -(2**70), 1.5, float("inf"), float("nan"), "ü\n\ud800", "", [], (), {}, [1, (2, [3.0, {"a": None}])],
    {"tensor": "0", "tuple": [1]}, {"dict": {"opaque": "x"}}, ((), [()]),
    torch.zeros(2, 3), torch.tensor(7), torch.zeros(0, 4), torch.tensor([True]), torch.ones(3, dtype=torch.bfloat16),
    torch.arange(6).reshape(2, 3).T, torch.ones(2).expand(5, 2),
    Opaque("an object of type set"), [Raised("ValueError")],
    np.float32([[1, 2]]), np.array(3), np.arange(6)[::-2], np.array([False]),
]


def short(value):
    """A name for a parameter, for some of them are a megabyte long."""
    return str(value)[:30].encode("ascii", "backslashreplace").decode()


@pytest.mark.parametrize("value", PLAIN, ids=short)
def test_plain_data_goes_there_and_back(value):
    assert same(there_and_back(value), value)


def test_every_input_of_every_exercise_goes_there_and_back():
    for exercise_id in exercises:
        if hasattr(exercises[exercise_id], "cases"):
            for inputs in draw(exercises[exercise_id], 3).inputs:
                assert same(there_and_back(inputs), inputs), exercise_id


@pytest.mark.parametrize("value", [
    object(), {1}, b"x", 1j, {1: 2}, 2**1000, np.array(["x"]), np.array([object()]), torch.zeros(1, dtype=torch.complex64), len,
    type("Sub", (float,), {})(1.0), type("Own", (), {})(), np.float64(1.0), np.ones(2, dtype=np.longdouble),
    np.ones(2, dtype=">f4"), torch.eye(2).to_sparse(), torch.zeros(1, device="meta"), Opaque(""),
    Opaque("x" * 100), Raised("a\nb"),
], ids=lambda value: type(value).__name__)
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


@pytest.mark.parametrize("make", [
    lambda n: [0.0] * n, lambda n: [[0.0] * (n // 2)] * 2,
    lambda n: {"a": [(1,)] * (n // 2 - 1)}, lambda n: [{"a": None}] * (n // 2),
    lambda n: [{}] * n,
])
def test_whatever_encodes_also_decodes(make, monkeypatch):
    """Around the limit, in every kind of container."""
    monkeypatch.setattr(wire, "ITEMS_MOST", 100)
    sizes = {"encoded": 0, "refused": 0}
    for n in range(90, 104):
        try:
            frame = encode(make(n))
        except Malformed:
            sizes["refused"] += 1
            continue
        sizes["encoded"] += 1
        decode(frame[wire.HEAD_SIZE :], b"")
    assert all(sizes.values())


def text(value) -> bytes:
    return json.dumps(value).encode()


GOOD = wire.to_safetensors({"0": torch.zeros(2)})


@pytest.mark.parametrize(("json_part", "blob"), [
    (b"", b""), (b"{", b""), (b"[1, 2", b""), (b"\xff\xfe", b""), (b"[" * 50_000, b""), (text({}), b""), (text({"a": 1}), b""),
    (text({"tuple": 1}), b""), (text({"dict": []}), b""), (text({"dict": {}, "tuple": []}), b""), (text({"tensor": "0"}), b""),
    (text({"tensor": "1"}), GOOD), (text({"tensor": ["0"]}), GOOD), (text({"opaque": "a\nb"}), b""),
    (text({"opaque": 1}), b""), (text({"opaque": "x" * 100}), b""), (text({"raised": ""}), b""), (text({"raised": ["x"]}), b""),
    (b"1" * 4000, b""), (text([[0] * 400_000]), b""), (text({"pickle": "gASVJA=="}), b""),
    (text(1), b"\x80\x04."), (text(1), GOOD[:-1]), (text(1), GOOD + b"x"), (text(1), struct.pack("<Q", 2**63) + b"{}"),
    (text(1), wire.to_safetensors({"0": torch.zeros(2, dtype=torch.complex64)})),
    (text({"array": "0"}), wire.to_safetensors({"0": torch.zeros(2, dtype=torch.bfloat16)})),
], ids=short)
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
