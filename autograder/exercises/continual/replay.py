"""Exercises of chapter 05 on replay: what a batch is made of, and which examples are kept."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import solutions.continual as answers
from autograder.asking.probes.continual import sample_many_times
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

# --- reservoir --------------------------------------------------------------------------------------------------------

LONG, TINY, SHORT, FULL = (24, 2, 2500), (4, 1, 1000), (4, 6, 20), (5, 5, 20)  # length, capacity, runs


def reservoir_cases(rng: np.random.Generator) -> list[Case]:
    def case(size: tuple[int, int, int], group: str) -> Case:
        length, capacity, runs = size
        label = f"a stream of {length}, capacity {capacity}, {runs} times: odds of the first, the middle and the last two items"
        inputs = {"length": length, "capacity": capacity, "runs": runs, "seed": integer(rng, 0, 2**31)}
        return Case(label, inputs, group)

    return [case(LONG, "long"), case(TINY, "long"), case(SHORT, "short"), case(FULL, "short")]


def theory(length: int, capacity: int, runs: int, seed: int) -> tuple[list[float], list[float], str]:
    """What a fair sample gives in the mean: each item is kept with probability capacity / length."""
    kept = min(1.0, capacity / length) * runs
    odds = (kept + 0.5) / (runs - kept + 0.5)
    return [odds] * 4, [1 / odds] * 4, f"{min(capacity, length)} items, none twice"


def _replacing(stream: list, capacity: int, places: list[int]) -> list:
    """What is kept when item number capacity + i is put into place places[i], or nowhere if there is no such place."""
    kept = list(stream[:capacity])
    for item, place in zip(stream[capacity:], places, strict=True):
        if place < capacity:
            kept[place] = item
    return kept


def always_replaces(stream: list, capacity: int, rng: np.random.Generator) -> list:
    return _replacing(stream, capacity, rng.integers(capacity, size=max(0, len(stream) - capacity)).tolist())


def one_too_few(stream: list, capacity: int, rng: np.random.Generator) -> list:
    return _replacing(stream, capacity, rng.integers(np.arange(capacity, max(capacity, len(stream)))).tolist())


def same_chance_for_all(stream: list, capacity: int, rng: np.random.Generator) -> list:
    later = max(0, len(stream) - capacity)
    enters = rng.random(later) < capacity / len(stream)
    return _replacing(stream, capacity, np.where(enters, rng.integers(capacity, size=later), capacity).tolist())


def oldest_goes(stream: list, capacity: int, rng: np.random.Generator) -> list:
    kept = list(stream[:capacity])
    numbers = np.arange(capacity + 1, max(capacity, len(stream)) + 1)
    for i in np.flatnonzero(rng.random(len(numbers)) * numbers < capacity).tolist():
        kept = [*kept[1:], stream[capacity + i]]
    return kept


reservoir = Exercise(
    id="continual.reservoir",
    answer=answers.continual_reservoir,
    cases=reservoir_cases,
    probe=sample_many_times,
    expected=theory,
    tolerance=0.4,  # of the odds: five standard deviations of what 2500 runs give
    parts=[
        Part("as many as fit, none twice", 1, of=2, on="long"),
        Part("every item with the same probability", 3, on="long"),
        Part("a stream that fits", 1, on="short"),
    ],
    misconceptions=[
        Misconception(
            "first_come", lambda stream, capacity, rng: stream[:capacity], earns=2,
            says="You keep the first items and let all later ones go: later tasks would never be rehearsed.",
        ),
        Misconception(
            "last_come", lambda stream, capacity, rng: stream[-capacity:], earns=2,
            says="You keep the last items. That is a queue: the old tasks, for whose sake one keeps anything, are gone first.",
        ),
        Misconception(
            "always_replaces", always_replaces, earns=2,
            says="Every new item gets in, at the cost of a random old one. So the buffer is full of what came last; let item "
            "number n in with probability capacity/n only.",
        ),
        Misconception(
            "same_chance_for_all", same_chance_for_all, earns=2,
            says="You let each later item in with probability capacity/length. What came early then survives too often, and the "
            "length of a stream is not known while it runs: use the number of items seen so far.",
        ),
        Misconception(
            "one_too_few", one_too_few, earns=2,
            says="You are off by one: item number n (counted from 1) gets in with probability capacity/n, so draw from "
            "0 .. n - 1. NumPy's `rng.integers(n)` does not include n. You drew from one number fewer; with capacity 1 the "
            "second item always replaces the first.",
        ),
        Misconception(
            "oldest_goes", oldest_goes, earns=2,
            says="New items get in with the right probability, but they replace the oldest one. Then early items are lost too "
            "soon; each place has to be as likely as any other.",
        ),
        Misconception(
            "with_repeats", lambda stream, capacity, rng: rng.choice(stream, capacity),
            says="You draw with replacement, so an item can be there twice, and a short stream is padded with copies.",
        ),
    ],
)
