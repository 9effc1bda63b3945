"""What a student reads of a report: our own sentences and nothing else.

A report may hold text that the student's code made (an exception, a print, a number). The inputs of a grading are secret, and
such text could carry them out. So nothing of it is shown: each state has its sentence, and a known mistake has its own.
"""

from __future__ import annotations

import builtins
from dataclasses import replace

from autograder.asking.state import State
from autograder.judging.report import Report

SENTENCES = {
    State.RIGHT: "Right.",
    State.PARTIAL: "Some parts are right and some are not; the table says which.",
    State.WRONG: "Your function answers, and the answers are not right yet. The check in your notebook shows what differs.",
    State.NOT_ATTEMPTED: "Not attempted: there was no answer of your own in the cell.",
    State.RAISED: "Your function raised {error}. Try inputs of other sizes than those of the check in your notebook.",
    State.CLOSED: "Your answer uses a module that holds it, and that is closed here: write what you need of it yourself.",
    State.TIMED_OUT: "No answer came in time: look for a loop that never ends.",
    State.FLOODED: "It printed without an end, so it was stopped: look for a print inside a loop.",
    State.CRASHED: "The Python process ended while it ran your code: look for an exit, a crash, or too much memory.",
    State.UNREADABLE: "Your function returned something else than was asked for: compare types and shapes with its description.",
    State.NOT_CALLABLE: "The name that the check needs is not a function. Pass the function itself, without calling it.",
}


def student_message(report: Report) -> str:
    """One sentence on a report."""
    if report.says:
        return report.says
    error = report.error
    known = isinstance(getattr(builtins, error, None), type)  # another's name may be a text of the student's own
    sentence = SENTENCES.get(report.state, SENTENCES[State.WRONG])
    return sentence.format(error=f"{_article(error)} {error}" if known else "an exception")


def for_students(report: Report) -> Report:
    """The report with nothing but our own sentences in it. The mark in it is the check's; a person may have given another."""
    rows = [replace(row, comment="right" if row.earned == row.points else "not right yet") for row in report.rows]
    return replace(report, id=f"{report.id}, by the check", message=student_message(report), rows=rows, printed="")


def table_html(report: Report) -> str:
    """The table for nbgrader's feedback."""
    return for_students(report)._repr_html_()


def text(report: Report) -> str:
    """The same for a terminal, or a comment."""
    return for_students(report).text()


def _article(name: str) -> str:
    return "an" if name[0] in "AEIOU" else "a"
