"""From the journal into the gradebook: several results in one transaction, for a transaction costs as much for one."""

from __future__ import annotations

from sqlalchemy.exc import OperationalError

from autograder.grading.classroom import Classroom, Submission
from autograder.grading.gradebook import Writer
from autograder.grading.inert import visible
from autograder.grading.journal import Entry, Journal
from autograder.grading.marked import marked_notebook
from autograder.grading.submission import SMALL

TOGETHER = 16  # in one transaction; a large file, which would be held in memory until then, is not waited with


class Recorder:
    """Takes results that are in the journal, and brings them into the gradebook when enough are there, or when told.

    Only what the gradebook has is noted as recorded. So whenever this is killed, the next run finds in the journal what is
    missing.
    """

    def __init__(self, room: Classroom, journal: Journal, writer: Writer):
        self._room, self._journal, self._writer = room, journal, writer
        self._waiting: list[tuple[Entry, Submission]] = []
        self.failed: dict[str, str] = {}  # by student

    def add(self, entry: Entry, submission: Submission) -> None:
        self._waiting.append((entry, submission))
        if len(self._waiting) >= TOGETHER or len(submission.notebook) > SMALL:
            self.record()

    def record(self) -> None:
        """Record what waits. One that the gradebook refuses costs itself only, and is in `failed`, with a sentence.

        Raises `OSError` or SQLAlchemy's `OperationalError`: the disk or the database fails, and so it fails for everybody.
        """
        group, self._waiting = self._waiting, []
        try:
            self._write(group)
        except (OSError, OperationalError):
            raise
        except Exception as error:
            if len(group) > 1:
                for one in group:
                    self.add(*one)
                    self.record()
            else:
                said = visible(f"{type(error).__name__}: {str(error)[:200]}")
                why = f"it is graded, and its marks could not be written into the gradebook: {said}"
                self.failed[group[0][0].student] = why

    def _write(self, group: list[tuple[Entry, Submission]]) -> None:
        if not group:
            return
        with self._writer.together():
            for entry, submission in group:
                marked = marked_notebook(self._room.released, submission.notebook, entry.graded)
                self._writer.record(submission, marked)
        self._journal.recorded(*(entry for entry, _ in group))
