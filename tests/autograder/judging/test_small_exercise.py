"""Symptoms one by one, on a small exercise in which each can be: it is named, nothing else is, and nothing beside the report."""

import math
import warnings
from dataclasses import replace

import pytest
import torch

from autograder import exercises
from autograder.asking.ask import Outcome, ask_all
from autograder.asking.state import State
from autograder.checking import mark
from autograder.exercises.drawing import draw
from autograder.exercises.exercise import Case, Exercise, Part
from autograder.judging.judge import judge
from autograder.judging.trial import load, save
from invented import wrong_answers

SEED = 3


def cases(rng):
    made = []
    for rows, columns, scale in ((3, 4, 2.5), (5, 2, 0.7)):
        x, w = torch.from_numpy(rng.standard_normal((rows, columns))), torch.from_numpy(rng.random((rows, columns)) + 0.5)
        made.append(Case(f"{rows} rows, scale {scale}", {"x": x, "w": w, "scale": scale}))
    return made


def model(x, w, scale):
    return scale * w * torch.tanh(x)


DEMO = Exercise(id="lora.demo", answer=model, cases=cases, parts=[Part("value", 2)], misconceptions=[])

SMALL = {
    "by_a_quantity": [
        (lambda x, w, scale: model(x, w, scale) * len(x), "times the number of rows of x"),
        (lambda x, w, scale: model(x, w, scale) / x.shape[1], "divided by the number of columns of x"),
        (lambda x, w, scale: model(x, w, scale) * scale**2, "times the square of scale"),
        (lambda x, w, scale: model(x, w, scale) * len(x) / (len(x) - 1), "n/(n - 1), with n the number of rows of x"),
        (lambda x, w, scale: -model(x, w, scale) * scale / len(x), "divided by the number of rows of x, with the other sign"),
    ],
    "by_an_input": [
        (lambda x, w, scale: model(x, w, scale) * w, "times w"),
        (lambda x, w, scale: model(x, w, scale) / w, "divided by w"),
    ],
    "with_an_input": [
        (lambda x, w, scale: model(x, w, scale) + w, "w more"),
        (lambda x, w, scale: model(x, w, scale) - x / 2, "half of x less"),
    ],
    "row_factor": [(lambda x, w, scale: model(x, w, scale) * torch.linspace(2, 3, len(x))[:, None], "factor of its own")],
    "row_shift": [(lambda x, w, scale: model(x, w, scale) - x.mean(1, keepdim=True), "In each row one number of its own")],
    "handed_back": [(lambda x, w, scale: w, "You return w as it is")],
    "made_of_inputs": [(lambda x, w, scale: w * x, "w * x"), (lambda x, w, scale: x.exp(), "exp(x)")],
    "rest": [(lambda x, w, scale: scale - model(x, w, scale), "scale minus the right one")],
    "absolute": [(lambda x, w, scale: model(x, w, scale).abs(), "without its sign")],
    "cut_at_zero": [(lambda x, w, scale: model(x, w, scale).relu(), "0 where it is negative")],
    "x_negative": [(lambda x, w, scale: model(-x, w, scale) + 0 * x, "")],
    "x_squared": [(lambda x, w, scale: model(x * x, w, scale), "x is squared")],
    "x_and_w_exchanged": [(lambda x, w, scale: model(w, x, scale), "x and w are exchanged")],
    "w_for_x": [(lambda x, w, scale: model(w, w, scale), "w stands in the place of x")],
    "x_softmax": [(lambda x, w, scale: model(x.softmax(-1), w, scale), "a softmax is taken of x first")],
    "entries": [(lambda x, w, scale: torch.cat([model(x, w, scale)[:, :-1], x[:, -1:] ** 3], 1), "in the last column")],
    "wrong_shape": [(lambda x, w, scale: torch.zeros(7), "The inputs there: x (3, 4), w (3, 4), scale 2.5")],
    "raised": [(lambda x, w, scale: x @ w, "For '3 rows, scale 2.5' a tensor of shape (3, 4) is asked for")],
    "raised_in_some_cases": [(lambda x, w, scale: model(x, w, scale) if scale < 1 else x @ w, "The inputs there: x (3, 4)")],
    "returned_none": [(lambda x, w, scale: print(x), "write return instead of print")],
}


@pytest.mark.parametrize(("name", "answer", "words"), [(n, *pair) for n, pairs in SMALL.items() for pair in pairs])
def test_it_is_named_and_nothing_else_is(name, answer, words):
    trial = draw(DEMO, SEED)
    report = judge(trial, ask_all(answer, trial.ask_with, trial.inputs, seed=SEED))
    if name == "x_negative":  # tanh is odd: it is a sign as well
        name = "sign"
    assert report.symptoms == [name] and words in report.message, report.message


def test_a_wrong_answer_that_has_no_name_gets_none():
    for seed, answer in enumerate((lambda x, w, scale: x**3 + w.sin(), lambda x, w, scale: torch.randn_like(x))):
        trial = draw(DEMO, seed)
        report = judge(trial, ask_all(answer, trial.ask_with, trial.inputs, seed=seed))
        assert report.symptoms == [] and report.message.startswith("Right shape, wrong values")


