"""nbgrader's configuration for this course. `build/class/nbgrader_config.py` loads it; so does the build itself.

Demonstrations show an effect and take their time; no exercise depends on one. So nothing that grades or validates runs
them: nbgrader's executor skips the cells that carry their tag.

Two small steps are added to `nbgrader autograde`, because plain nbgrader trusts what it should not: the tags of a
submission, and any output of a check cell that is not an error.
"""

from __future__ import annotations

from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output
from nbgrader import utils
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets.config import Config

from autograder.ask import STUB, TEXT_STUB

DEMONSTRATION = "demonstration"


def settings(c: Config) -> None:
    """Put the course's settings into a traitlets config object."""
    c.CourseDirectory.course_id = "finetuning"
    c.ClearSolutions.code_stub = {"python": f'raise NotImplementedError("{STUB}")'}
    c.ClearSolutions.text_stub = TEXT_STUB
    c.Execute.skip_cells_with_tag = DEMONSTRATION
    c.Execute.timeout = 120  # seconds a cell; nbgrader's 30 can pass while a busy machine imports torch
    c.Autograde.sanitize_preprocessors.append(ReleasedTags)  # after nbgrader has restored the locked cells
    c.Autograde.autograde_preprocessors.insert(1, OnlyScoresCount)  # between running the cells and reading the marks


class ReleasedTags(NbGraderPreprocessor):
    """Puts the demonstration tag back where it was handed out, and takes it away everywhere else.

    nbgrader restores the text of a locked cell, not its tags. A check cell with a demonstration's tag would be skipped, and
    a skipped check counts as passed. A demonstration without its tag would run.
    """

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        cell.metadata.pop("tags", None)
        grade_id = cell.metadata.get("nbgrader", {}).get("grade_id") or ""
        if grade_id.startswith(f"{DEMONSTRATION}-") and utils.is_locked(cell) and not utils.is_grade(cell):
            cell.metadata["tags"] = [DEMONSTRATION]
        return cell, resources


class OnlyScoresCount(NbGraderPreprocessor):
    """Lets a check cell count by the score it returned, and by nothing else.

    Plain nbgrader gives no marks to a right answer as soon as a line on stderr comes with it, gives full marks to a check
    that returned nothing, or text, or NaN, and stops the whole batch at a score above the maximum. All that happens without
    ill will: a library logs a warning; a student calls a function of their own `check`.
    """

    def preprocess_cell(self, cell: NotebookNode, resources: Any, cell_index: int) -> tuple[NotebookNode, Any]:
        if cell.cell_type == "code" and utils.is_grade(cell):
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
            failed = any(output.output_type == "error" for output in cell.outputs)
            if not failed and not _is_score(cell):
                sentence = "This check gave no score. Has something else in this notebook the name `check`?"
                cell.outputs = [new_output("error", ename="NoScore", evalue=sentence, traceback=[sentence])]
        return cell, resources


def _is_score(cell: NotebookNode) -> bool:
    """Whether the cell returned one number between 0 and its points."""
    returned = [output.data.get("text/plain", "") for output in cell.outputs if output.output_type == "execute_result"]
    try:
        return len(returned) == 1 and 0 <= float(returned[0]) <= float(cell.metadata.nbgrader.points)
    except ValueError:
        return False


if "get_config" in globals():  # nbgrader runs configuration files with this function in their namespace
    settings(get_config())  # type: ignore[name-defined]  # noqa: F821
