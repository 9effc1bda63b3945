"""Trials and reports as data: what is written down marks, and says, the same when it is read again."""

import json
import math

import pytest
import torch

from autograder import exercises, grade
from autograder.asking.state import State
from autograder.asking.values import Raised
from autograder.checking import mark
from autograder.exercises.drawing import draw
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.report import Report, Row
from autograder.judging.trial import load, save


@pytest.mark.parametrize("exercise_id", ["lora.gradient", "lora.attention_budget", "lora.merge", "domain.kl_divergence"])
def test_a_trial_survives_the_disk_and_marks_the_same(tmp_path, exercise_id):
    exercise = exercises[exercise_id]
    trial = draw(exercise, 11)
    save(trial, tmp_path)
    again = load(exercise_id, tmp_path)
    for answer in [exercise.answer, lambda **i: None, *(m.wrong for m in exercise.misconceptions)]:
        assert mark(trial, answer) == mark(again, answer)
    assert {path.suffix for path in tmp_path.iterdir()} == {".json", ".safetensors"}
    with pytest.raises(KeyError, match=f"no exercise 'lora.nothing'; known here: {exercise_id}"):
        load("lora.nothing", tmp_path)


@pytest.mark.parametrize("name", ["tensor", "tuple", "array", "dict", "opaque", "raised"])
def test_an_input_may_have_any_name(tmp_path, name):
    exercise = Exercise(
        id="demo.any", answer=lambda **inputs: float(sum(inputs[name])), parts=[Part("value", 1)], misconceptions=[],
        cases=lambda rng: [Case("alone", {name: [1.0, 2.0]}), Case("in a dict", {name: torch.ones(2)})],
    )
    trial = draw(exercise, 0)
    save(trial, tmp_path)
    again = load("demo.any", tmp_path)
    assert again.cases[0] == trial.cases[0] and mark(again, exercise.answer).state == "right"


def test_a_misconception_that_raises_in_one_case_is_known_by_the_others():
    exercise = Exercise(
        id="demo.root", answer=lambda x: 2 * x, parts=[Part("value", 1)],
        cases=lambda rng: [Case("x = 9", {"x": 9.0}), Case("x = -1", {"x": -1.0})],
        misconceptions=[Misconception("root", lambda x: math.sqrt(x), "that is the root")],
    )
    trial = draw(exercise, 0)
    assert trial.mistaken[1]["root"] == Raised("ValueError")
    assert mark(trial, lambda x: x**0.5 if x > 0 else None).misconception == "root"
    assert mark(trial, lambda x: 3.0).misconception is None  # agrees with the root once, and then does not


def test_a_misconception_of_another_kind_is_recognised():
    exercise = Exercise(
        id="demo.pair", answer=lambda x: (x, 2 * x), cases=lambda rng: [Case("x = 9", {"x": 9.0})], parts=[Part("value", 1)],
        misconceptions=[
            Misconception("one", lambda x: x, "that is one"), Misconception("nothing", lambda x: None, "that is none"),
        ],
    )
    trial = draw(exercise, 0)
    assert mark(trial, lambda x: x).message == "that is one" and mark(trial, lambda x: None).message == "that is none"


def test_a_report_survives_as_json():
    wrong = exercises["lora.merge"].misconceptions[0].wrong
    reports = [grade("lora.merge", wrong, 3), grade("lora.merge", lambda **i: i["x"], 3)]
    assert reports[1].error == "KeyError"
    for report in reports:
        again = Report.from_dict(json.loads(json.dumps(report.to_dict())))
        assert again == report and type(again.state) is State and type(again.rows[0]) is Row
        assert type(report.to_dict()["state"]) is str
    with pytest.raises(ValueError, match="mended"):
        Report.from_dict(reports[0].to_dict() | {"state": "mended"})


def test_an_authors_error_stops_no_grading():
    blind = Exercise(
        id="demo.double", answer=lambda x: 2 * x, cases=lambda rng: [Case("x = 2", {"x": 2.0})], parts=[Part("value", 1)],
        misconceptions=[Misconception("square", lambda x: x * x, "2 + 2 = 2 · 2")],
    )
    assert mark(draw(blind, 0), lambda x: 2 * x).state == "right"


def test_unknown_ids_are_answered_with_what_is_known():
    with pytest.raises(KeyError, match=r"no exercise 'lora.forwards'; known: lora\..*lora.forward, "):
        exercises["lora.forwards"]
    with pytest.raises(KeyError, match=r"known: .*lora.…, .*quickstart.…"):
        exercises["nothing.at_all"]
