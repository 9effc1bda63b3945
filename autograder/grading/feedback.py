"""What a student reads of a report: our own sentences and nothing else.

A report may hold text that the student's code made (an exception, a print, a number). The inputs of a grading are secret, and
such text could carry them out. So nothing of it is shown: each state has its sentence, and a known mistake has its own.
"""

from __future__ import annotations

import builtins
import re
from dataclasses import replace
from typing import Any

from autograder.asking.state import State
from autograder.judging.report import Report, Row

SENTENCES = {
    State.RIGHT: "Right.",
    State.PARTIAL: "Some parts are right and some are not; the table says which.",
    State.WRONG: "Your function answers, and the answers are not right yet. The check in your notebook shows what differs.",
    State.NOT_ATTEMPTED: "Not attempted: there was no answer of your own in the cell.",
    State.RAISED: "Your function raised {error}. Try inputs of other sizes than those of the check in your notebook.",
    State.TIMED_OUT: "No answer came in time: look for a loop that never ends.",
    State.FLOODED: "It printed without an end, so it was stopped: look for a print inside a loop.",
    State.CRASHED: "The Python process ended while it ran your code: look for an exit, a crash, or too much memory.",
    State.UNREADABLE: "Your function returned something else than was asked for: compare types and shapes with its description.",
    State.NOT_CALLABLE: "The name that the check needs is not a function. Pass the function itself, without calling it.",
}
_RAISED = re.compile(r"\bit raised (\w+)", re.IGNORECASE)


def student_message(report: dict[str, Any]) -> str:
    """One sentence on a report, which is an `autograder.judging.report.Report` as a dict."""
    if report.get("says"):  # absent in a journal that an older course wrote
        return report["says"]
    found = _RAISED.search(report["message"])
    known = found and isinstance(getattr(builtins, found[1], None), type)
    sentence = SENTENCES.get(report["state"], SENTENCES[State.WRONG])
    return sentence.format(error=f"{_article(found[1])} {found[1]}" if found and known else "an exception")


def for_students(report: dict[str, Any]) -> Report:
    """The report with nothing but our own sentences in it."""
    rows = [Row(**row) for row in report["rows"]]
    rows = [replace(row, comment="right" if row.earned == row.points else "not right yet") for row in rows]
    return Report(**report | {"message": student_message(report), "rows": rows, "printed": ""})


def table_html(report: dict[str, Any]) -> str:
    """The table for nbgrader's feedback."""
    return for_students(report)._repr_html_()


def text(report: dict[str, Any]) -> str:
    """The same for a terminal, or a comment."""
    return for_students(report).text()


def _article(name: str) -> str:
    return "an" if name[0] in "AEIOU" else "a"
