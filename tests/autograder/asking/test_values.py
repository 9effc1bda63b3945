"""Reading a plain value as what was expected, and the sentence on how two differ."""

import math

import numpy as np
import pytest
import torch

from autograder.asking.values import Opaque, Raised, Unreadable, describe, difference, plain, read, same


@pytest.mark.parametrize(
    ("came", "wanted", "agree"),
    [
        (1.00005, 1.0, True), (1.0002, 1.0, False), (0.0, 0.0, True), (1e-3, 0.0, False),
        (math.nan, 1.0, False), (math.nan, math.nan, True), (1.0, math.nan, False),
        (math.inf, math.inf, True), (-math.inf, math.inf, False), (1e9, math.inf, False), (math.inf, 1.0, False),
        ([1.0, 1e-5], [1.0, 0.0], True),  # the scale is the whole tensor's, so rounding near zero is forgiven
        ([1e-3, 1e-5], [1e-3, 0.0], False),
        ([[1.0, 2.0]], [1.0, 2.0], False),
        ((1.0, 2.0), (1.0, 2.1), False),
        ("mlm", "clm", False), ("mlm", "mlm", True), (True, True, True),
        (Raised("ValueError"), Raised("ValueError"), True), (Raised("UnicodeDecodeError"), Raised("ValueError"), True),
        (Raised("ValueError"), Raised("UnicodeDecodeError"), False), (Raised("TypeError"), Raised("ValueError"), False),
        (Raised("mine"), Raised("ValueError"), False), (1.0, Raised("ValueError"), False), (Raised("ValueError"), 1.0, False),
        ("ValueError", Raised("ValueError"), False), (Raised("ValueError"), "ValueError", False),
        (Raised("ValueError"), [1.0], False),
    ],
)
def test_agreement(came, wanted, agree):
    came, wanted = (plain(np.array(v)) if isinstance(v, list) else v for v in (came, wanted))
    assert same(came, wanted) is agree
    assert (difference(came, wanted) is None) is agree


@pytest.mark.parametrize(("came", "wanted", "sentence"), [
    ([1.0, math.inf], [1.0, 2.0], "an infinite value where a finite one was expected"),
    ([1.0, 2.0], [1.0, math.inf], "a finite value where an infinite one was expected"),
    ([1.0, -math.inf], [1.0, math.inf], "an infinite value with the wrong sign"),
    ([math.nan, math.inf], [1.0, 2.0], "came nan"),
    ([1.0, 2.0], [math.nan, 2.0], "a number where nan (not a number) was expected"),
    ([[1.0, 2.0]], [[1.0], [2.0]], "it is transposed"), (3, 10**30, "came 3, which"), (10**30, 3, "came 1e+30, which"),
])
def test_a_difference_says_which_way_round(came, wanted, sentence):
    came, wanted = (plain(np.array(v)) if isinstance(v, list) else v for v in (came, wanted))
    assert sentence in difference(came, wanted)


def test_reading_keeps_bfloat16_and_integers_and_refuses_too_much():
    assert same(read(torch.ones(2, 2, dtype=torch.bfloat16), np.zeros((2, 2))), np.ones((2, 2)))
    assert read(np.int32(7), 5) == 7
    assert read([2**70, 1], np.zeros(2)).tolist() == [2.0**70, 1.0]
    assert read(torch.tensor(True), False) is True and read(np.array(False), True) is False
    with pytest.raises(Unreadable, match="small tensor"):
        read(np.zeros(2_000_000), np.zeros(3))
    with pytest.raises(Unreadable, match="tuple of 2 values, came 3 values"):
        read((1, 2, 3), (1.0, 2.0))
    with pytest.raises(Unreadable, match="tuple of 2 values, came a list of 1 item$"):
        read([1], (1.0, 2.0))


@pytest.mark.parametrize("expected", ["the secret", True, None, 1.5, Raised("ValueError")])
@pytest.mark.parametrize("came", [
    0.85, 7, "mlm", [1.0], {"a": 1}, Opaque("an object of type set"), np.ones(2), None, Raised("KeyError"),
])
def test_a_sentence_never_holds_the_answer(came, expected):
    """Or the answer's own kind is enough to be readable."""
    try:
        read(came, expected)
    except Unreadable as error:
        assert "secret" not in str(error) and "1.5" not in str(error)
        assert describe(came) in str(error) or f"returned {came}" in str(error)
    else:
        assert isinstance(expected, type(came)) or isinstance(expected, float) and came != "mlm"


def test_an_exception_that_was_expected_is_said_in_words():
    with pytest.raises(Unreadable, match=r"^expected a ValueError for this input, your function returned 0\.85$"):
        read(0.85, Raised("ValueError"))
    with pytest.raises(Unreadable, match=r"^expected an IndexError for this input, .* returned a tensor of shape \(2,\)$"):
        read(np.ones(2), Raised("IndexError"))
    for imitation in (Raised("ValueError"), "ValueError", -1):  # nothing that is returned is an exception
        with pytest.raises(Unreadable):
            read(imitation, Raised("ValueError"))
