"""Exercises of chapter 03 on the distance of two distributions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

import solutions.domain as answers
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- kl_divergence ----------------------------------------------------------------------------------------------------


def _drawn(rng: np.random.Generator, size: int) -> list[float]:
    """A distribution no entry of which is small, so that every term counts."""
    weights = rng.uniform(0.2, 1.0, size)
    return (weights / weights.sum()).tolist()


def _pair(rng: np.random.Generator, size: int) -> tuple[list[float], list[float]]:
    """Two distributions whose divergences in the two directions, and their mean, differ clearly."""
    while True:
        p, q = _drawn(rng, size), _drawn(rng, size)
        there, back = answers.domain_kl_divergence(p, q), answers.domain_kl_divergence(q, p)
        if there > 0.05 and abs(there - back) > 0.05 * there:
            return p, q


def kl_divergence_cases(rng: np.random.Generator) -> list[Case]:
    p, q = _pair(rng, 4)
    zero, whole = _drawn(rng, 3) + [0.0], _drawn(rng, 4)
    negative = [0.7, 0.5, -0.2]
    too_much = (1.2 * np.array(_drawn(rng, 3))).tolist()
    return [
        Case("p = (.7, .2, .1), q = (.6, .3, .1)", {"p": [0.7, 0.2, 0.1], "q": [0.6, 0.3, 0.1]}, "plain"),
        Case("four probabilities", {"p": p, "q": q}, "plain"),
        Case("a zero in p", {"p": zero, "q": whole}, "zero in p"),
        Case("zeros in both at the same place", {"p": zero, "q": _drawn(rng, 3) + [0.0]}, "zero in p"),
        Case("a zero in q where p has none", {"p": whole, "q": zero}, "zero in q"),
        Case("p has a negative entry", {"p": negative, "q": [0.3, 0.3, 0.4]}, "refused"),
        Case("q has a negative entry", {"p": [0.3, 0.3, 0.4], "q": negative}, "refused"),
        Case("p sums to 1.2", {"p": too_much, "q": _drawn(rng, 3)}, "refused"),
        Case("q sums to 1.2", {"p": _drawn(rng, 3), "q": too_much}, "refused"),
    ]


def _checked(formula: Callable[[list[float], list[float]], float]) -> Callable:
    """A wrong formula behind the right checks."""

    def wrong(p: Sequence[float], q: Sequence[float]) -> float:
        answers.domain_kl_divergence(p, q)  # refuses what has to be refused
        return formula(list(p), list(q))

    return wrong


def _terms(p: list[float], q: list[float], log: Callable[[float], float] = math.log) -> float:
    return float(sum(a * log(a / b) if b > 0 else math.inf for a, b in zip(p, q, strict=True) if a > 0))


def _cross_entropy(p: list[float], q: list[float]) -> float:
    return -float(sum(a * math.log(b) if b > 0 else -math.inf for a, b in zip(p, q, strict=True) if a > 0))


kl_divergence = Exercise(
    id="domain.kl_divergence",
    answer=answers.domain_kl_divergence,
    cases=kl_divergence_cases,
    refuses=ValueError,
    parts=[
        Part("value", 2, on="plain"), Part("p is zero", 1, on="zero in p"), Part("q is zero", 1, on="zero in q"),
        Part("refuses what is no distribution", 1, on="refused"),
    ],
    misconceptions=[
        Misconception(
            "reversed", _checked(lambda p, q: _terms(q, p)), earns=1,
            says="This is KL(q || p): the arguments are the other way round. KL is not symmetric. In KL(p || q) the outcomes are "
            "drawn from p, so each log ratio is weighted with p.",
        ),
        Misconception(
            "bits", _checked(lambda p, q: _terms(p, q, math.log2)), earns=2,
            says="These are bits: you used the logarithm to base 2. Nats take the natural logarithm; a bit is 0.693 nats.",
        ),
        Misconception(
            "symmetrised", _checked(lambda p, q: (_terms(p, q) + _terms(q, p)) / 2), earns=2,
            says="You averaged both directions. That is a symmetric divergence (Jeffreys'), not KL(p || q).",
        ),
        Misconception(
            "zeros_of_q_skipped",
            _checked(lambda p, q: float(sum(a * math.log(a / b) for a, b in zip(p, q, strict=True) if a > 0 and b > 0))), earns=4,
            says="You left out the outcomes with q = 0. They make KL infinite: p says they happen, q says they cannot. "
            "Leaving them out can even make the result negative.",
        ),
        Misconception(
            "smoothed",
            _checked(lambda p, q: float(sum(a * math.log((a + 1e-10) / (b + 1e-10)) for a, b in zip(p, q, strict=True)))),
            earns=4,
            says="You added a small number to avoid the zero. The result is then a finite number that depends on the small "
            "number: with q = 0 < p the divergence is infinite, so say so.",
        ),
        Misconception(
            "cross_entropy", _checked(_cross_entropy), earns=2,
            says="This is the cross-entropy, -sum p ln q. KL is what it has above the entropy of p: subtract -sum p ln p.",
        ),
        Misconception(
            "sign", _checked(lambda p, q: -_terms(p, q)), earns=1,
            says="The sign is turned round: KL is never negative. The ratio in the logarithm is p / q.",
        ),
    ],
)
