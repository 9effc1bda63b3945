"""Writing results into nbgrader's gradebook, so that `generate_feedback`, `export` and formgrader find what they expect.

One process writes, several submissions in one transaction, and writing the same result twice changes nothing. What people put
there stays: a manual score, extra credit and comments are not touched; a late penalty is worked out anew by the class's own
plugin, from the new score.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from nbformat import NotebookNode
from nbgrader import utils
from nbgrader.api import Comment, Grade, Gradebook, MissingEntry, SubmittedAssignment, SubmittedNotebook
from nbgrader.preprocessors import AssignLatePenalties
from sqlalchemy.orm import joinedload

from autograder.grading.classroom import SECRET, Classroom, NoClass, Submission


def most_points(database: str, assignment: str, notebook: str) -> dict[str, float]:
    """The most that each graded cell can earn, by its name. Raises `NoClass` with a sentence for an unknown assignment."""
    with Gradebook(database) as gradebook:
        try:
            cells = gradebook.find_notebook(notebook, assignment).grade_cells
        except MissingEntry:
            raise NoClass(
                f"The gradebook {_without_password(database)} does not know {assignment}: "
                f"run `nbgrader generate_assignment {assignment}`."
            ) from None
        return {cell.name: cell.max_score for cell in cells}


class Writer:
    """The gradebook of a class, open for one assignment. A context manager; raises `NoClass` when it lacks the assignment."""

    def __init__(self, room: Classroom):
        self._room = room
        most_points(room.database, room.assignment, room.assignment)
        self._gradebook = Gradebook(room.database, room.directory.course_id)
        self._penalties = AssignLatePenalties(config=room.config)
        self._penalties.init_plugin()

    def __enter__(self) -> Writer:
        return self

    def __exit__(self, *_: object) -> None:
        self._gradebook.close()

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is recorded within the block is in the gradebook when it ends, or, when it does not end well, none of it.

        nbgrader's own methods commit after each step; within the block they only flush.
        """
        db = self._gradebook.db
        db.commit = db.flush
        try:
            yield
            del db.commit
            db.commit()
        except BaseException:
            db.rollback()
            raise
        finally:
            vars(db).pop("commit", None)

    def record(self, submission: Submission, marked: NotebookNode) -> None:
        """Put a marked notebook into `autograded/` and its marks into the gradebook."""
        student, timestamp = submission.student, submission.timestamp
        self._save(submission, marked)
        name, book = self._room.assignment, self._gradebook
        book.update_or_create_student(student)
        stamp = {"timestamp": timestamp} if timestamp and _is_time(timestamp) else {}
        with book.db.no_autoflush:  # nbgrader's own code makes SQLAlchemy warn here
            handed_in = book.update_or_create_submission(name, student, **stamp)
        notebook = book.find_submission_notebook(name, name, student)
        cells = {c.metadata["nbgrader"]["grade_id"]: c for c in marked.cells if c.metadata.get("nbgrader", {}).get("grade_id")}
        for grade in self._with_cells(Grade, notebook):
            cell = cells.get(grade.name)
            grade.auto_score = utils.determine_grade(cell)[0] if cell is not None else 0.0
            grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
        for comment in self._with_cells(Comment, notebook):
            cell = cells.get(comment.name)
            unchanged = cell is not None and cell.metadata["nbgrader"].get("checksum") == utils.compute_checksum(cell)
            comment.auto_comment = "No response." if unchanged else None
        book.db.flush()
        book.db.refresh(notebook)
        self._penalise(handed_in, notebook)
        book.db.commit()

    def extend(self, student: str, extension: timedelta) -> float | None:
        """Give a student so much more time than the others, and work the late penalty out anew. Returns it; None if unmarked."""
        book, name = self._gradebook, self._room.assignment
        book.update_or_create_student(student)
        with book.db.no_autoflush:  # nbgrader's own code makes SQLAlchemy warn here
            submission = book.update_or_create_submission(name, student)
        submission.extension = extension or None
        notebook = book.find_submission_notebook(name, name, student)
        self._penalise(submission, notebook)
        book.db.commit()
        marked = any(grade.auto_score is not None or grade.manual_score is not None for grade in notebook.grades)
        return (notebook.late_submission_penalty or 0.0) if marked else None

    def _with_cells(self, kind: type, notebook: SubmittedNotebook) -> list[Any]:
        """The grades or comments of a notebook, and the cells whose names they go by, in one query instead of one a cell."""
        query = self._gradebook.db.query(kind).options(joinedload(kind.cell))
        return query.filter(kind.notebook_id == notebook.id).all()

    def _penalise(self, submission: SubmittedAssignment, notebook: SubmittedNotebook) -> None:
        notebook.late_submission_penalty = None
        late = submission.total_seconds_late
        if late > 0:
            plugin = self._penalties.plugin_inst
            penalty = plugin.late_submission_penalty(submission.student.id, notebook.score, late)
            if penalty is not None:
                notebook.late_submission_penalty = min(max(penalty, 0), notebook.score)

    def _save(self, submission: Submission, marked: NotebookNode) -> None:
        folder = self._room.place("autograded", submission.student)
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / f"{self._room.assignment}.ipynb", json.dumps(marked))
        for name, text in (("timestamp.txt", submission.timestamp), (SECRET, submission.secret)):
            if text:
                _write(folder / name, text)


def _write(path: Path, text: str) -> None:
    """Whole or not at all, and read-only as nbgrader leaves it."""
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".", suffix=".part")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(temporary, 0o444)
    os.replace(temporary, path)


def _is_time(text: str) -> bool:
    try:
        utils.parse_utc(text)
    except (ValueError, OverflowError):  # a student may have written the file
        return False
    return True


def _without_password(url: str) -> str:
    from sqlalchemy.engine import make_url

    return make_url(url).render_as_string(hide_password=True)