def test_it_is_said_what_the_cases_that_are_wrong_have_in_common():
    several = Exercise(
        id="lora.demo",
        answer=lambda x, k: float(k * x),
        parts=[Part("value", 1)],
        misconceptions=[],
        cases=lambda rng: [Case(f"{k}", {"x": float(rng.random() + 3), "k": k}) for k in (1, 2, 1, 5)],
    )
    report = mark(draw(several, 1), lambda x, k: x**k)
    assert report.symptoms == ["cases"] and "where k is not 1" in report.message
    assert mark(draw(several, 1), lambda x, k: k * x if k < 5 else 0.1).symptoms == []  # one of four: k is 5, x is this, or that


def test_where_two_things_explain_it_both_are_said():
    double = Exercise(
        id="lora.demo",
        answer=lambda a, b: a - b,
        parts=[Part("value", 1)],
        misconceptions=[],
        cases=lambda rng: [
            Case(f"{k}", {"a": torch.from_numpy(rng.random(4)), "b": torch.from_numpy(rng.random(4))}) for k in (0, 1)
        ],
    )
    assert "when b has the other sign" in mark(draw(double, 1), lambda a, b: a + b).message
    assert mark(draw(double, 1), lambda a, b: b - a).symptoms == ["sign"]
    batch = Exercise(
        id="lora.demo",
        answer=lambda x: float(x.sum()),
        parts=[Part("value", 1)],
        misconceptions=[],
        cases=lambda rng: [Case(f"{k}", {"x": torch.from_numpy(rng.random((2, 2)))}) for k in range(3)],
    )
    report = mark(draw(batch, 1), lambda x: float(x.sum()) / 2)
    assert report.symptoms == ["factor", "by_a_quantity"]  # a half, or the two rows


def test_values_of_an_output_are_told_apart_by_the_names_of_their_parts():
    pair = Exercise(
        id="lora.demo",
        answer=lambda x: (x.sum(), x * x),
        parts=[Part("total", 1, of=0), Part("squares", 1, of=1)],
        misconceptions=[],
        cases=lambda rng: [Case(f"{k}", {"x": torch.from_numpy(rng.standard_normal(4 + k))}) for k in (0, 1)],
    )
    message = lambda answer: mark(draw(pair, 1), answer).message  # noqa: E731
    assert message(lambda x: (x.sum(), -x * x)).startswith("Value 2 (squares): every value is right but for its sign")
    assert "Value 1 (total)" in message(lambda x: (2 * x.sum(), -x * x)) and "Value 2" in message(lambda x: (2 * x.sum(), -x * x))
    assert "in the wrong order: yours are number 2, 1" in message(lambda x: (x * x, x.sum()))
    assert message(lambda x: x.sum()).startswith("You return value 1 (total) alone")
    assert "a tuple of 2 values (total: a tensor of shape (); squares: a tensor of shape (4,))" in message(lambda x: "both")


# --- where it is asked, and where not ---


def test_what_wrong_answers_would_give_is_computed_when_one_has_come_and_once():
    trial, calls = draw(DEMO, SEED), []
    counted = replace(
        trial,
        find_mistaken=lambda: calls.append("mistaken") or trial.mistaken,
        find_changed=lambda: calls.append("changed") or trial.changed,
    )
    judge(counted, ask_all(model, counted.ask_with, counted.inputs))
    judge(counted, [Outcome(State.TIMED_OUT, message="no answer after 10 seconds")] * 2)
    assert calls == []
    for _ in range(2):
        judge(counted, ask_all(lambda x, w, scale: model(x * x, w, scale), counted.ask_with, counted.inputs))
    assert calls == ["changed"]  # it declares no misconceptions, so there was nothing to hold it against


def test_a_bundle_says_the_same_as_the_full_course(tmp_path):
    for exercise_id in (
        "lora.forward",
        "lora.adamw_step",
        "sentiment.warmup_lr",
        "domain.kl_divergence",
        "pretraining.objective",
    ):
        trial = draw(exercises[exercise_id], SEED)
        save(trial, tmp_path)
        again = load(exercise_id, tmp_path)
        for name, wrong in wrong_answers()[exercise_id].items():
            there, here = (mark(t, wrong) for t in (trial, again))
            assert there == here, name


def test_a_symptom_that_fails_costs_a_sentence_and_no_mark(monkeypatch):
    trial = draw(DEMO, SEED)
    monkeypatch.setattr("autograder.judging.judge.find.symptoms", lambda *_: 1 / 0)
    report = judge(trial, ask_all(lambda x, w, scale: x, trial.ask_with, trial.inputs))
    assert report.symptoms == [] and report.message.startswith("Right shape, wrong values")


def test_nothing_is_written_beside_the_report(capfd):
    """A line on stderr costs a mark under plain nbgrader, and numbers that are not finite make NumPy warn."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for answer in (
            lambda x, w, scale: x * math.nan,
            lambda x, w, scale: x / 0,
            lambda x, w, scale: torch.zeros(0, 4),
            lambda **i: [],
        ):
            mark(draw(DEMO, SEED), answer)
    assert capfd.readouterr().err == ""
