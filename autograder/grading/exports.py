"""The marks as Canvas and Moodle import them: what `marks` reads, with manual marks and late penalties in it.

    Canvas   Grades > Import: Student, ID, SIS User ID, SIS Login ID, Section, and a column named after the assignment. A
             second row gives the points possible. Canvas finds a student by ID or SIS Login ID.
    Moodle   Grade administration > Import > CSV file: one row a student, identified by username, ID number or e-mail address;
             which column is which is chosen there.
"""

from __future__ import annotations

import csv
import io

from autograder.grading.inert import cell
from autograder.grading.marks import Marks, number


def canvas(rows: list[Marks], assignment: str, most: float) -> str:
    """A file for Canvas's gradebook import."""
    lines = [["Student", "ID", "SIS User ID", "SIS Login ID", "Section", assignment]]
    lines.append(["    Points Possible", "", "", "", "", number(most)])
    for row in rows:
        name = ", ".join(filter(None, [row.last_name, row.first_name])) or row.id
        lines.append([name, row.lms_id, "", row.id, "", number(row.score)])
    return _csv(lines)


def moodle(rows: list[Marks], assignment: str) -> str:
    """A file for Moodle's grade import."""
    lines = [["username", "ID number", "Email address", "First name", "Last name", assignment]]
    lines += [[row.id, row.lms_id, row.email, row.first_name, row.last_name, number(row.score)] for row in rows]
    return _csv(lines)


def _csv(lines: list[list[str]]) -> str:
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([[cell(text) for text in line] for line in lines])
    return file.getvalue()
