"""Submissions for the tests of grading: notebooks as bytes, made from the released ones."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from autograder import chapter
from autograder.execute import answer_name

WRONG = '''
import torch


def lora_forward(x, W0, lora_A, lora_B):
    return torch.nn.functional.linear(x, W0)
'''


def released(assignment: str) -> bytes:
    return (chapter.CHAPTERS / f"{assignment}.ipynb").read_bytes()


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
    return answered(assignment, chapter.model_answers(chapter.CHAPTERS / f"{assignment}.md"))


def cell(of: dict[str, Any], grade_id: str) -> dict[str, Any]:
    return next(c for c in of["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def code(source: str) -> dict[str, Any]:
    """A cell that a student adds."""
    return {"cell_type": "code", "id": "added", "metadata": {}, "execution_count": None, "outputs": [], "source": source}


def data(of: dict[str, Any]) -> bytes:
    return json.dumps(of).encode()
