"""Exercises that grade themselves: `check` for students, `grade` and `exercises` for everybody else.

A student's bundle has only the half of this package that holds no answers; `exercises` is not there, and says so.
"""

from typing import Any

from autograder.check import check, grade, settle_in

__all__ = ["check", "exercises", "grade"]

settle_in()


def __getattr__(name: str) -> Any:
    if name == "exercises":
        import importlib

        try:
            return importlib.import_module("autograder.exercises")
        except ModuleNotFoundError as error:
            if error.name != "autograder.exercises":
                raise
            raise AttributeError("this is a student's copy of the course: the exercises' answers are not in it") from None
    raise AttributeError(f"module 'autograder' has no attribute {name!r}")
