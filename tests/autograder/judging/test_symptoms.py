"""Each symptom speaks of what it names, in every exercise in which that can be, and is silent about right answers."""

import math
import warnings

import numpy as np
import torch

from autograder import exercises
from autograder.asking.ask import Outcome, ask_all
from autograder.asking.state import State
from autograder.asking.values import Raised
from autograder.exercises.drawing import draw
from autograder.exercises.exercise import Exercise
from autograder.judging.judge import _read, judge
from autograder.judging.symptoms.find import symptoms

SEED = 3
TRIALS = {
    i: draw(exercise, SEED) for i, exercise in exercises.items() if isinstance(exercise, Exercise) and not exercise.measured
}


def of_numbers(turn):
    """The turn of a number or an array, value by value, and None where there are words or nothing is changed by it."""

    def turned(output):
        if isinstance(output, tuple):
            values = [turned(value) for value in output]
            return tuple(values) if all(value is not None for value in values) else None
        if isinstance(output, (str, bool)) or output is None:
            return None
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            value = turn(np.asarray(output, float))
        return None if value is None or not np.isfinite(value).all() else value

    return turned


def only(ndim, turn):
    return lambda a: turn(a) if a.ndim >= ndim and a.size > 2 and len(a) > 1 and len(np.unique(a)) > 2 else None


TURNS = {  # name of the symptom, and what makes it of the right output
    "sign": of_numbers(lambda a: -a),
    "factor": of_numbers(lambda a: 2 * a),
    "factor, half": of_numbers(lambda a: a / 2),
    "factor, percent": of_numbers(lambda a: 100 * a),
    "factor, bits": of_numbers(lambda a: a / math.log(2)),
    "factor, base 10": of_numbers(lambda a: a / math.log(10)),
    "log": of_numbers(np.log),
    "exp": of_numbers(lambda a: np.exp(a) if np.abs(a).max() < 20 else None),
    "square": of_numbers(np.square),
    "root": of_numbers(np.sqrt),
    "inverse": of_numbers(lambda a: 1 / a),
    "complement": of_numbers(lambda a: 1 - a),
    "offset": of_numbers(lambda a: a + 1),
    "rounded": of_numbers(lambda a: np.round(a, 1)),
    "rounded, floor": of_numbers(np.floor),
    "zeros": of_numbers(np.zeros_like),
    "transposed": of_numbers(only(2, lambda a: np.swapaxes(a, -1, -2))),
    "reversed_order": of_numbers(only(1, lambda a: a[::-1])),
    "shifted": of_numbers(only(1, lambda a: np.roll(a, 1, -1))),
    "in_another_order": of_numbers(only(1, lambda a: np.sort(a, -1))),
    "another_shape": of_numbers(lambda a: a[..., None] if a.ndim else None),
    "reduced": of_numbers(only(1, lambda a: a.sum(0))),
    "a_part": of_numbers(only(1, lambda a: a[:-1])),
    "one_for_all": of_numbers(only(1, lambda a: np.full(a.shape, a.mean()))),
    "common_factor": of_numbers(only(1, lambda a: 1.7 * a)),
    "values_in_another_order": lambda output: output[::-1] if isinstance(output, tuple) and len(output) == 2 else None,
    "one_value_only": lambda output: output[0] if isinstance(output, tuple) else None,
    "returned_none": lambda output: None,
    "another_type": lambda output: {"a": 1},
}
MEANS = {  # what says the same, where an exercise is as it is
    "transposed": {"another_shape"},
    "in_another_order": {"reversed_order"},
    "rounded": {"zeros"},
    "one_for_all": {"zeros", "beta_zero"},
    "shifted": {"reversed_order", "logits_rows_shifted"},
}
SAID = {"returned_none": "returned None", "another_type": "came a dict", "one_value_only": "came the string"}  # that is enough
OTHERWISE = {  # what is said is true, and something else; or the exercise has too few numbers for it
    ("continual.predict_buffer", "reduced"): "the sum of what is kept is the capacity, which is an input",
    ("claims.predict_factors", "complement"): "five fixed numbers: 1 - 50 is 50, with a minus, by a kilo's two sizes",
    ("claims.predict_factors", "offset"): "five fixed numbers: 50 + 1 is 50 by a kilo's two sizes, and 1 + 1 is twice 1",
    ("pretraining.forecast", "values_in_another_order"): "a string came where a number is asked for",
    ("pretraining.fill_blank", "one_for_all"): "it is what comes out for a place that is always 100",
    ("sentiment.evaluate", "rounded"): "two numbers, and a probe that stands between",
    ("transfer.thaw", "rounded"): "weights that a probe reads off after a training: only exact relations are asked",
    ("transfer.thaw", "rounded, floor"): "the same",
    ("transfer.thaw", "one_for_all"): "the same",
    ("transfer.thaw", "common_factor"): "the same",
}


