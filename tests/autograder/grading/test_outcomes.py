"""What came back from the sandbox: nothing in it is believed."""

import pytest
import torch

from autograder.exercises import exercises
from autograder.exercises.drawing import draw
from autograder.grading.outcomes import instead, outcomes_of
from autograder.judging.judge import judge
from autograder.notebooks.names import Ran

FORWARD = "quickstart.lora_forward"


@pytest.fixture(scope="module")
def trial():
    return draw(exercises[FORWARD], 1)


@pytest.mark.parametrize("answer", [
    None, 4.0, [], {}, {"id": "another", "outcomes": []}, {"id": FORWARD}, {"id": FORWARD, "outcomes": 3},
    {"id": FORWARD, "outcomes": []}, {"id": FORWARD, "outcomes": [{"state": "returned"}]},
    {"id": FORWARD, "outcomes": [{"state": "right"}] * 3}, {"id": FORWARD, "outcomes": [{"state": ["x"]}] * 3},
    {"id": FORWARD, "outcomes": [{"state": "crashed"}] * 3}, {"id": FORWARD, "outcomes": [None, 1, []]},
    {"id": FORWARD, "instead": "right"}, {"id": FORWARD, "instead": ["missing"]},
])
def test_an_answer_that_is_none_scores_nothing(trial, answer):
    report = judge(trial, outcomes_of(trial, answer, ()))
    assert (report.score, report.state) == (0.0, "unreadable")


def test_what_a_submission_says_of_its_inputs_is_checked(trial):
    claims = {"state": "returned", "message": 3, "printed": "x\ud800", "changed": ["x", "expected", 7, "x"]}
    claimed = [claims | {"value": torch.from_numpy(case["expected"])} for case in trial.cases]
    found = outcomes_of(trial, {"id": FORWARD, "outcomes": claimed}, ())
    assert [outcome.changed for outcome in found] == [["x"]] * 3
    assert (found[0].message, found[0].printed) == ("", "x?")
    assert judge(trial, found).score == 4.0


def test_a_missing_answer_says_why(trial):
    missing = {"id": FORWARD, "instead": "missing"}
    assert judge(trial, outcomes_of(trial, missing, ())).state == "not attempted"
    cell = Ran("def lora_forward(x", "SyntaxError: '(' was never closed (line 1)")
    report = judge(trial, outcomes_of(trial, missing, [cell]))
    assert report.state == "raised"
    assert report.message == f"The cell that defines lora_forward is not Python, so nothing in it was run: {cell.error}."
    older = {"id": FORWARD, "outcomes": []}  # the function of an earlier cell answered
    assert judge(trial, outcomes_of(trial, older, [Ran("def lora_forward(): pass"), cell])).message == report.message
    for state in ("timed out", "crashed"):
        assert judge(trial, instead(trial, state)).state == state
