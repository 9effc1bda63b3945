"""Exercises that grade themselves: `check` for students, `grade` and `exercises` for everybody else.

What is asked for is imported when it is: `course lab` needs neither torch nor a judge. A notebook gets all of it at once.
A student's bundle has only the half of this package that holds no answers; `exercises` is not there, and says so.
"""

import importlib
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from autograder.checking import check, grade

__all__ = ["check", "exercises", "grade"]


def __getattr__(name: str) -> Any:
    if name in ("check", "grade"):
        return getattr(importlib.import_module("autograder.checking"), name)
    if name == "exercises":
        try:
            return importlib.import_module("autograder.exercises")
        except ModuleNotFoundError as error:
            if error.name != "autograder.exercises":
                raise
            raise AttributeError("this is a student's copy of the course: the exercises' answers are not in it") from None
    raise AttributeError(f"module 'autograder' has no attribute {name!r}")


if "IPython" in sys.modules:  # perhaps a notebook
    importlib.import_module("autograder.checking").settle_in()
