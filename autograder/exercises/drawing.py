"""Drawing a trial: the cases of an exercise, with what is right; and, when it is asked for, what wrong answers would give."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from autograder.asking import probes
from autograder.asking.inputs import copied
from autograder.asking.raised import name_of
from autograder.asking.values import Raised, plain
from autograder.exercises.changes import changes
from autograder.exercises.exercise import Exercise
from autograder.judging import measures
from autograder.judging.trial import Trial


def draw(exercise: Exercise, seed: int) -> Trial:
    """Draw the cases of `exercise` with `seed` and compute what is right.

    It looks for no mistake of the author's: grading draws with secret seeds, and must not stop. See `validated`.
    """
    def run(function: Callable, inputs: dict[str, Any]) -> Any:
        return plain(exercise.probe(function, copied(inputs)))

    refused: tuple[type[Exception], ...] = (exercise.refuses,) if exercise.refuses else ()
    cases = []
    for case in exercise.cases(np.random.default_rng(seed)):
        if case.held is not None:
            form = plain(exercise.expected(**copied(case.inputs))) if exercise.expected else None
            cases.append(vars(case) | {"expected": form})
            continue
        own = exercise.expected
        try:
            expected = plain(own(**copied(case.inputs))) if own else run(exercise.answer, case.inputs)
        except refused as error:
            expected = Raised(name_of(error))
        cases.append(vars(case) | {"expected": expected})

    def mistaken(wrong: Callable, inputs: dict[str, Any]) -> Any:
        try:
            return run(wrong, inputs)
        except Exception as error:
            return Raised(name_of(error))

    return Trial(
        id=exercise.id,
        name=exercise.name,
        parts=[vars(part) | {"measure": measures.name_of(part.measure) if part.measure else ""} for part in exercise.parts],
        says={m.name: m.says for m in exercise.misconceptions},
        probe=probes.name_of(exercise.probe),
        tolerance=exercise.tolerance,
        keeps_inputs=exercise.keeps_inputs,
        seed=seed,
        cases=cases,
        closed=list(exercise.closed),
        seconds=exercise.seconds,
        find_mistaken=lambda: [
            {m.name: mistaken(m.wrong, case["inputs"]) for m in exercise.misconceptions} if case["held"] is None else {}
            for case in cases
        ],
        find_changed=lambda: changes(exercise, cases),
    )
