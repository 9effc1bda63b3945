"""Exercises that train: what is held back never goes in, thresholds decide, and their sentence says what is missing."""

import dataclasses
import re
import sys
import types

import pytest
import torch

from autograder.asking import probes
from autograder.asking.ask import ask_all
from autograder.asking.probes import without_autograd
from autograder.asking.wire import encode
from autograder.checking import mark
from autograder.exercises.drawing import draw
from autograder.exercises.draws import normal
from autograder.exercises.exercise import AuthorError, Case, Exercise, Misconception, Part
from autograder.exercises.validating import validated
from autograder.judging import measures
from autograder.judging.trial import load, save

SLOW = "The steps go down, and not far: the rate is too small."
WRONG_WAY = "The error grew: the step goes uphill."
SEEN = []  # what the probe was given


def descend(answer, inputs):
    """Twenty of the student's steps for least squares; the predictions for `x_test`, and the weights."""
    SEEN.append(set(inputs))
    w = torch.zeros(inputs["x"].shape[1])
    for _ in range(20):
        w = answer(w=w, x=inputs["x"], y=inputs["y"])
    return inputs["x_test"] @ w, w


def error(output, held):
    """Mean square error against what the held-out points really are, as a share of their size."""
    y = torch.as_tensor(held["y_test"]).double().numpy()
    return float(((output - y) ** 2).mean() / (y**2).mean())


def _room(monkeypatch, module, function):
    """As if the function stood in a file `example` of that room."""
    fake = types.ModuleType(f"{module.__name__}.example")
    setattr(fake, function.__name__, function)
    monkeypatch.setitem(sys.modules, fake.__name__, fake)
    monkeypatch.setattr(function, "__module__", fake.__name__)


@pytest.fixture
def exercise(monkeypatch):
    _room(monkeypatch, probes, descend)
    _room(monkeypatch, measures, error)

    def cases(rng):
        x, x_test, true = normal(rng, 40, 3), normal(rng, 30, 3), 1 + normal(rng, 3).abs()
        return [Case("least squares", {"x": x, "y": x @ true, "x_test": x_test}, held={"y_test": x_test @ true})]

    def step(rate):
        return lambda w, x, y: w - rate * x.T @ (x @ w - y) / len(x)

    return Exercise(
        id="demo.step", answer=step(0.5), cases=cases, probe=descend,
        expected=lambda x, y, x_test: (torch.zeros(len(x_test)), torch.zeros(x.shape[1])),
        parts=[Part("goes down", 1, of=0, measure=error, at_most=0.95, says=WRONG_WAY),
               Part("arrives", 2, of=0, measure=error, at_most=0.05, says=SLOW)],
        misconceptions=[Misconception("slow", step(0.01), SLOW, earns=1), Misconception("uphill", step(-0.1), WRONG_WAY),
                        Misconception("idle", step(0.0), WRONG_WAY)],
    )  # fmt: skip


def test_thresholds_decide_and_their_sentence_says_what_was_reached(exercise):
    trial = draw(exercise, 3)
    right = mark(trial, exercise.answer)
    assert (right.state, right.score) == ("right", 3)
    slow, uphill = (mark(trial, m.wrong) for m in exercise.misconceptions[:2])
    assert (slow.state, slow.score, slow.misconception) == ("partial", 1, None)
    assert slow.message.startswith(f"{SLOW} (arrives: 0.") and "at most 0.05 is asked for" in slow.message
    assert uphill.score == 0 and uphill.message.startswith(f"{WRONG_WAY} (goes down: ")


