"""Drawing a trial: the cases of an exercise, with what is right and what each misconception would give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.asking.inputs import copied
from autograder.asking.values import plain, same
from autograder.exercises.exercise import Exercise
from autograder.judging.trial import RAISES, Trial


def draw(exercise: Exercise, seed: int) -> Trial:
    """Draw the cases of `exercise` with `seed`; compute what is right and what each misconception would give.

    Raises `AuthorError` when a misconception gives the right output in every case, or raises in every case: then no
    student could ever read its sentence.
    """
    def run(function: Callable, inputs: dict[str, Any]) -> Any:
        return plain(exercise.probe(function, copied(inputs)))

    cases = []
    for case in exercise.cases(np.random.default_rng(seed)):
        own = exercise.expected
        expected = plain(own(**copied(case.inputs))) if own else run(exercise.answer, case.inputs)
        mistaken = {}
        for misconception in exercise.misconceptions:
            try:
                mistaken[misconception.name] = run(misconception.wrong, case.inputs)
            except Exception:
                mistaken[misconception.name] = RAISES
        cases.append(vars(case) | {"expected": expected, "mistaken": mistaken})
    if not cases:
        raise exercise.fail("it has no cases")
    for misconception in exercise.misconceptions:
        if not _can_be_told(misconception.name, cases, exercise.tolerance):
            raise exercise.fail(
                f"misconception {misconception.name!r} cannot be told from the right answer with seed {seed}: "
                "in no case does it return something else. Add a case where it does, or remove it"
            )
    return Trial(
        id=exercise.id,
        name=exercise.name,
        parts=[vars(part) for part in exercise.parts],
        says={m.name: m.says for m in exercise.misconceptions},
        probe=exercise.probe.__name__,
        tolerance=exercise.tolerance,
        seed=seed,
        cases=cases,
        closed=list(exercise.closed),
    )


def _can_be_told(name: str, cases: list[dict[str, Any]], tolerance: float) -> bool:
    """Some case must show it by a returned value, at ten times the tolerance, so that rounding never decides."""
    given = [(case["mistaken"][name], case["expected"]) for case in cases]
    return any(not _is_raise(wrong) and not same(wrong, right, 10 * tolerance) for wrong, right in given)


def _is_raise(value: Any) -> bool:
    return isinstance(value, str) and value == RAISES
