"""Grading an assignment of a class, from what was handed in to the gradebook, in a way that survives being killed.

For each submission in turn: graded somewhere (`spread`), and written to the journal here. For several at once: written to the
gradebook, and then noted as recorded. Between any two of these steps the process may end; the next run looks at the journal and
does what is missing.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Collection, Iterator
from dataclasses import replace

from autograder.grading.agreement import require_agreement
from autograder.grading.classroom import Classroom, Submission
from autograder.grading.gradebook import Writer, most_points
from autograder.grading.graded import Graded
from autograder.grading.journal import Entry, Journal, key_of
from autograder.grading.recording import Recorder
from autograder.grading.spread import Lost, Task, spread
from autograder.grading.submission import Released, read_released


def grade_class(
    room: Classroom, *, workers: int, scheduler: str | None, sandboxed: bool, again: bool,
    only: Collection[str] | None = None,
    on_done: Callable[[str, Graded | Lost], None] = lambda student, result: None,
) -> dict[str, Lost]:
    """Grade what has not been graded yet, and bring the gradebook up to date. Returns what could not be graded.

    Args:
        again: grade everything again, each submission with the inputs it was graded with before, and new ones where it changed.
        only: the students whose submissions are looked at; all of them when None.
        on_done: called once for each submission: with its result, also when that comes from an earlier run.

    Raises:
        Busy: when another process is grading this assignment.
        OtherJournal: when another version of the course has graded it.
        NoClass: when the gradebook does not know the assignment.
        Disagreement: when what was handed out is not what this course marks.
    """
    agreed(room)
    lost: dict[str, Lost] = {}
    with Journal(room.journal) as journal, Writer(room) as writer:
        recorder = Recorder(room, journal, writer)
        known = journal.entries()
        for entry in journal.unrecorded():  # what an earlier run graded and did not live to record
            submission = room.submission(entry.student)
            if entry.key == key(room, submission):
                recorder.add(entry, submission)
        recorder.record()

        def tasks() -> Iterator[Task]:
            for submission in room.submissions():
                if only is not None and submission.student not in only:
                    continue
                before = known.get(submission.student)
                same = before is not None and before.key == key(room, submission)
                if same and not again:
                    on_done(submission.student, before.graded)
                else:
                    seed = before.graded.seed if same else secrets.randbits(32)
                    yield Task(submission.student, submission.notebook, seed)

        def done(task: Task, result: Graded | Lost) -> None:
            if isinstance(result, Lost):
                lost[task.student] = result
            else:
                submission = room.submission(task.student)
                if submission.notebook != task.submitted:  # handed in anew while it was being graded
                    lost[task.student] = Lost("a new version was handed in meanwhile; run the command again")
                else:
                    entry = Entry(task.student, key(room, submission), _with_refusal(result, submission))
                    journal.add(entry)
                    recorder.add(entry, submission)
            on_done(task.student, lost.get(task.student, result))

        spread(room.released, tasks(), workers=workers, scheduler=scheduler, sandboxed=sandboxed, on_result=done)
        recorder.record()
    return lost | {student: Lost(why) for student, why in recorder.failed.items()}


def agreed(room: Classroom) -> Released:
    """What was handed out, read. Raises `Disagreement` when it is not what this course marks, and `NoClass`."""
    released = read_released(room.released)
    most = most_points(room.database, room.assignment, room.assignment)
    require_agreement(room.assignment, released, most, room.folder)
    return released


def key(room: Classroom, submission: Submission) -> str:
    """What a result in the journal belongs to: this submission of this release."""
    return key_of(room.released, submission.notebook or submission.refused.encode())


def _with_refusal(graded: Graded, submission: Submission) -> Graded:
    """What was not read earns what an empty notebook earns, and a person learns why it was not read."""
    if not submission.refused:
        return graded
    return replace(graded, notes=[f"{submission.refused[:1].upper()}{submission.refused[1:]}."], needs_human=True)
