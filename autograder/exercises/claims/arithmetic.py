"""Exercises of chapter A on arithmetic: which counts give a reported figure, quotients of several runs, factors predicted."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

import solutions.claims as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- possible_counts --------------------------------------------------------------------------------------------------


def possible_counts_cases(rng: np.random.Generator) -> list[Case]:
    n, small = (61, 67, 71, 73, 79, 83)[integer(rng, 0, 5)], (23, 29, 31, 37)[integer(rng, 0, 3)]
    many, right = integer(rng, 600, 900), integer(rng, 150, 500)
    one = next(k for k in rng.permutation(np.arange(20, n - 5)).tolist() if round(k / n, 4) > k / n)  # was rounded up
    gap = next(k for k in rng.permutation(np.arange(100, 900)).tolist()
               if not _fitting(Fraction(k, 1000), small, 3) and _fitting(Fraction(4 * k + 3, 4000), small, 3, Fraction(1, 5)))
    return [
        Case("one count fits", {"reported": f"{one / n:.4f}", "n": n}, "one"),
        Case("none fits", {"reported": f"0.{gap:03d}", "n": small}, "none"),
        Case("several fit", {"reported": f"{right / many:.2f}", "n": many}, "several"),
        Case("a half, rounded either way", {"reported": f"0.{integer(rng, 1, 4) * 2}5", "n": 200}, "several"),
        Case("all of them right", {"reported": "1.000", "n": small}, "one"),
    ]


def _fitting(value: Fraction, n: int, decimals: int, share: Fraction = Fraction(1, 2)) -> list[int]:
    return [k for k in range(n + 1) if abs(Fraction(k, n) - value) <= share / 10**decimals]


def _decimals(reported: str) -> int:
    return len(reported.split(".")[1])


def _above(k: int, reported: str, n: int) -> Fraction:
    """By how many halves of the last decimal's unit k / n lies above what was reported."""
    return 2 * 10 ** _decimals(reported) * (Fraction(k, n) - Fraction(reported))


possible_counts = Exercise(
    id="claims.possible_counts",
    answer=answers.claims_possible_counts,
    cases=possible_counts_cases,
    parts=[Part("one fits", 1, on="one"), Part("none fits", 1, on="none"), Part("several fit", 1, on="several")],
    misconceptions=[
        Misconception(
            "nearest_always", lambda reported, n: [round(float(reported) * n)],
            "You return the nearest count whether or not it gives the figure. Divide it by n again and round: does the figure "
            "come back?",
            earns=1,
        ),
        Misconception(
            "exact", lambda reported, n: [k for k in range(n + 1) if Fraction(k, n) == Fraction(reported)],
            "You ask for equality. The figure was rounded: 46 of 49 is 0.93877…, and is reported as 0.9388.",
            earns=1,
        ),
        Misconception(
            "whole_unit", lambda reported, n: _fitting(Fraction(reported), n, _decimals(reported), Fraction(1)),
            "You allow a whole unit of the last decimal. Rounding to the nearest moves a number by half a unit at most.",
            earns=1,
        ),
        Misconception(
            "cut_off", lambda reported, n: [k for k in range(n + 1) if 0 <= _above(k, reported, n) < 2],
            "You took the figure as cut off after its last decimal. It was rounded to the nearest: half a unit below it "
            "counts, and the upper half of a unit above it does not.",
        ),
        Misconception(
            "no_half", lambda reported, n: [k for k in range(n + 1) if abs(_above(k, reported, n)) < 1],
            "A quotient that lies at exactly half a unit is missing. It may have been rounded either way, so it counts.",
            earns=2,
        ),
        Misconception(
            "one_only", lambda reported, n: _fitting(Fraction(reported), n, _decimals(reported))[:1],
            "Only the first count is there. With many texts and few decimals several counts are reported alike.",
            earns=2,
        ),
    ],
)

# --- pooled -----------------------------------------------------------------------------------------------------------


def pooled_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for label, runs in (("two runs", 2), ("five runs", 5)):
        texts = [integer(rng, 5, 20) * 20 ** (i % 2) for i in range(runs)]
        tokens = [count * integer(rng, 8, 30) for count in texts]
        rate, loss = rng.uniform(3, 80, runs), rng.uniform(0.5, 4.5, runs)
        cases.append(Case(label, {
            "texts": texts,
            "seconds": [float(count / r) for count, r in zip(texts, rate, strict=True)],
            "right": [int(count * rng.uniform(0.3, 0.95)) for count in texts],
            "nats": [float(count * nats) for count, nats in zip(tokens, loss, strict=True)],
            "tokens": tokens,
        }))
    return cases


