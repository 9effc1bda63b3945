"""Exercises of chapter 03 on the distance of two distributions, and on what has moved between them."""

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

# --- shift_kind -------------------------------------------------------------------------------------------------------


def _table(rng: np.random.Generator, marginal: np.ndarray | None = None, given: np.ndarray | None = None) -> np.ndarray:
    """A joint table of 3 x and 2 y, each part drawn unless it is given; no entry is small."""
    marginal = np.array(_drawn(rng, 3)) if marginal is None else marginal
    high = rng.uniform(0.6, 0.85)
    given = np.array([[high, 1 - high], [0.5, 0.5], [0.25, 0.75]]) if given is None else given
    return marginal[:, None] * given


def _kinds(rng: np.random.Generator) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """A source and a target for each kind of shift. Both marginals move, unless the name says that they stand."""
    x, moved_x = np.array([0.5, 0.3, 0.2]), np.array([0.15, 0.25, 0.6]) + 0.02 * rng.uniform(-1, 1) * np.array([1, -1, 0])
    source = _table(rng, x)
    given = source / source.sum(1, keepdims=True)
    by_label = source / source.sum(0)  # P(x|y)
    half = 0.08 * np.array([[-1, 1], [1, -1], [0, 0]])  # moves P(y|x), and neither marginal
    return {
        "covariate": (source, _table(rng, moved_x, given)),
        "label": (source, by_label * np.array([0.2, 0.8])),
        "concept": (source, _table(rng, moved_x, given[::-1])),
        "concept, P(x) stands": (source, _table(rng, x, given[::-1])),
        "concept, both marginals stand": (source, source + half),
        "covariate, an x is gone": (source, _table(rng, np.array([0.4, 0.6, 0.0]), given)),
        "label, a y is gone": (source, by_label * np.array([0.0, 1.0])),
        "none": (source, source.copy()),
    }


def shift_kind_cases(rng: np.random.Generator) -> list[Case]:
    k = {name: {"source": a.tolist(), "target": b.tolist()} for name, (a, b) in _kinds(rng).items()}
    return [
        Case("P(x) and P(y) move, P(y|x) stands", k["covariate"], "stands"),
        Case("P(x) and P(y) move, P(x|y) stands", k["label"], "stands"),
        Case("everything moves", k["concept"], "concept"),
        Case("P(x) stands, P(y|x) moves", k["concept, P(x) stands"], "concept"),
        Case("P(x) and P(y) both stand, the table does not", k["concept, both marginals stand"], "concept"),
        Case("one x does not occur any more, P(y|x) stands for the others", k["covariate, an x is gone"], "gone"),
        Case("one y does not occur any more, P(x|y) stands for the other", k["label, a y is gone"], "gone"),
        Case("the same table twice", k["none"], "none"),
    ]


def _what_moved(source: Sequence, target: Sequence, *, gone: bool = True) -> tuple[bool, bool, bool, bool]:
    """Whether P(x), P(y), P(y|x) and P(x|y) have moved; without `gone`, a row that is gone counts as moved."""
    a, b = np.asarray(source, dtype=float), np.asarray(target, dtype=float)

    def given(a: np.ndarray, b: np.ndarray) -> bool:
        rows = b.sum(1) > 0 if gone else np.ones(len(b), dtype=bool)
        with np.errstate(all="ignore"):
            gaps = a[rows] / a[rows].sum(1, keepdims=True) - b[rows] / b[rows].sum(1, keepdims=True)
        return bool(not (np.abs(gaps) < 1e-9).all())  # nan is no number below anything

    x, y = (bool((np.abs(a.sum(axis) - b.sum(axis)) > 1e-9).any()) for axis in (1, 0))
    return x, y, given(a, b), given(a.T, b.T)


def _kind_by(rule: Callable[[bool, bool, bool, bool], str], **how: bool) -> Callable:
    def wrong(source: Sequence, target: Sequence) -> str:
        return "none" if np.allclose(source, target, rtol=0, atol=1e-9) else rule(*_what_moved(source, target, **how))

    return wrong


shift_kind = Exercise(
    id="domain.shift_kind",
    answer=answers.domain_shift_kind,
    cases=shift_kind_cases,
    parts=[
        Part("one conditional stands", 2, on="stands"), Part("concept shift", 1, on="concept"),
        Part("something is gone", 1, on="gone"), Part("nothing has moved", 1, on="none"),
    ],
    misconceptions=[
        Misconception(
            "by_marginals", _kind_by(lambda x, y, yx, xy: "covariate" if x else "label" if y else "concept"), earns=1,
            says="You went by what has moved among P(x) and P(y). Usually both move, whatever the cause. What names the kind is "
            "the conditional that *stands*: P(y|x) for covariate shift, P(x|y) for label shift.",
        ),
        Misconception(
            "exchanged", _kind_by(lambda x, y, yx, xy: "covariate" if not xy else "label" if not yx else "concept"), earns=2,
            says="You have the two conditionals exchanged. A row is an x: P(y|x) divides each row by its sum, P(x|y) each "
            "column.",
        ),
        Misconception(
            "other_marginal_must_stand",
            _kind_by(lambda x, y, yx, xy: "covariate" if not (yx or y) else "label" if not (xy or x) else "concept"), earns=2,
            says="You ask that P(y) stands in a covariate shift. It moves as a consequence: P(y) is the sum over x of P(x) "
            "P(y|x). In the same way P(x) moves in a label shift.",
        ),
        Misconception(
            "gone_is_moved",
            _kind_by(lambda x, y, yx, xy: "covariate" if not yx else "label" if not xy else "concept", gone=False), earns=4,
            says="An x that does not occur any more has no P(y|x): you divided by a sum of zero. Compare the rows that occur.",
        ),
        Misconception(
            "concept_if_x_moved_too",
            _kind_by(lambda x, y, yx, xy: "covariate" if x and not yx else "concept" if yx and not x else "label"), earns=4,
            says="You take what is neither covariate nor clean for label shift. In a concept shift P(x) may move as well; a "
            "label "
            "shift asks that P(x|y) stands.",
        ),
    ],
)
