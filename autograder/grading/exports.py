"""The marks as Canvas and Moodle import them, from nbgrader's gradebook: with manual marks and late penalties in them.

    Canvas   Grades > Import: Student, ID, SIS User ID, SIS Login ID, Section, and a column named after the assignment. A
             second row gives the points possible. Canvas finds a student by ID or SIS Login ID.
    Moodle   Grade administration > Import > CSV file: one row a student, identified by username, ID number or e-mail address;
             which column is which is chosen there.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from nbgrader.api import Gradebook, MissingEntry


@dataclass(frozen=True)
class Row:
    """A student, and the score of one assignment; None when nothing was handed in, so that no system writes a zero."""

    id: str
    first_name: str
    last_name: str
    email: str
    lms_id: str
    score: float | None


def read(database: str, assignment: str) -> tuple[list[Row], float]:
    """All students of the gradebook with their score, and the most points that can be had."""
    with Gradebook(database) as gradebook:
        most = gradebook.find_assignment(assignment).max_score
        rows = []
        for student in gradebook.students:
            try:
                submission = gradebook.find_submission(assignment, student.id)
                score = submission.score - submission.late_submission_penalty
            except MissingEntry:
                score = None
            names = [student.first_name or "", student.last_name or "", student.email or "", student.lms_user_id or ""]
            rows.append(Row(student.id, *names, score))
    return sorted(rows, key=lambda row: row.id), most


def canvas(rows: list[Row], assignment: str, most: float) -> str:
    """A file for Canvas's gradebook import."""
    lines = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", assignment]]
    lines.append(["    Points Possible", "", "", "", "", f"{most:g}"])
    for row in rows:
        name = ", ".join(filter(None, [row.last_name, row.first_name])) or row.id
        lines.append([name, row.lms_id, "", row.id, "", _score(row)])
    return _csv(lines)


def moodle(rows: list[Row], assignment: str) -> str:
    """A file for Moodle's grade import."""
    lines = [["username", "ID number", "Email address", "First name", "Last name", assignment]]
    lines += [[row.id, row.lms_id, row.email, row.first_name, row.last_name, _score(row)] for row in rows]
    return _csv(lines)


def _score(row: Row) -> str:
    return "" if row.score is None else f"{row.score:g}"


def _csv(lines: list[list[str]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows(lines)
    return file.getvalue()
