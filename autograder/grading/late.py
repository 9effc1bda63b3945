"""Due dates, and time that somebody is given beyond them. Both are nbgrader's own: they lie in the gradebook, and formgrader
shows them. What is late is worked out from there, and so is what the class's settings take off for it.
"""

from __future__ import annotations

import datetime

from nbgrader.api import Gradebook, MissingEntry

from autograder.grading.classroom import Classroom
from autograder.grading.gradebook import Writer

AS_TEXT = "%Y-%m-%d %H:%M UTC"


class NoExtension(ValueError):
    """An extension that cannot be given; the text is the sentence for the instructor."""


def extend(room: Classroom, student: str, until: str) -> str:
    """Give a student until then; what was taken off for coming late is worked out anew. Returns a sentence.

    until: a time with its zone, such as `2026-12-01 23:59 +0100` (UTC without one). Raises `NoExtension`.
    """
    moment = _moment(until)
    with Gradebook(room.database) as book:
        due = book.find_assignment(room.assignment).duedate
        try:
            book.find_student(student)
        except MissingEntry:
            if student not in room.students():
                nobody = f"Nobody is called {student!r} in {room.folder}: `nbgrader db student list` says who is there."
                raise NoExtension(nobody) from None
    if due is None:
        set_one = f"`nbgrader db assignment add {room.assignment} --duedate '2026-12-01 23:59 UTC'` sets one"
        raise NoExtension(f"{room.assignment} has no due date, so there is nothing to extend: {set_one}.")
    if moment < due:
        raise NoExtension(f"{room.assignment} is due on {due:{AS_TEXT}}, later than that: nobody gets less time than the others.")
    with Writer(room) as writer:
        penalty = writer.extend(student, moment - due)
    much = f" {penalty:g} points are taken off." if penalty else " Nothing is taken off." if penalty == 0 else ""
    given = f"has until {moment:{AS_TEXT}}" if moment > due else "has no extension any more"
    return f"{student} {given} for {room.assignment}, which is due on {due:{AS_TEXT}}.{much}"


def _moment(text: str) -> datetime.datetime:
    """UTC, without a zone, as the gradebook has it. (nbgrader's own `parse_utc` takes +0100 for a hundred seconds.)"""
    try:
        found = datetime.datetime.fromisoformat(text.strip().replace(" UTC", "Z").replace(" +", "+").replace(" -", "-"))
    except ValueError:
        raise NoExtension(f"{text!r} is no time: try something like '2026-12-01 23:59 +0100'.") from None
    return found.astimezone(datetime.UTC).replace(tzinfo=None) if found.tzinfo else found
