"""Due dates, and time that somebody is given beyond them. Both are nbgrader's own: they lie in the gradebook, and formgrader
shows them. What is late is worked out from there, and so is what the class's settings take off for it.
"""

from __future__ import annotations

import datetime

from nbgrader.api import Gradebook, MissingEntry
from nbgrader.utils import parse_utc

from autograder.grading.classroom import Classroom
from autograder.grading.gradebook import Writer

AS_TEXT = "%Y-%m-%d %H:%M UTC"


class NoExtension(ValueError):
    """An extension that cannot be given; the text is the sentence for the instructor."""


def due_dates(database: str) -> dict[str, datetime.datetime]:
    """Assignment -> when it is due (UTC), of those that have a date."""
    with Gradebook(database) as book:
        return {a.name: a.duedate.replace(tzinfo=datetime.UTC) for a in book.assignments if a.duedate is not None}


def extend(room: Classroom, student: str, until: str) -> str:
    """Give a student until then; what was taken off for coming late is worked out anew. Returns a sentence.

    until: a time with its zone, such as `2026-12-01 23:59 +0100` (UTC without one). Raises `NoExtension`.
    """
    try:
        moment = parse_utc(until)
    except (ValueError, OverflowError):
        raise NoExtension(f"{until!r} is no time: try something like '2026-12-01 23:59 +0100'.") from None
    with Gradebook(room.database) as book:
        due = book.find_assignment(room.assignment).duedate
        try:
            book.find_student(student)
        except MissingEntry:
            if student not in room.students():
                raise NoExtension(f"Nobody is called {student!r} in {room.folder}: `nbgrader db student list` says who is.") from None
    if due is None:
        set_one = f"`nbgrader db assignment add {room.assignment} --duedate '2026-12-01 23:59 UTC'` sets one"
        raise NoExtension(f"{room.assignment} has no due date, so there is nothing to extend: {set_one}.")
    if moment < due:
        raise NoExtension(f"{room.assignment} is due on {due:{AS_TEXT}}, which is later than that: nobody gets less time than the others.")
    with Writer(room) as writer:
        penalty = writer.extend(student, moment - due)
    much = f" {penalty:g} points are taken off." if penalty else " Nothing is taken off." if penalty == 0 else ""
    given = f"has until {moment:{AS_TEXT}}" if moment > due else "has no extension any more"
    return f"{student} {given} for {room.assignment}, which is due on {due:{AS_TEXT}}.{much}"


def duration(seconds: float) -> str:
    """`2 d 3 h`, `3 h 10 min`, `4 min`: two units, rounded down; a late minute is one, so nothing late reads as nothing."""
    minutes = max(int(seconds // 60), 1)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    parts = [f"{number} {unit}" for number, unit in ((days, "d"), (hours, "h"), (minutes, "min")) if number]
    return " ".join(parts[:2])
