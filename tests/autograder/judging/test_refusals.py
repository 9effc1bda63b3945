"""Inputs that have to be refused: an exception is then what is right, and no value imitates one."""

import math

import numpy as np
import pytest

from autograder import grade
from autograder.asking.values import Raised


def kl(p, q, *, refuse=ValueError, always=False):
    if refuse and (always or min(*p, *q) < 0 or abs(sum(p) - 1) > 1e-6 or abs(sum(q) - 1) > 1e-6):
        raise refuse("no distribution")
    with np.errstate(all="ignore"):
        return sum(a * (math.log(a / b) if b > 0 else math.inf) for a, b in zip(p, q, strict=True) if a > 0)


class Own(ValueError):
    pass


@pytest.mark.parametrize("how", [{}, {"refuse": Own}])
def test_a_refusal_is_right_where_it_is_asked_for(how):
    assert grade("domain.kl_divergence", lambda p, q: kl(p, q, **how), seed=3).state == "right"


@pytest.mark.parametrize(("answer", "sentence"), [
    (lambda p, q: kl(p, q, refuse=None) if min(*p, *q) >= 0 else 0.85,
     "Expected a ValueError for this input, your function returned 0.85 (case: p has a negative entry)"),
    (lambda p, q: kl(p, q, refuse=TypeError), "Expected a ValueError for this input; it raised TypeError: no distribution ("),
])
def test_what_should_have_been_refused_says_so(answer, sentence):
    report = grade("domain.kl_divergence", answer, seed=3)
    assert (report.score, report.state) == (4.0, "partial") and report.message.startswith(sentence)


@pytest.mark.parametrize(("exercise_id", "imitation"), [
    ("domain.kl_divergence", "refused with ValueError"), ("domain.kl_divergence", ValueError("no")),
    ("domain.kl_divergence", Raised("ValueError")), ("continual.replay_batch", (-1, -1, -1.0)),
    ("transfer.trainable_parameters", ValueError),
])
def test_no_value_imitates_an_exception(exercise_id, imitation):
    report = grade(exercise_id, lambda **inputs: imitation, seed=3)
    assert report.score == 0 and "ValueError" in report.rows[-1].comment


def test_refusing_everything_earns_the_refusals_only():
    report = grade("domain.kl_divergence", lambda p, q: kl(p, q, always=True), seed=3)
    assert (report.score, report.state, report.error) == (1.0, "partial", "ValueError")
    half = grade("domain.kl_divergence", lambda p, q: kl(p, q) if min(*p, *q) < 0 else 7.0, seed=3)
    assert (half.state, half.error) == ("wrong", "")  # what it raised, it raised rightly
