"""Whatever is returned becomes plain data that shares nothing with it, and fits into a frame together with its like."""

from __future__ import annotations

import array
from collections import deque
from decimal import Decimal
from fractions import Fraction
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest
import torch

from autograder.asking.coerce import MUCH, ROOM, coerce
from autograder.asking.values import Opaque
from frames import same, there_and_back


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


class WithArray:
    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.array(self.values)


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
    (deque([1, 2.0]), [1, 2.0]), (range(3), [0, 1, 2]), ({"a": 1, "b": 2}.values(), [1, 2]), ({"a": 1}.keys(), ["a"]),
    (memoryview(np.ones((2, 2))), np.ones((2, 2))), (array.array("d", [1, 2]), np.array([1.0, 2.0])),
    (Decimal("0.5"), 0.5), (Fraction(1, 4), 0.25), (np.array([Decimal(1), 2], dtype=object), [1.0, 2]), (np.str_("clm"), "clm"),
    (np.array(["x"]), ["x"]), (WithArray([1.0, 2.0]), np.array([1.0, 2.0])), (WithArray([Fraction(1, 2)]), [0.5]),
])
def test_an_output_becomes_plain(value, expected):
    found = coerce(value, [ROOM])
    assert same(found, expected)
    assert same(there_and_back(found), expected)


def endless() -> list:
    inside: list = [1.0]
    inside.append(inside)
    return inside


def fails(self, *args):
    raise RuntimeError("mine")


Shapeless = type("Shapeless", (), {"shape": property(fails), "__array__": fails, "__getattr__": fails, "__len__": fails})

UNREADABLE = [
    (object(), "an object of type object"), (len, "a function"), (lambda: 1, "a function"), ({1: 2}, "an object of type dict"),
    ({1}, "an object of type set"), (b"x", "an object of type bytes"), (1j, "an object of type complex"),
    (10**400, "a whole number of about 401 digits"), (10**5000, "a whole number of about 5,001 digits"),
    (iter([]), "an object of type list_iterator"), (torch, "an object of type module"), (Mock(), "an object of type Mock"),
    (MagicMock(), "an object of type MagicMock"), (Shapeless(), "an object of type Shapeless"),
    (torch.ones(1).expand(10**7), "a tensor of 10,000,000 numbers"), (torch.zeros(1, device="meta"), "an object of type Tensor"),
    (torch.zeros(1, dtype=torch.complex64), "a tensor of complex64 numbers"), (np.ones(1) * 1j, "an array of type complex128"),
    (torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged), "a nested tensor"),
    (np.broadcast_to(np.ones(1), 10**8), "a tensor of 100,000,000 numbers"), ([0] * 300_000, MUCH.what),
    (range(20_000_000), MUCH.what), (endless(), MUCH.what),
    (np.zeros(2, dtype="datetime64[s]"), "an array of type datetime64[s]"), (type("ü!", (), {})(), "an object"),
    (Decimal("sNaN"), "an object of type Decimal"), (Fraction(10**400), "an object of type Fraction"),
    (torch.distributions.Normal(0, 1), "an object of type Normal"), (ValueError("x"), "an object of type ValueError"),
]


@pytest.mark.parametrize(("value", "what"), UNREADABLE, ids=lambda value: str(value)[:30] if isinstance(value, str) else "")
def test_what_cannot_be_plain_leaves_what_it_is(value, what):
    found = there_and_back(coerce(value, [ROOM]))
    assert found == Opaque(what)
    assert coerce([1, value], [ROOM]) in ([1, found], MUCH)


@pytest.mark.parametrize("make", [
    lambda: [0.0] * 190_000, lambda: ["x"] * 190_000, lambda: ["\U0001f600" * 3] * 190_000, lambda: ["\U0001f600" * 50_000] * 60,
    lambda: [2**999] * 60_000, lambda: [type("é" * 40, (), {})()] * 16_000, lambda: [()] * 190_000, lambda: [np.ones(10**6)] * 60,
])
def test_all_outputs_of_an_exercise_fit_into_one_frame(make):
    """Each alone is allowed; what has no room any more is said to be too much, and spoils neither the frame nor those before."""
    room = [ROOM]
    found = there_and_back([coerce(item, room) for item in [make()[:2], *([make()] * 4), [1.0]]])
    assert same(found[0], coerce(make()[:2], [ROOM]))
    assert found[-2:] == [MUCH, [1.0]]  # and takes no room from what comes after


def test_a_plain_form_shares_nothing_with_what_was_returned():
    for made in (torch.ones(2), np.ones(2), [1.0, 2.0], memoryview(bytearray(b"\1\1")), array.array("d", [1, 1])):
        found = coerce(made, [ROOM])
        before = coerce(found, [ROOM])
        made[0] = 9
        assert same(found, before)