def _mean(a, b):
    return sum(x / y for x, y in zip(a, b, strict=True)) / len(a)


def _perplexity(nats, tokens):
    return math.exp(sum(nats) / sum(tokens))


def _of_means(nats, tokens):
    return sum(math.exp(x / k) for x, k in zip(nats, tokens, strict=True)) / len(nats)


def _but_one(**wrong):
    """The answer of one who adds up first but for what is wrong: speed(texts, seconds), accuracy(right, texts), perplexity(…)."""
    ways = {"speed": _whole, "accuracy": _whole, "perplexity": _perplexity} | wrong
    return lambda texts, seconds, right, nats, tokens: (
        ways["speed"](texts, seconds), ways["accuracy"](right, texts), ways["perplexity"](nats, tokens))


def _whole(a, b):
    return sum(a) / sum(b)


pooled = Exercise(
    id="claims.pooled",
    answer=answers.claims_pooled,
    cases=pooled_cases,
    parts=[Part("texts a second", 1, of=0), Part("accuracy", 1, of=1), Part("perplexity", 1, of=2)],
    misconceptions=[
        Misconception(
            "as_printed", _but_one(speed=_mean, accuracy=_mean, perplexity=_of_means),
            "These are means of the runs' own quotients, as in the report. A short run counts there as much as a long one: add "
            "up first, then divide.",
        ),
        Misconception(
            "speed_averaged", _but_one(speed=_mean),
            "Your speed is the mean of the runs' speeds. All texts in all seconds is another number: the slow runs last longest.",
            earns=2,
        ),
        Misconception(
            "accuracy_averaged", _but_one(accuracy=_mean),
            "Your accuracy is the mean of the runs' accuracies. Runs of unequal size do not count alike: all right ones, of "
            "all texts.",
            earns=2,
        ),
        Misconception(
            "perplexities_averaged", _but_one(perplexity=_of_means),
            "Your perplexity is the mean of the runs' perplexities, which the worst run decides. Average nats over all tokens, "
            "and take exp once, at the end.",
            earns=2,
        ),
        Misconception(
            "mean_of_losses", _but_one(perplexity=lambda nats, tokens: math.exp(_mean(nats, tokens))),
            "Your perplexity takes the mean of the runs' mean losses. Tokens of a short run count more there than those of a "
            "long one.",
            earns=2,
        ),
        Misconception(
            "nats_not_exp", _but_one(perplexity=_whole),
            "Your third value is the loss in nats a token. The perplexity is exp of it.",
            earns=2,
        ),
    ],
)

# --- predict_factors --------------------------------------------------------------------------------------------------

FACTORS = (50.0, 1.0, 16.0, 10**0.5, 1.0)


def _but(place: int, value: float):
    """The answer of one who has all factors right but one."""
    return lambda: tuple(value if i == place else factor for i, factor in enumerate(FACTORS))


predict_factors = Exercise(
    id="claims.predict_factors",
    answer=answers.claims_predict_factors,
    cases=lambda rng: [Case("the five factors", {})],
    tolerance=0.005,
    parts=[Part(name, 1, of=i) for i, name in enumerate(
        ("a lost 1/T", "mixed precision", "a lost T²", "a lost bias correction", "other units"))],
    misconceptions=[
        Misconception("halved", _but(1, 0.5), earns=4, says="Your second factor is a half. A copy of the weights in 32 bits and "
        "both moments stay: add up 2 + 2 + 4 + 8, and 4 + 4 + 8."),
        Misconception("smaller", _but(1, 0.75), earns=4, says="Your second factor is below one. Did you forget the copy of the "
        "weights in 32 bits, which the optimiser steps on?"),
        Misconception("one_temperature", _but(2, 4.0), earns=4, says="Your third factor is T. The question is about the factor "
        "T² itself, one T for the student's logits and one because softened answers differ less."),
        Misconception("only_m", _but(3, 0.1), earns=4, says="Your fourth factor is that of m alone, 1 − β₁. The root of v is "
        "too small as well, by √(1 − β₂), and the step divides by it."),
        Misconception("upside_down", _but(3, 10**-0.5), earns=4, says="Your fourth factor is upside down: (1 − β₁) / √(1 − β₂) "
        "is above 1. Without correction the first step is too long."),
        Misconception("units_count", _but(4, 0.1), earns=4, says="Your fifth factor is that of Δ. The problem is the same in "
        "other units, and so is its risk: that is why Δ alone can decide nothing."),
        Misconception("inverted_length", _but(0, 1 / 50), earns=4, says="Your first factor is upside down: a sum is T times a "
        "mean."),
    ],
)
