"""The notebook that goes into `autograded/`: what was handed out, with the student's own cells in it and the marks in the checks.

Everything that is ours in it comes from the release, so nothing a student changed there counts. The check cells hold what
stock nbgrader reads: a table for the feedback, and the score as the cell's result.
"""

from __future__ import annotations

import copy
import functools

import nbformat
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell

from autograder.grading import feedback
from autograder.grading.graded import Graded
from autograder.grading.submission import Cell, UnreadableSubmission, cells_of
from autograder.judging.report import Report
from autograder.notebooks.cells import answer_name


def marked_notebook(released: bytes, submitted: bytes, graded: Graded) -> NotebookNode:
    """A submission that cannot be read leaves the release as it was handed out."""
    notebook = copy.deepcopy(_handed_out(released))
    try:
        handed_in = cells_of(submitted)
    except UnreadableSubmission:
        handed_in = []
    names = {_name(cell) for cell in notebook.cells} - {""}
    answers = {cell.name: cell for cell in handed_in if cell.name in names}
    texts = {cell.source.strip() for cell in notebook.cells if cell.cell_type != "code"}
    own = _own_cells(handed_in, names, texts)
    unwritten = {answer_name(exercise_id) for exercise_id, attempted in graded.written.items() if not attempted}
    reports = {f"{answer_name(exercise_id)}-check": report for exercise_id, report in graded.reports.items()}
    cells = list(own.get("", []))
    for cell in notebook.cells:
        name = _name(cell)
        if cell.metadata.get("nbgrader", {}).get("solution") and name not in unwritten and handed_in:
            cell.source = answers[name].source if name in answers else ""
            if cell.cell_type == "markdown" and name in answers and answers[name].pictures:
                cell.attachments = nbformat.from_dict(answers[name].pictures)
        if name in reports:
            _put_mark(cell, reports[name])
        cells += [cell, *own.get(name, [])] if name else [cell]
    for number, cell in enumerate(cell for cells_after in own.values() for cell in cells_after):
        cell["id"] = f"own-{number}"
    notebook.cells = cells
    return notebook


@functools.lru_cache(maxsize=1)  # the whole class has the same
def _handed_out(released: bytes) -> NotebookNode:
    return nbformat.reads(released.decode("utf-8"), as_version=4)


def _name(cell: NotebookNode) -> str:
    return cell.metadata.get("nbgrader", {}).get("grade_id") or ""


def _own_cells(handed_in: list[Cell], names: set[str], texts: set[str]) -> dict[str, list[NotebookNode]]:
    """The cells that the student added, by the name of the released cell that they follow ("" at the top)."""
    found: dict[str, list[NotebookNode]] = {}
    after = ""
    for cell in handed_in:
        if cell.name in names:
            after = cell.name
        elif cell.source.strip() and (cell.code or cell.source.strip() not in texts):
            made = new_code_cell(cell.source) if cell.code else new_markdown_cell(cell.source)
            if cell.pictures and not cell.code:
                made.attachments = nbformat.from_dict(cell.pictures)
            found.setdefault(after, []).append(made)
    return found


def _put_mark(cell: NotebookNode, report: Report) -> None:
    """The table, and the score. (The points of the cell are the exercise's: see `agreement`.)"""
    shown = {"text/plain": feedback.text(report), "text/html": feedback.table_html(report)}
    value = {"text/plain": repr(report.score)}
    cell.execution_count, cell.outputs = 1, [
        NotebookNode(output_type="display_data", metadata=NotebookNode(), data=NotebookNode(shown)),
        NotebookNode(output_type="execute_result", metadata=NotebookNode(), data=NotebookNode(value), execution_count=1),
    ]
