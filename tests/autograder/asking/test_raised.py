"""What an exception is called and what it says, in a sentence that never fails."""

import json

import numpy as np
import pytest
import torch

from autograder.asking.raised import in_words, name_of, say


def caught(make):
    try:
        make()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def broken():
    raise type("Own", (ValueError,), {"__str__": lambda self: 1 / 0})("x")


def subclass():
    json.loads("{")


def own_line():
    return {}["no such key"]


def test_the_line_of_the_students_own_code_is_named():
    line = own_line.__code__.co_firstlineno + 1
    assert say(caught(own_line)) == f"it raised KeyError: 'no such key' (line {line}: `return {{}}[\"no such key\"]`)"
    assert say(caught(broken)).startswith("it raised Own (line ")
    assert "`json.loads(\"{\")`" in say(caught(subclass))


@pytest.mark.parametrize(("make", "name"), [
    (broken, "ValueError"), (subclass, "ValueError"), (lambda: {}["x"], "KeyError"),
    (lambda: torch.ones(2) @ torch.ones(3), "RuntimeError"),
    (lambda: exit(3), "SystemExit"), (lambda: np.linalg.inv(np.zeros((2, 2))), "ValueError"),
])
def test_the_name_is_that_of_the_nearest_built_in_type(make, name):
    assert name_of(caught(make)) == name


@pytest.mark.parametrize(("make", "sentence"), [
    (lambda: torch.ones(3, 5) @ torch.ones(4, 5),
     "a matrix of shape (3, 5) cannot be multiplied by one of shape (4, 5), since 5 is not 4"),
    (lambda: torch.ones(2, 3, 5) @ torch.ones(4, 5), "shape (6, 5) cannot be multiplied by one of shape (4, 5)"),
    (lambda: torch.ones(2, 3, 5) @ torch.ones(2, 4, 5), "the first ones have 5 columns and the second ones 4 rows"),
    (lambda: np.ones((3, 5)) @ np.ones((4, 5)), "the first has 5 columns and the second 4 rows"),
    (lambda: np.dot(np.ones((3, 5)), np.ones((4, 5))), "a matrix of shape (3, 5) cannot be multiplied by one of shape (4, 5)"),
])
def test_shapes_that_do_not_meet_are_said_in_words(make, sentence):
    said = in_words(str(caught(make)))
    assert sentence in said and said.endswith("; is a transpose missing?") and "mat1" not in said and "gufunc" not in said


def test_other_texts_stay_as_they_are():
    text = str(caught(lambda: torch.ones(2) + torch.ones(3)))
    assert in_words(text) == text