def test_the_judge_accepts_it_and_finds_what_an_author_got_wrong(exercise):
    validated(exercise)
    first, second = exercise.parts
    broken = {
        "declares 2 points and earns 1": dict(misconceptions=[dataclasses.replace(exercise.misconceptions[0], earns=2),
                                                              *exercise.misconceptions[1:]]),
        "which is not its sentence": dict(misconceptions=[*exercise.misconceptions[:2],
                                                          dataclasses.replace(exercise.misconceptions[2], says=SLOW)]),
        "does not reach what its parts ask for": dict(parts=[first, dataclasses.replace(second, at_most=1e-9)]),
        "one of the two": dict(parts=[first, dataclasses.replace(second, at_least=0.0)]),
        "says": dict(parts=[first, dataclasses.replace(second, says="")]),
        "holds something back": dict(parts=[first, dataclasses.replace(second, on="elsewhere")]),
        "covers no case|no case is of group": dict(parts=[*exercise.parts, Part("value", 1)]),
        "lives in": dict(probe=test_thresholds_decide_and_their_sentence_says_what_was_reached),
    }
    for text, change in broken.items():
        with pytest.raises(AuthorError, match=text):
            validated(dataclasses.replace(exercise, **change))
    with pytest.raises(AuthorError, match="the measure 'elsewhere' lives in"):
        elsewhere = lambda output, held: 0.0  # noqa: E731
        elsewhere.__name__ = "elsewhere"
        validated(dataclasses.replace(exercise, parts=[dataclasses.replace(first, measure=elsewhere), second]))


def test_what_is_held_back_never_goes_in_and_survives_the_bundle(exercise, tmp_path):
    SEEN.clear()
    trial = draw(exercise, 4)
    assert SEEN == []  # nobody trains in order to draw
    mark(trial, exercise.answer)
    assert SEEN and SEEN[0] == {"x", "y", "x_test"}
    assert "y_test" not in str(trial.inputs)
    save(trial, tmp_path)
    again = load("demo.step", tmp_path)
    assert mark(again, exercise.answer).to_dict() == mark(trial, exercise.answer).to_dict()
    assert mark(again, exercise.misconceptions[0].wrong).to_dict() == mark(trial, exercise.misconceptions[0].wrong).to_dict()
    frame = encode([trial.inputs])
    assert b"y_test" not in frame


@pytest.mark.parametrize(("answer", "says"), [
    (lambda w, x, y: w * float("nan"), "it left the finite numbers"),
    (lambda w, x, y: w + 1e30 * (1 + w.abs()) ** 2, "it left the finite numbers"),
    (lambda w, x, y: None, "raised|returned None"),
    (lambda w, x, y: torch.zeros(3, 1), "expected an output of shape"),
])  # fmt: skip
def test_what_is_no_answer_is_said(exercise, answer, says):
    report = mark(draw(exercise, 5), answer)
    assert report.score == 0
    assert re.search(says, report.message, re.IGNORECASE), report.message


def test_it_may_take_longer_than_others(exercise):
    assert draw(dataclasses.replace(exercise, seconds=25.0), 0).seconds == 25.0


def by_autograd(w):
    w = w.clone().requires_grad_(True)
    (w**2).sum().backward()
    return w.grad


def by_grad(w):
    w.requires_grad_(True)
    return torch.autograd.grad((w**2).sum(), w)[0]


def by_func(w):
    return torch.func.grad(lambda w: (w**2).sum())(w)


def by_jvp(w):
    return torch.func.jvp(lambda w: (w**2).sum(), (w,), (torch.ones(2),))[1]


def by_an_earlier_name(w, grad=torch.autograd.grad):
    w.requires_grad_(True)
    return grad((w**2).sum(), w)[0]


@pytest.mark.parametrize("answer", [by_autograd, by_grad, by_func, by_jvp, by_an_earlier_name])
def test_a_derivative_by_hand_is_by_hand(answer):
    (outcome,) = ask_all(answer, without_autograd, [{"w": torch.tensor([1.0, 2.0])}])
    assert outcome.state == "raised" and "autograd is switched off here" in outcome.message


def misshapen(w):
    return w @ torch.ones(3, 3)


def test_by_hand_is_asked_as_ever_and_says_what_it_wants():
    inputs = {"w": torch.tensor([1.0, 2.0])}
    (outcome,) = ask_all(lambda w: 2 * w, without_autograd, [inputs])
    assert outcome.value.tolist() == [2.0, 4.0] and outcome.changed == []
    (outcome,) = ask_all(lambda w: w.mul_(2), without_autograd, [inputs])
    assert outcome.changed == ["w"]  # it works on what the judge looks at afterwards
    (outcome,) = ask_all(misshapen, without_autograd, [inputs])
    assert "w @ torch.ones" in outcome.message  # the student's line, not the probe's
    assert "switched off" not in outcome.message  # another mistake keeps its own sentence
