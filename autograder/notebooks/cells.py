"""The shape of a course notebook: what its cells are called, and which kinds there are.

    setup            imports, locked, always run                      grade_id `setup-<digest>`
    demonstration    locked, shows something, not run when grading    grade_id `demonstration-<digest>`
    answer           what the student writes for `lora.gradient`      grade_id `lora-gradient`
    check            below it: check("lora.gradient", lora_gradient)  grade_id `lora-gradient-check`
"""

from __future__ import annotations

import ast
import copy
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # nbformat takes a second to load, and no check needs it
    from nbformat import NotebookNode

SETUP, DEMONSTRATION = "setup", "demonstration"
KINDS = (SETUP, DEMONSTRATION)
CHECK = re.compile(r"""\s*check\(\s*['"]([\w.]+)['"]\s*,[^\n]*\)\s*""")
TITLE = re.compile(r"(?m)^### Exercise `([\w.]+)`")  # a heading, so that the table of contents lists it


def answer_name(exercise_id: str) -> str:
    """The `grade_id` of the cell that holds the answer: `lora.why_scale` is answered in `lora-why-scale`."""
    return exercise_id.replace(".", "-").replace("_", "-")


def check_name(exercise_id: str) -> str:
    """The `grade_id` of the cell that checks it and carries the marks."""
    return f"{answer_name(exercise_id)}-check"


def is_kind(grade_id: str, kind: str) -> bool:
    """Whether a `grade_id` is that of a setup or a demonstration cell."""
    return grade_id.startswith(f"{kind}-")


def check_cells(notebook: NotebookNode) -> dict[str, int]:
    """The index of the cell that checks each exercise: the one with marks, or else the last that the student wrote."""
    found: dict[str, int] = {}
    for graded in (False, True):
        for index, cell in enumerate(notebook.cells):
            match = CHECK.fullmatch(cell.source) if cell.cell_type == "code" else None
            if match and bool(cell.metadata.get("nbgrader", {}).get("grade")) is graded:
                found[match[1]] = index
    return dict(sorted(found.items(), key=lambda item: item[1]))


def with_answers(notebook: NotebookNode, answers: Mapping[str, str]) -> NotebookNode:
    """A copy of a student notebook with `answers` (exercise id -> source) in its answer cells.

    Raises `KeyError` with a sentence for an id that the notebook has no answer cell for.
    """
    notebook = copy.deepcopy(notebook)
    cells = {cell.metadata.get("nbgrader", {}).get("grade_id"): cell for cell in notebook.cells}
    for exercise_id, source in answers.items():
        if answer_name(exercise_id) not in cells:
            raise KeyError(f"the notebook has no cell to answer {exercise_id!r} in")
        cells[answer_name(exercise_id)].source = source
    return notebook


def plain_python(source: str) -> str:
    """A cell without its magics and shell lines; the other lines keep their numbers."""
    return "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())


def imports(source: str) -> list[str]:
    """The import statements at the top level of a cell, one a string. Raises `SyntaxError` for a cell that does not parse."""
    tree = ast.parse(plain_python(source))
    return [ast.unparse(node) for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
