"""Exercises of chapter 05 on buffers: a fair sample, and what other rules keep."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import solutions.continual as answers
from autograder.asking.probes import continual as probing
from autograder.exercises.draws import integer
from autograder.exercises.exercise import Case, Exercise, Misconception, Part
from autograder.judging.measures import continual as measures

# --- reservoir --------------------------------------------------------------------------------------------------------

LONG, TINY, SHORT, FULL = (24, 2, 2500), (4, 1, 1000), (4, 6, 20), (5, 5, 20)  # length, capacity, runs


def reservoir_cases(rng: np.random.Generator) -> list[Case]:
    def case(size: tuple[int, int, int], group: str) -> Case:
        length, capacity, runs = size
        inputs = {"length": length, "capacity": capacity, "runs": runs, "seed": integer(rng, 0, 2**31)}
        return Case(
            f"a stream of {length}, capacity {capacity}, {runs} times", inputs, group, {"length": length, "capacity": capacity}
        )

    return [case(LONG, "long"), case(TINY, "long"), case(SHORT, "short"), case(FULL, "short")]


def replacing(stream: Iterator, capacity: int, place_of: Any) -> list:
    """What is kept when item number n (from 1) is put into place place_of(n), or nowhere if there is no such place."""
    kept: list = []
    for number, item in enumerate(stream, start=1):
        if len(kept) < capacity:
            kept.append(item)
        elif (place := place_of(number)) < capacity:
            kept[place] = item
    return kept


def last_come(stream: Iterator, capacity: int, rng: np.random.Generator) -> list:
    kept: list = []
    for item in stream:
        kept = [*kept, item][-capacity:]
    return kept


def oldest_goes(stream: Iterator, capacity: int, rng: np.random.Generator) -> list:
    kept: list = []
    for number, item in enumerate(stream, start=1):
        if number <= capacity or rng.random() < capacity / number:
            kept = [*kept, item][-capacity:]
    return kept


def same_chance_for_all(stream: Iterator, capacity: int, rng: np.random.Generator) -> list:
    return replacing(stream, capacity, lambda number: int(rng.integers(capacity)) if rng.random() < capacity / 24 else capacity)


def one_too_few(stream: Iterator, capacity: int, rng: np.random.Generator) -> list:
    return replacing(stream, capacity, lambda number: int(rng.integers(number - 1)))


def samples_of_one(stream: Iterator, capacity: int, rng: np.random.Generator) -> list:
    """So many fair samples of one item each: fair, and with repeats."""
    kept: list = []
    for number, item in enumerate(stream, start=1):
        kept = [item if number == 1 or rng.random() < 1 / number else old for old in (kept or [item] * capacity)]
    return kept


NOT_WHOLE = (
    "A sample has not as many items as fit, or one of them twice. A stream that is no longer than the capacity is kept whole."
)
NEVER_LATE = (
    "The last item gets in too rarely: you keep what came first. Later tasks would never be rehearsed. Item number n has to "
    "get in with probability capacity/n."
)
TOO_LATE = (
    "The last item gets in too often. Then the buffer is full of what came last, and the old tasks, for whose sake one keeps "
    "anything, are gone first: let item number n in with probability capacity/n only."
)
TOO_SAFE = (
    "The first item survives too often. Its chance to be thrown out must not depend on a length that nobody knows: use the "
    "number of items seen so far."
)
TOO_SOON = (
    "The first item is lost too soon. Either the oldest one is always replaced, where each place has to be as likely as any "
    "other; or you are off by one: item number n (counted from 1) gets in with probability capacity/n, so draw from 0 .. n - "
    "1, and NumPy's `rng.integers(n)` does not include n."
)
UNEVEN = (
    "Some items are kept more often than others, and not by chance. Each has to be in the sample with probability "
    "capacity/length."
)

reservoir = Exercise(
    id="continual.reservoir",
    answer=answers.continual_reservoir,
    cases=reservoir_cases,
    probe=probing.sample_many_times,
    expected=lambda length, capacity, runs, seed: torch.zeros(runs, capacity + 1, dtype=torch.int64),
    parts=[  # of a fair sampler the counts are within 7 % (one standard deviation) of what is fair, and the unevenness below 6
        Part("as many as fit, none twice", 1, on="long", measure=measures.whole_samples, at_least=1.0, says=NOT_WHOLE),
        Part("the last item, often enough", 0.5, on="long", measure=measures.late, at_least=0.6, says=NEVER_LATE),
        Part("the last item, not too often", 0.5, on="long", measure=measures.late, at_most=1.5, says=TOO_LATE),
        Part("the first item, not too often", 0.5, on="long", measure=measures.early, at_most=1.5, says=TOO_SAFE),
        Part("the first item, often enough", 0.5, on="long", measure=measures.early, at_least=0.6, says=TOO_SOON),
        Part("every item alike", 1, on="long", measure=measures.unevenness, at_most=12.0, says=UNEVEN),
        Part("a stream that fits", 1, on="short", measure=measures.whole_samples, at_least=1.0, says=NOT_WHOLE),
    ],
    misconceptions=[
        Misconception(
            "first_come", lambda stream, capacity, rng: replacing(stream, capacity, lambda n: capacity), NEVER_LATE, earns=3
        ),
        Misconception("last_come", last_come, TOO_LATE, earns=3),
        Misconception(
            "always_replaces",
            lambda stream, capacity, rng: replacing(stream, capacity, lambda n: int(rng.integers(capacity))),
            TOO_LATE,
            earns=3,
        ),
        Misconception("same_chance_for_all", same_chance_for_all, NEVER_LATE, earns=3),
        Misconception("one_too_few", one_too_few, TOO_SOON, earns=3.5),
        Misconception("oldest_goes", oldest_goes, TOO_SOON, earns=3.5),
        Misconception("samples_of_one", samples_of_one, NOT_WHOLE, earns=3),
    ],
)

# --- predict_buffer ---------------------------------------------------------------------------------------------------


def predict_buffer_cases(rng: np.random.Generator) -> list[Case]:
    lengths = [integer(rng, 20, 30), integer(rng, 60, 80), integer(rng, 35, 45)]
    capacity = integer(rng, 12, 16)  # smaller than any task
    wide = lengths[2] + integer(rng, 8, 12)  # larger than the first and the last

    def case(rule: str, capacity: int, group: str) -> Case:
        return Case(
            f"tasks of {lengths}, capacity {capacity}, {rule}", {"lengths": lengths, "capacity": capacity, "rule": rule}, group
        )

    return [case("reservoir", capacity, "fair"), *(case(rule, wide, "ends") for rule in ("queue", "first come")),
            case("always in", capacity, "random"), case("always in", wide, "random")]  # fmt: skip


def _buffer(
    lengths: list[int],
    capacity: int,
    rule: str,
    *,
    alike: bool = False,
    fair: tuple[str, ...] = (),
    swap: bool = False,
    replaced: bool = False,
    late: int = 0,
) -> list[float]:
    """The answer with one thing wrong, chosen by a keyword."""
    total = sum(lengths)
    if swap:
        rule = {"queue": "first come", "first come": "queue"}.get(rule, rule)
    if replaced and rule == "always in":
        rule = "queue"
    if rule == "reservoir" or rule in fair:
        return [capacity / len(lengths) if alike and rule == "reservoir" else capacity * n / total for n in lengths]
    found, begin = [], 0
    for n in lengths:
        numbers = range(begin + 1, begin + n + 1)
        if rule == "queue":
            found.append(float(sum(number > total - capacity for number in numbers)))
        elif rule == "first come":
            found.append(float(sum(number <= capacity for number in numbers)))
        else:
            found.append(sum((1 - 1 / capacity) ** (total - max(number, capacity) + late) for number in numbers))
        begin += n
    return found


def _wrong_buffer(**how: Any) -> Any:
    return lambda **inputs: _buffer(**inputs, **how)


predict_buffer = Exercise(
    id="continual.predict_buffer",
    answer=answers.continual_predict_buffer,
    cases=predict_buffer_cases,
    parts=[Part("reservoir", 1, on="fair"), Part("queue and first come", 1, on="ends"), Part("always in", 2, on="random")],
    misconceptions=[
        Misconception(
            "as_many_of_each",
            _wrong_buffer(alike=True),
            earns=3,
            says="You gave every task as many places. A reservoir is fair to *examples*: a task with twice as many has "
            "twice the places.",
        ),
        Misconception(
            "always_in_is_fair",
            _wrong_buffer(fair=("always in",)),
            earns=2,
            says="A random victim does not make a sample fair. What has come is in danger at every later arrival: an example "
            "that has been in for m of them is still there with probability (1 − 1/capacity)^m.",
        ),
        Misconception(
            "always_in_is_a_queue",
            _wrong_buffer(replaced=True),
            earns=2,
            says="You let the oldest go. Here a random one goes, so a few old examples survive for long.",
        ),
        Misconception(
            "one_danger_too_many",
            _wrong_buffer(late=1),
            earns=2,
            says="You are off by one: an example is not in danger from its own arrival, only from those after it.",
        ),
        Misconception(
            "ends_swapped",
            _wrong_buffer(swap=True),
            earns=3,
            says="Queue and first come are exchanged. In a queue the oldest go; first come, first served keeps them.",
        ),
        Misconception(
            "everything_is_fair",
            _wrong_buffer(fair=("always in", "queue", "first come")),
            earns=1,
            says="You shared the places out by the tasks' lengths whatever the rule. Only a reservoir does that.",
        ),
    ],
)
