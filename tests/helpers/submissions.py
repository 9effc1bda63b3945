"""Submissions for the tests of grading: notebooks as bytes, made from the released ones."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from autograder import places
from autograder.exercises import exercises
from autograder.grading.graded import Graded
from autograder.notebooks.cells import answer_name
from autograder.publishing import chapter
from mistakes import as_source

QUICKSTART, EXERCISE = "00_quickstart", "quickstart.lora_forward"


def released(assignment: str) -> bytes:
    return (places.CHAPTERS / f"{assignment}.ipynb").read_bytes()


def notebook(assignment: str) -> dict[str, Any]:
    return json.loads(released(assignment))


def answered(assignment: str, answers: Mapping[str, str]) -> dict[str, Any]:
    """The released notebook with `answers` (exercise id -> source) in it."""
    filled = copy.deepcopy(notebook(assignment))
    for exercise_id, source in answers.items():
        cell(filled, answer_name(exercise_id))["source"] = source
    return filled


def right(assignment: str) -> dict[str, Any]:
    """The model answers."""
    return answered(assignment, chapter.model_answers(places.CHAPTERS / f"{assignment}.md"))


def cell(of: dict[str, Any], grade_id: str) -> dict[str, Any]:
    return next(c for c in of["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def code(source: str) -> dict[str, Any]:
    """A cell that a student adds."""
    return {"cell_type": "code", "id": "added", "metadata": {}, "execution_count": None, "outputs": [], "source": source}


def data(of: dict[str, Any]) -> bytes:
    return json.dumps(of).encode()


def verdict(graded: Graded, exercise_id: str = EXERCISE) -> tuple[str, float, str | None]:
    """What became of an answer."""
    report = graded.reports[exercise_id]
    return report.state, report.score, report.misconception


def misconceived(assignment: str, names: Mapping[str, str]) -> dict[str, Any]:
    """The released notebook with a misconception (exercise id -> its name) as each answer."""
    answers = {}
    for exercise_id, name in names.items():
        exercise = exercises[exercise_id]
        answers[exercise_id] = as_source(exercise, next(mistake for mistake in exercise.misconceptions if mistake.name == name))
    return answered(assignment, answers)