def outcomes(trial, turn):
    """What came, if every right output were turned; None where it cannot be."""
    out = []
    for case in trial.cases:
        expected = case["expected"]
        if isinstance(expected, Raised):
            out.append(Outcome(State.RAISED, message="it raised it", error=expected.error))
            continue
        value = turn(expected)
        if value is None and turn is not TURNS["returned_none"]:
            return None
        out.append(Outcome(State.RETURNED, value))
    return out


def flat(found):
    """The numbers of all outputs in one row, to see whether two turns come to the same."""
    rows = []
    for outcome in found:
        values = outcome.value if isinstance(outcome.value, tuple) else (outcome.value,)
        rows += [np.ravel(np.asarray(v, float)) for v in values if isinstance(v, (int, float, np.ndarray))]
    return np.concatenate(rows) if rows else np.zeros(0)


def test_each_symptom_speaks_of_what_it_names_wherever_that_can_be():
    spoke, wrong, otherwise = dict.fromkeys(TURNS, 0), [], set()
    for exercise_id, trial in TRIALS.items():
        every = {name: found for name, turn in TURNS.items() if (found := outcomes(trial, turn))}
        for name, found in every.items():
            report = judge(trial, found)
            if report.score == report.points or report.misconception:
                continue  # it is no mistake here, or one that is known
            mine = flat(found)
            same = {
                n for n, other in every.items() if flat(other).shape == mine.shape and np.allclose(flat(other), mine, rtol=1e-3)
            }
            named = {n.split(",")[0] for n in {name, *same}}
            named |= set().union(*(MEANS.get(n, set()) for n in named))
            if mine.size and np.ptp(mine) <= 1e-4 * np.abs(mine).max():
                named.add("same_whatever")
            if named & set(report.symptoms) or name in SAID and SAID[name] in report.message:
                spoke[name] += 1
            elif (exercise_id, name) in OTHERWISE:
                otherwise.add((exercise_id, name))
            else:
                wrong.append((exercise_id, name, report.symptoms, report.message))
    assert not wrong, "\n".join(map(str, wrong))
    assert otherwise == set(OTHERWISE)  # none is kept that is no longer needed
    assert min(spoke.values()) >= 5, spoke


def test_right_answers_have_no_symptoms_however_they_come():
    """Nothing is said of what is right; not even when it is asked outright, as the judge does not."""
    for exercise_id, trial in TRIALS.items():
        right = ask_all(exercises[exercise_id].answer, trial.ask_with, trial.inputs, seed=SEED)
        for turn in (lambda v: v, as_lists, a_little_off):
            came = [Outcome(o.state, turn(o.value), error=o.error) for o in right]
            readings = [_read(case["expected"], o) for case, o in zip(trial.cases, came, strict=True)]
            assert symptoms(trial, came, readings, lambda trial=trial: trial.changed) == []
            assert judge(trial, came).symptoms == []


def as_lists(value):
    if isinstance(value, tuple):
        return tuple(map(as_lists, value))
    return value.tolist() if hasattr(value, "tolist") else value


def a_little_off(value):
    """Within the tolerance, as float32 and another order of summing are."""
    if isinstance(value, tuple):
        return tuple(map(a_little_off, value))
    return (
        value * (1 + 1e-7)
        if isinstance(value, float) or getattr(value, "dtype", None) in (torch.float32, torch.float64)
        else value
    )
