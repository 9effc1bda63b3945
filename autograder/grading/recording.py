"""From the journal into the gradebook: several results in one transaction, for a transaction costs as much for one."""

from __future__ import annotations

from autograder.grading.classroom import Classroom, Submission
from autograder.grading.gradebook import Writer
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

    def add(self, entry: Entry, submission: Submission) -> None:
        self._waiting.append((entry, submission))
        if len(self._waiting) >= TOGETHER or len(submission.notebook) > SMALL:
            self.record()

    def record(self) -> None:
        """Record what waits. One that raises (by a plugin of the class's own, most likely) keeps no other from it."""
        group, self._waiting = self._waiting, []
        try:
            self._write(group)
        except Exception:
            failed = [error for one in group if (error := self._failure(one))]
            if failed:
                raise failed[0] from None

    def _failure(self, one: tuple[Entry, Submission]) -> Exception | None:
        try:
            self._write([one])
        except Exception as error:
            return error
        return None

    def _write(self, group: list[tuple[Entry, Submission]]) -> None:
        if not group:
            return
        with self._writer.together():
            for entry, submission in group:
                marked = marked_notebook(self._room.released, submission.notebook, entry.graded)
                self._writer.record(entry.student, submission.timestamp, marked)
        self._journal.recorded(*(entry for entry, _ in group))
