"""What `autograder.checking` is inside the sandbox: nothing is right or wrong in here, for nothing in here knows the answers."""

from __future__ import annotations

from typing import Any


def check(exercise_id: str, answer: Any) -> float:
    """Say that the mark comes later, and return no points."""
    print(f"{exercise_id}: checks are marked after the run.")
    return 0.0


def grade(exercise_id: str, answer: Any, seed: int | None = None) -> Any:
    raise KeyError("answers are graded after the run, and not in here")


def settle_in() -> None:
    """There is nobody to explain anything to."""
