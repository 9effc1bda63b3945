"""What must not be found in what readers and students get: the lines of model answers that nobody writes by chance."""

from __future__ import annotations

import ast
import inspect
import re

from autograder.exercises.exercise import Exercise, Written


def plain(text: str) -> str:
    return re.sub(r"[\s()]+", "", text)  # however it is laid out


def secrets(exercise: Exercise | Written) -> list[str]:
    """The lines of a model answer, as plain text, that nobody writes by chance; of a written one its rubric as well."""
    if not isinstance(exercise, Exercise):
        lines = [line for line in exercise.answer().splitlines() if len(line) > 30]
        return [plain(line) for line in lines + [criterion for _, criterion in exercise.rubric]]
    source = inspect.getsource(exercise.answer)
    below = ast.parse(source).body[0].body[0].end_lineno  # its docstring
    lines = [line.split("  #")[0].strip() for line in source.splitlines()[below:]]
    return [plain(line) for line in [line for line in lines if len(line) > 30] or [max(lines, key=len)]]
