"""The judge reads any right answer, and says in one sentence what is wrong with any other."""

import math
import time
import warnings

import numpy as np
import pytest
import torch

from autograder import exercises, grade
from autograder.asking.ask import PRINT_LIMIT, ask_all
from autograder.asking.values import Unreadable, difference, plain, read, same
from autograder.check import mark
from autograder.exercises.drawing import draw
from autograder.exercises.exercise import AuthorError, Case, Exercise, Misconception, Part
from autograder.judging.judge import judge
from autograder.judging.trial import RAISES, load, save

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
    refused = [(str, "the string"), (bool, "came True"), (complex, "expected a number"), (half_more, "not the expected")]
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
    "transposed": (lambda **i: forward(**i).T, "wrong", "it is transposed"),
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


def test_a_loop_without_end_costs_one_budget_for_all_cases():
    trial = draw(exercises[MAIN], 3)
    outcomes = ask_all(endless_loop, trial.ask_with, trial.inputs, seconds=0.3)
    assert [o.state for o in outcomes] == ["timed out"] * 3
    assert "never ends" in judge(trial, outcomes).message


def test_a_bare_except_does_not_outlive_the_time_limit():
    def stubborn(**inputs):
        for _ in range(3):
            try:
                while True:
                    pass
            except BaseException:
                continue
        return None

    trial = draw(exercises[MAIN], 3)
    begun = time.monotonic()
    outcomes = ask_all(stubborn, trial.ask_with, trial.inputs[:1], seconds=0.2)
    assert 0.2 <= time.monotonic() - begun < 10  # interrupted again each time it caught the interruption
    assert outcomes[0].state == "returned" and outcomes[0].value is None


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
    assert report.message.count(".") <= 3 and "Right shape, wrong values" in report.message


def test_seeds_decide_the_inputs_and_no_seed_means_fresh_ones():
    first, again, other = (draw(exercises["lora.forward"], seed) for seed in (1, 1, 2))
    x = [trial.cases[0]["inputs"]["x"] for trial in (first, again, other)]
    assert torch.equal(x[0], x[1]) and not torch.equal(x[0], x[2])
    assert grade(MAIN, forward).seed != grade(MAIN, forward).seed


# --- reading values ---


@pytest.mark.parametrize(
    ("came", "wanted", "agree"),
    [
        (1.00005, 1.0, True), (1.0002, 1.0, False), (0.0, 0.0, True), (1e-3, 0.0, False),
        (math.nan, 1.0, False), (math.inf, math.inf, True), (-math.inf, math.inf, False), (1e9, math.inf, False),
        ([1.0, 1e-5], [1.0, 0.0], True),  # the scale is the whole tensor's, so rounding near zero is forgiven
        ([1e-3, 1e-5], [1e-3, 0.0], False),
        ([[1.0, 2.0]], [1.0, 2.0], False),
        ((1.0, 2.0), (1.0, 2.1), False),
        ("mlm", "clm", False), ("mlm", "mlm", True), (True, True, True),
    ],
)
def test_agreement(came, wanted, agree):
    came, wanted = (plain(np.array(v)) if isinstance(v, list) else v for v in (came, wanted))
    assert same(came, wanted) is agree
    assert (difference(came, wanted) is None) is agree


def test_two_numbers_may_come_in_an_array_and_a_rounded_one_is_told():
    exact = exercises["lora.attention_budget"].answer
    for kind in (np.array, torch.tensor, list):
        assert grade("lora.attention_budget", lambda kind=kind, **i: kind(exact(**i)), seed=1).state == "right"
    rounded = grade("lora.multi_task_ratio", lambda **i: round(exercises["lora.multi_task_ratio"].answer(**i), 2), seed=1)
    assert "look for a rounding" in rounded.message


def test_reading_keeps_bfloat16_and_integers_and_refuses_too_much():
    assert same(read(torch.ones(2, 2, dtype=torch.bfloat16), np.zeros((2, 2))), np.ones((2, 2)))
    assert read(np.int32(7), 5) == 7
    with pytest.raises(Unreadable, match="small tensor"):
        read(np.zeros(2_000_000), np.zeros(3))
    with pytest.raises(Unreadable, match="tuple of 2 values, came 3 values"):
        read((1, 2, 3), (1.0, 2.0))


# --- trials as data, and authors' mistakes ---


def test_a_trial_survives_the_disk_and_marks_the_same(tmp_path):
    for exercise_id in ("lora.gradient", "lora.attention_budget", "lora.merge"):
        exercise = exercises[exercise_id]
        trial = draw(exercise, 11)
        save(trial, tmp_path)
        again = load(exercise_id, tmp_path)
        for answer in [exercise.answer, lambda **i: None, *(m.wrong for m in exercise.misconceptions)]:
            assert mark(trial, answer) == mark(again, answer)
    assert not list(tmp_path.glob("*.pkl"))
    with pytest.raises(KeyError, match="no exercise 'lora.nothing'; known here: lora.attention_budget"):
        load("lora.nothing", tmp_path)


def _exercise(**changes):
    given = dict(
        id="demo.double", answer=lambda x: 2 * x, cases=lambda rng: [Case("x = 2", {"x": 2.0})], parts=[Part("value", 1)],
        misconceptions=[Misconception("square", lambda x: x * x + 1, "that is a square")],
    )
    return Exercise(**given | changes)


def test_a_misconception_no_case_can_tell_apart_stops_the_build_with_file_and_line():
    blind = _exercise(misconceptions=[Misconception("square", lambda x: x * x, "2 + 2 = 2 · 2")])
    with pytest.raises(AuthorError, match=r"test_judge.py:\d+: exercise 'demo.double': misconception 'square' cannot be told"):
        draw(blind, 0)
    draw(_exercise(), 0)


def test_a_misconception_that_always_raises_stops_the_build():
    def broken(x):
        raise RuntimeError

    with pytest.raises(AuthorError, match="cannot be told"):
        draw(_exercise(misconceptions=[Misconception("broken", broken, "never read")]), 0)


def test_a_misconception_that_raises_in_one_case_is_known_by_the_others():
    def fails_on_negative(x):
        return math.sqrt(x)

    exercise = _exercise(
        cases=lambda rng: [Case("x = 9", {"x": 9.0}), Case("x = -1", {"x": -1.0})],
        misconceptions=[Misconception("root", fails_on_negative, "that is the root")],
    )
    trial = draw(exercise, 0)
    assert trial.cases[1]["mistaken"]["root"] == RAISES
    assert mark(trial, lambda x: x**0.5 if x > 0 else None).misconception == "root"
    assert mark(trial, lambda x: 3.0).misconception is None  # agrees with the root once, and then does not


def test_unknown_ids_are_answered_with_what_is_known():
    with pytest.raises(KeyError, match=r"no exercise 'lora.forwards'; known: lora\..*lora.forward, "):
        exercises["lora.forwards"]
    with pytest.raises(KeyError, match=r"known: .*lora.…, .*quickstart.…"):
        exercises["nothing.at_all"]
