"""The judge reads any right answer, and says in one sentence what is wrong with any other."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from autograder import exercises, grade
from autograder.asking.ask import PRINT_LIMIT, ask_all
from autograder.checking import mark
from autograder.exercises.drawing import draw
from autograder.judging.judge import judge

MAIN = "quickstart.lora_forward"


def forward(x, W0, lora_A, lora_B):
    return x @ W0.T + x @ lora_A.T @ lora_B.T


# --- right answers, however they are written ---


def in_numpy(x, W0, lora_A, lora_B):
    x, W0, A, B = (np.asarray(t) for t in (x, W0, lora_A, lora_B))
    return x @ W0.T + x @ A.T @ B.T


def in_plain_python(x, W0, lora_A, lora_B):
    x, W0, A, B = (t.tolist() for t in (x, W0, lora_A, lora_B))
    dot = lambda a, b: sum(p * q for p, q in zip(a, b, strict=True))  # noqa: E731
    rows = []
    for row in x:
        small = [dot(row, a) for a in A]
        rows.append([dot(row, w) + dot(small, b) for w, b in zip(W0, B, strict=True)])
    return rows


def with_list_of_tensors(x, W0, lora_A, lora_B):
    return [row @ W0.T + row @ lora_A.T @ lora_B.T for row in x]


def with_a_graph(x, W0, lora_A, lora_B):
    return forward(x.clone().requires_grad_(), W0, lora_A, lora_B)


def in_double(x, W0, lora_A, lora_B):
    return forward(x.double(), W0.double(), lora_A.double(), lora_B.double())


def with_other_names(inputs, weight, a, b):
    return forward(inputs, weight, a, b)


@pytest.mark.parametrize(
    "answer", [forward, in_numpy, in_plain_python, with_list_of_tensors, with_a_graph, in_double, with_other_names]
)
def test_a_right_answer_passes_however_it_is_written(answer):
    report = grade(MAIN, answer, seed=3)
    assert (report.state, report.score, report.misconception) == ("right", 4.0, None)


def test_numbers_pass_as_any_number_and_nothing_else_does():
    exact = exercises["lora.parameter_count"].answer
    for kind in (int, float, np.int64, np.float32, torch.tensor, lambda v: np.array([v])):
        assert grade("lora.parameter_count", lambda kind=kind, **i: kind(exact(**i)), seed=1).state == "right"
    half_more = lambda count: count + 0.5  # noqa: E731
    refused = [(str, "the string"), (bool, "came True"), (complex, "expected a number"), (half_more, "too large by 0.5")]
    for kind, sentence in refused:
        report = grade("lora.parameter_count", lambda kind=kind, **i: kind(exact(**i)), seed=1)
        assert report.score == 0 and sentence.casefold() in report.message.casefold()


# --- wrong in any way: one kind sentence, never a traceback ---


def endless_printing(**inputs):
    while True:
        print("still here")


def endless_loop(**inputs):
    while True:
        pass


def raises(**inputs):
    return {}["no such key"]


def leaves(**inputs):
    raise SystemExit(3)


WRONG = {
    "None": (lambda **i: None, "unreadable", "returned None"),
    "a string": (lambda **i: "h", "unreadable", "expected a tensor, came the string 'h'"),
    "a function": (lambda **i: print, "unreadable", "expected a tensor"),
    "a dict": (lambda **i: {"h": 1}, "unreadable", "expected a tensor"),
    "ragged lists": (lambda **i: [[1.0], [1.0, 2.0]], "unreadable", "not a regular block of numbers"),
    "complex numbers": (lambda **i: forward(**i) * 1j, "unreadable", "real numbers"),
    "transposed": (lambda **i: forward(**i).T, "wrong", "right values, transposed"),
    "nan": (lambda **i: forward(**i) * math.nan, "partial", "not a number"),
    "infinity": (lambda **i: forward(**i) + math.inf, "partial", "infinite"),
    "an exception": (raises, "raised", "KeyError: 'no such key' (line"),
    "exit": (leaves, "raised", "SystemExit: 3"),
    "missing name": (lambda **i: no_such_name, "raised", "NameError: name 'no_such_name'"),  # noqa: F821
    "too few parameters": (lambda x: x, "raised", "TypeError"),
    "endless printing": (endless_printing, "flooded", f"more than {PRINT_LIMIT:,} characters"),
    "not a function": (3.0, "not callable", "Expected a function, came float"),
}


@pytest.mark.parametrize("how", WRONG)
def test_a_wrong_answer_gets_a_sentence(how, capfd):
    answer, state, sentence = WRONG[how]
    report = grade(MAIN, answer, seed=3)
    assert report.state == state
    assert sentence.casefold() in report.message.casefold()
    assert report.score < report.points and "Traceback" not in report.text()
    assert capfd.readouterr().err == ""


def test_a_stub_is_not_attempted_but_an_unfinished_kernel_of_torch_is_an_error():
    def stub(**inputs):
        raise NotImplementedError

    def torch_says_so(**inputs):
        raise NotImplementedError("Could not run 'aten::addmm' with arguments from the 'Meta' backend")

    assert grade(MAIN, stub, seed=3).state == "not attempted"
    assert grade(MAIN, torch_says_so, seed=3).state == "raised"


def test_partial_work_earns_its_part_and_one_sentence():
    exact = exercises["lora.gradient"].answer

    def only_B(**inputs):
        grad_A, grad_B = exact(**inputs)
        return grad_A * 1.7, grad_B

    report = grade("lora.gradient", only_B, seed=5)
    assert report.state == "partial" and report.misconception is None
    assert {row.part: row.earned for row in report.rows} == {
        "shapes": 1, "grad_A": 0, "grad_B": 2, "first step, where B = 0": 1,
    }
    assert "Value 1 (grad_A): in each case all your values are the right ones times one factor" in report.message


def test_seeds_decide_the_inputs_and_no_seed_means_fresh_ones():
    first, again, other = (draw(exercises["lora.forward"], seed) for seed in (1, 1, 2))
    x = [trial.cases[0]["inputs"]["x"] for trial in (first, again, other)]
    assert torch.equal(x[0], x[1]) and not torch.equal(x[0], x[2])
    assert grade(MAIN, forward).seed != grade(MAIN, forward).seed


def test_two_numbers_may_come_in_an_array_and_a_rounded_one_is_told():
    exact = exercises["lora.attention_budget"].answer
    for kind in (np.array, torch.tensor, list):
        assert grade("lora.attention_budget", lambda kind=kind, **i: kind(exact(**i)), seed=1).state == "right"
    rounded = grade("lora.multi_task_ratio", lambda **i: round(exercises["lora.multi_task_ratio"].answer(**i), 2), seed=1)
    assert "rounded to 2 decimals" in rounded.message and "look for a rounding" in rounded.rows[0].comment


# --- what is told beside the marks ---


def test_a_warning_and_a_print_cost_nothing_and_are_shown():
    def chatty(**inputs):
        print("my intermediate shape is", tuple(inputs["x"].shape))
        warnings.warn("careful", stacklevel=1)
        np.log(np.zeros(1))
        return forward(**inputs)

    report = grade(MAIN, chatty, seed=3)
    assert report.state == "right"
    assert "my intermediate shape is (3, 5)" in report.text() and "careful" in report.text()


def test_an_answer_that_changes_its_inputs_is_told_and_harms_no_later_case():
    def in_place(x, W0, lora_A, lora_B):
        W0 += lora_B @ lora_A
        return x @ W0.T

    trial = draw(exercises[MAIN], 3)
    for _ in range(2):  # the second time would fail if the first had changed the trial's inputs
        report = mark(trial, in_place)
        assert report.state == "right" and "changes its input W0 in place" in report.message


def test_where_the_statement_forbids_it_a_change_in_place_costs_the_values():
    def in_place(W0, lora_A, lora_B, alpha):
        W0 += alpha / lora_A.shape[0] * lora_B @ lora_A
        return W0

    report = grade("lora.merge", in_place, seed=3)
    assert [row.earned for row in report.rows] == [1, 0, 0] and report.state == "partial"
    assert report.message.startswith("Your function changes its input W0 in place; work on a copy (case: 5 × 6")
    assert report.rows[2].comment == "the same" and report.text().count("in place") == 2  # the message and one row
    for exercise_id in ("lora.adamw_step", "sentiment.clip_by_norm"):
        trial = draw(exercises[exercise_id], 3)
        outcomes = ask_all(exercises[exercise_id].answer, trial.ask_with, trial.inputs)
        assert judge(trial, outcomes).state == "right"
        assert judge(trial, [replace(o, changed=["m", "v"]) for o in outcomes]).message.startswith(
            "Your function changes its inputs m and v in place; work on copies"
        )


def test_a_missing_transpose_is_said_once_and_in_words():
    report = grade(MAIN, lambda x, W0, lora_A, lora_B: x @ W0 + x @ lora_A @ lora_B, seed=3)
    assert (report.state, report.error) == ("raised", "RuntimeError")
    assert "cannot be multiplied by one of shape" in report.rows[0].comment and "is a transpose missing?" in report.message
    assert {row.comment for row in report.rows[1:]} == {"the same"}


def test_two_different_exceptions_are_both_said():
    def two(W0, lora_A, lora_B, alpha):
        raise (IndexError if W0.shape[0] == W0.shape[1] else KeyError)("no")

    said = [row.comment.split(":")[0] for row in grade("lora.merge", two, seed=3).rows]
    assert said == ["it raised KeyError", "the same", "it raised IndexError"]


def test_a_part_without_a_case_is_never_earned():
    trial = draw(exercises[MAIN], 3)
    nobodys = replace(trial, parts=[*trial.parts, trial.parts[0] | {"name": "typo", "on": "mian"}])
    with pytest.raises(ValueError, match="part 'typo' of quickstart.lora_forward covers no case"):
        mark(nobodys, lambda **inputs: None)
