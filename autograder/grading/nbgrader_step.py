"""nbgrader's own `autograde`, and formgrader's button, with the same wall, judge and marks as `course grade`.

nbgrader takes a submission apart and writes the gradebook as always; only the step in which it would run the notebook, and
believe what comes out of it, is replaced.
"""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Bool

from autograder.grading.agreement import require_agreement
from autograder.grading.gradebook import most_points
from autograder.grading.marked import marked_notebook
from autograder.grading.spread import grade_one
from autograder.grading.submission import read_released


class GradeBehindTheWall(NbGraderPreprocessor):
    """In the place of nbgrader's `Execute`: grades the submission in the sandbox and puts the marks into its check cells."""

    sandboxed = Bool(True, help="Run student code in the sandbox; without it, with the rights of the grader.").tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: Any) -> tuple[NotebookNode, Any]:
        about = resources["nbgrader"]
        released = self._released(about["assignment"], about["notebook"])
        most = most_points(about["db_url"], about["assignment"], about["notebook"])
        require_agreement(about["notebook"], read_released(released), most, CourseDirectory(config=self.config).root)
        submitted = nbformat.writes(nb).encode()
        graded = grade_one(released, submitted, secrets.randbits(32), self.sandboxed)
        for note in graded.notes:
            self.log.warning("%s: %s", about["student"], note)
        return marked_notebook(released, submitted, graded), resources

    def _released(self, assignment: str, notebook: str) -> bytes:
        directory = CourseDirectory(config=self.config)
        place = Path(directory.root) / directory.format_path(directory.release_directory, ".", assignment)
        return (place / f"{notebook}.ipynb").read_bytes()
