"""Odd answers get the same report from a check and from grading, which sends them through a frame."""

import array
from collections import deque
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction
from unittest.mock import MagicMock, Mock

import numpy as np
import pytest
import torch

from autograder.asking.wire import HEAD_SIZE, decode, lengths
from autograder.checking import mark
from autograder.exercises import exercises
from autograder.exercises.drawing import draw
from autograder.grading.inside import runner
from autograder.grading.outcomes import outcomes_of
from autograder.judging.judge import judge

TENSOR, NUMBER, PAIR = "quickstart.lora_forward", "lora.multi_task_ratio", "lora.attention_budget"
WORD = "pretraining.objective"
BUFFER = torch.zeros(100, 100)


def graded(trial, answer):
    """What grading does with an answer, on both sides of the wall."""
    question = {"id": trial.id, "name": "f", "probe": trial.probe, "inputs": trial.inputs, "seed": trial.seed,
                "demonstrated": [], "seconds": 10.0}
    frame = runner._answer(question, {"f": answer})[1:]
    text, _ = lengths(frame[:HEAD_SIZE])
    return judge(trial, outcomes_of(trial, decode(frame[HEAD_SIZE : HEAD_SIZE + text], frame[HEAD_SIZE + text :]), ()))


class WithArray:
    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.values)


class Shapeless:
    @property
    def shape(self):
        raise RuntimeError("mine")


class Unsayable(Exception):
    def __str__(self):
        raise RuntimeError("mine")


def reused(value):
    part = BUFFER[: value.shape[0], : value.shape[1]]
    return part.copy_(value)


def fails(value):
    raise Unsayable


class Sequence(float):
    def __float__(self):
        raise RuntimeError("mine")


RIGHT = [
    (TENSOR, WithArray), (TENSOR, lambda v: memoryview(v.numpy())), (TENSOR, lambda v: v.to_sparse()), (TENSOR, reused),
    (TENSOR, lambda v: deque(map(deque, v.tolist()))), (TENSOR, lambda v: [array.array("f", row) for row in v.tolist()]),
    (TENSOR, lambda v: [[Fraction(x) for x in row] for row in v.tolist()]), (TENSOR, lambda v: np.matrix(v.numpy())),
    (TENSOR, lambda v: np.array([[Decimal(x) for x in row] for row in v.tolist()])), (TENSOR, torch.nn.Parameter),
    (NUMBER, Decimal), (NUMBER, Fraction), (NUMBER, lambda v: torch.tensor([[v]], dtype=torch.float64)), (NUMBER, WithArray),
    (PAIR, lambda v: dict(enumerate(v)).values()), (PAIR, lambda v: array.array("d", v)), (PAIR, deque), (PAIR, np.array),
    (PAIR, lambda v: map(float, v) and list(v)), (PAIR, lambda v: memoryview(np.array(v))),
]
WRONG = [
    10**400, 10**5000, Mock(), MagicMock(), Shapeless(), object(), {1, 2}, {"a": 1}, {1: 2}, b"x", 1j, "x" * 50_000, len,
    lambda: 1, torch.nested.nested_tensor([torch.ones(2), torch.ones(3)], layout=torch.jagged),
    torch.ones(2, 2) * 1j, np.ones(3) * 1j, float("nan"), range(20_000_000), [0.0] * 150_000, [[1.0], [1.0, 2.0]],
    torch.zeros(0), np.zeros((0, 3)), torch.ones([1] * 40), [None], (), [], [[]], ("a", object()), iter([1.0]), np.array(["x"]),
    np.zeros(2, dtype="datetime64[s]"), torch.zeros(1, device="meta"),
    True, None, Decimal("sNaN"), Fraction(10**400), NotImplemented, ..., type, ValueError("x"), torch.float32,
    Sequence(1.0), "\ud800",
]


@pytest.mark.parametrize(("exercise_id", "kind"), RIGHT)
def test_a_right_answer_is_right_whatever_it_comes_in(exercise_id, kind):
    exact, trial = exercises[exercise_id].answer, draw(exercises[exercise_id], 3)
    report = mark(trial, lambda **inputs: kind(exact(**inputs)))
    assert (report.state, report.score) == ("right", trial.points)
    assert graded(trial, lambda **inputs: kind(exact(**inputs))) == report


@pytest.mark.parametrize("exercise_id", [TENSOR, NUMBER, PAIR, WORD])
@pytest.mark.parametrize("value", WRONG, ids=lambda value: type(value).__name__)
def test_any_other_is_refused_with_one_sentence_on_both_sides(exercise_id, value):
    trial = draw(exercises[exercise_id], 3)
    report = mark(trial, lambda **inputs: value)
    assert report.state in ("unreadable", "wrong", "partial") and report.score < report.points
    assert "Traceback" not in report.text() and len(report.message) < 600
    assert _said(graded(trial, lambda **inputs: value)) == _said(report)


def _said(report):
    return replace(report, message=report.message.encode("utf-8", "replace").decode())


def test_an_exception_that_cannot_be_said_is_named():
    trial = draw(exercises[TENSOR], 3)
    report = mark(trial, lambda **inputs: fails(inputs))
    assert report.state == "raised" and report.error == "Exception" and report.message.startswith("It raised Unsayable (line")
    assert graded(trial, lambda **inputs: fails(inputs)) == report


def test_a_word_may_come_as_a_string_of_numpy():
    exact, trial = exercises[WORD].answer, draw(exercises[WORD], 3)
    for kind in (np.str_, lambda word: np.array(word)):
        report = mark(trial, lambda kind=kind, **inputs: kind(exact(**inputs)))
        assert report.state == "right"
        assert graded(trial, lambda kind=kind, **inputs: kind(exact(**inputs))) == report
