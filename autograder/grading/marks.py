"""The marks of a class, out of nbgrader's gradebook: every table, page and file takes its numbers from here.

The mark of an exercise is what the check gave, or what a person put in its place, with extra credit. The score is their sum,
less what is taken off because it came late. nbgrader's own pages and `grades.csv` work it out in the same way.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from nbgrader.api import BaseCell, Grade, Gradebook, SubmittedAssignment, SubmittedNotebook

from autograder.grading.agreement import mark_cell
from autograder.grading.submission import Released


@dataclass(frozen=True)
class Marks:
    """What one student has for an assignment. Without a marked submission the score is None, so that nothing writes a zero."""

    id: str
    first_name: str
    last_name: str
    email: str
    lms_id: str
    exercises: Mapping[str, float]  # by exercise id, those that a person marks too
    waiting: tuple[str, ...]  # ids of exercises that a person has to look at
    late: float  # seconds after it was due, with what time was given; 0 where it came in time, or nothing is known
    extension: float  # seconds that were given beyond the due date
    penalty: float  # for coming late
    score: float | None


def most(released: Released) -> dict[str, float]:
    """The points of each exercise, those that a person marks too, in the order of the notebook."""
    ids = {mark_cell(i, released): i for i in [*released.exercises, *released.written]}
    return {ids[name]: cell.points or 0.0 for name, cell in released.cells.items() if name in ids}


def read(database: str, assignment: str, released: Released) -> list[Marks]:
    """The marks of all students whom the gradebook knows, by name."""
    cells = {i: mark_cell(i, released) for i in most(released)}
    with Gradebook(database) as book:
        number = book.find_assignment(assignment).id
        notebooks = book.db.query(SubmittedAssignment.student_id, SubmittedNotebook.late_submission_penalty)
        notebooks = notebooks.join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        penalties: dict[str, float] = defaultdict(float)
        for student, penalty in notebooks.filter(SubmittedAssignment.assignment_id == number):
            penalties[student] += penalty or 0.0
        came = {s.student_id: s for s in book.db.query(SubmittedAssignment).filter(SubmittedAssignment.assignment_id == number)}
        grades: dict[str, dict[str, Grade]] = defaultdict(dict)
        rows = book.db.query(SubmittedAssignment.student_id, BaseCell.name, Grade)
        rows = rows.join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
        rows = rows.join(Grade, Grade.notebook_id == SubmittedNotebook.id).join(BaseCell, Grade.cell_id == BaseCell.id)
        for student, name, grade in rows.filter(SubmittedAssignment.assignment_id == number):
            grades[student][name] = grade
        found = []
        for student in book.students:
            own = grades.get(student.id, {})
            marked = any(grade.auto_score is not None or grade.manual_score is not None for grade in own.values())
            exercises = {i: own[name].score for i, name in cells.items() if name in own} if marked else {}
            waiting = tuple(i for i, name in cells.items() if name in own and own[name].needs_manual_grade)
            names = [student.first_name or "", student.last_name or "", student.email or "", student.lms_user_id or ""]
            penalty = penalties.get(student.id, 0.0)
            score = max(sum(exercises.values()) - penalty, 0.0) if marked else None
            late = came[student.id].total_seconds_late if student.id in came else 0.0
            extension = came[student.id].extension if student.id in came else None
            more = extension.total_seconds() if extension else 0.0
            found.append(Marks(student.id, *names, exercises, waiting, late, more, penalty, score))
    return sorted(found, key=lambda marks: marks.id)


def number(mark: float | None) -> str:
    """A mark as every file writes it; nothing for none."""
    return "" if mark is None else f"{mark:g}"


def duration(seconds: float) -> str:
    """`2 d 3 h`, `3 h 10 min`, `4 min`: two units, rounded down; a late minute is one, so nothing late reads as nothing."""
    minutes = max(int(seconds // 60), 1)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if number]
    return " ".join(parts[:2])
