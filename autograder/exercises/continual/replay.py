"""Exercise of chapter 05 on replay: what a batch is made of."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import solutions.continual as answers
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part

# --- replay_batch -----------------------------------------------------------------------------------------------------


def replay_batch_cases(rng: np.random.Generator) -> list[Case]:
    old = integer(rng, 5, 9)
    batch = integer(rng, 30, 60)
    pairs = [(32, 0.1), (1000, 0.1), (batch, (old - 0.3) / batch)]  # the last is rounded up
    cases = [Case(f"a batch of {b} with a share of {s:.3g} old", {"batch": b, "old_share": s}, "mix") for b, s in pairs]
    for b, s in [(integer(rng, 2, 4), 0.1), (8, 1.0)]:
        cases.append(Case(f"a batch of {b} with a share of {s:g} old, to be refused", {"batch": b, "old_share": s}, "refuse"))
    return cases


def _mix(batch: int, old_share: float, *, count: Any = round, alpha: Any = lambda new, old: old / new, refuse: bool = True,
         on_top: bool = False, swap: bool = False) -> tuple[int, int, float]:
    """The answer with one thing wrong, chosen by a keyword."""
    old = count(batch * old_share)
    new = batch if on_top else batch - old
    if refuse and not 0 < old < batch:
        raise ValueError
    weight = alpha(new, old)
    return (old, new, weight) if swap else (new, old, weight)


def _wrong_mix(**how: Any) -> Any:
    return lambda batch, old_share: _mix(batch, old_share, **how)


replay_batch = Exercise(
    id="continual.replay_batch",
    answer=answers.continual_replay_batch,
    cases=replay_batch_cases,
    refuses=ValueError,
    parts=[
        Part("new examples", 0.5, of=0, on="mix"),
        Part("old examples", 0.5, of=1, on="mix"),
        Part("alpha", 1, of=2, on="mix"),
        Part("refuses a batch of one kind", 1, on="refuse"),
    ],
    misconceptions=[
        Misconception(
            "alpha_is_the_share", _wrong_mix(alpha=lambda new, old: old / (new + old)), earns=2,
            says="Your alpha is the share of old examples. The batch mean is (new · L_new + old · L_old) / batch; divide it "
            "by the factor of L_new and see what is left in front of L_old.",
        ),
        Misconception(
            "alpha_as_planned", lambda batch, old_share: (*_mix(batch, old_share)[:2], old_share / (1 - old_share)), earns=2,
            says="Your alpha is share / (1 − share): what was planned. A batch holds whole examples, so use the numbers that "
            "are in it: 3 of 32 are not 10 %.",
        ),
        Misconception(
            "alpha_upside_down", _wrong_mix(alpha=lambda new, old: new / old), earns=2,
            says="Your alpha is new/old: it is the other way up. With few old examples in the batch, their loss counts little.",
        ),
        Misconception(
            "alpha_is_one", _wrong_mix(alpha=lambda new, old: 1.0), earns=2,
            says="Your alpha is 1. That would need as many old examples as new ones, since the batch mean weighs each "
            "example alike.",
        ),
        Misconception(
            "on_top", _wrong_mix(on_top=True), earns=1.5,
            says="You put the old examples on top of a full batch of new ones. The batch has `batch` examples in all, so they "
            "take the place of new ones.",
        ),
        Misconception(
            "rounded_down", _wrong_mix(count=math.floor), earns=1,
            says="You rounded the number of old examples down. The nearest whole number is asked for; rounding down gives "
            "less replay than planned, every time.",
        ),
        Misconception(
            "swapped", _wrong_mix(swap=True), earns=2,
            says="The two numbers are right, in the wrong order: return (new, old, alpha).",
        ),
        Misconception(
            "nothing_refused", _wrong_mix(refuse=False), earns=2,
            says="A batch with none of one kind is no rehearsal: without old examples it is plain training, and nobody would "
            "notice. Raise ValueError.",
        ),
    ],
)
