"""Why an answer has the mark it has: which inputs it got, what was right, what came. For whoever answers a complaint.

The inputs of a grading are drawn from a seed that the journal keeps, so they can be drawn again and the answer asked again,
behind the same wall. What is printed here is the instructor's: a student who reads it knows the inputs of this grading.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from autograder.asking.ask import Outcome
from autograder.asking.state import State
from autograder.asking.values import Raised, describe
from autograder.grading import marks
from autograder.grading.classroom import Classroom
from autograder.grading.classwork import agreed, key
from autograder.grading.grader import Grader
from autograder.grading.inert import visible
from autograder.grading.journal import entries
from autograder.judging.report import Report

NUMBERS, ITEMS, TEXT = 8, 4, 160  # shown of a tensor, of a list, of a text


class NothingToSay(ValueError):
    """There is no such mark; the text is the sentence for the instructor."""


def explained(room: Classroom, student: str, exercise_id: str, *, sandboxed: bool) -> list[str]:
    """Lines that explain one mark. Raises `NothingToSay`, and what grading raises."""
    released, entry = agreed(room), entries(room.journal).get(student)
    if entry is None:
        raise NothingToSay(f"`course grade` has not graded {visible(student)} in {room.assignment}.")
    if exercise_id not in entry.graded.reports:
        known = ", ".join(entry.graded.reports)
        raise NothingToSay(f"{room.assignment} has no check {exercise_id!r}; there are {known}. (A written answer has none.)")
    submission = room.submission(student)
    before = entry.graded.reports[exercise_id]
    lines = [f"{visible(student)}, {exercise_id}: {before.score:g} of {before.points:g} points from the check."]
    lines += _recorded(room, released, student, before)
    lines += [f"The student reads: {visible(before.says or before.message)}", f"Graded with the seed {entry.graded.seed}."]
    lines += [f"About the submission: {visible(note)}" for note in entry.graded.notes]
    if entry.key != key(room, submission):
        changed = "It was handed in anew, or the release has changed, since it was graded: `course grade` again, then ask again."
        return [*lines, changed]
    with Grader(room.released, sandboxed=sandboxed) as grader:
        graded, trials, outcomes = grader.examine(submission.notebook, entry.graded.seed)
    again = graded.reports[exercise_id]
    same = (again.score, again.state) == (before.score, before.state)
    now = "the same report" if same else f"another one: {again.score:g} points, {again.state}. `course regrade` records it"
    lines.append(f"Asked again now, with the same inputs: {now}.")
    lines += [f"  {row.part}: {row.earned:g} of {row.points:g}  {visible(row.comment)}" for row in again.rows]
    for case, outcome in zip(trials[exercise_id].cases, outcomes[exercise_id], strict=True):
        lines += ["", f"case: {case['label']}"]
        lines += [f"  {name:12} {shown(value)}" for name, value in case["inputs"].items()]
        lines += [f"  {'right':12} {'measured on what was held back' if case['held'] is not None else shown(case['expected'])}"]
        lines += [f"  {'came':12} {_came(outcome)}", *_besides(outcome)]
    return lines


def shown(value: Any) -> str:
    """A value on one line: the shape and the first numbers of a tensor, the first items of a list, the beginning of a text."""
    if isinstance(value, Raised) or value is None or isinstance(value, bool):
        return describe(value)
    if isinstance(value, (int, float)):
        return f"{value:.6g}"
    if isinstance(value, str):
        return visible(repr(value[:TEXT])) + (" …" if len(value) > TEXT else "")
    if hasattr(value, "shape"):
        flat = value.reshape(-1)[:NUMBERS].tolist()
        more = " …" if len(value.reshape(-1)) > NUMBERS else ""
        said = [f"{x:.5g}" if isinstance(x, (int, float)) else visible(str(x)) for x in flat]
        return f"{tuple(value.shape)}  {' '.join(said)}{more}"
    if isinstance(value, Mapping):
        items = list(value.items())[:ITEMS]
        return "{" + ", ".join(f"{visible(str(name))}: {shown(item)}" for name, item in items) + "}" + _more(value)
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shown(item) for item in value[:ITEMS]) + "]" + _more(value)
    return visible(describe(value))


def _more(items: Any) -> str:
    return f" and {len(items) - ITEMS} more" if len(items) > ITEMS else ""


def _came(outcome: Outcome) -> str:
    return shown(outcome.value) if outcome.state == State.RETURNED else visible(f"{outcome.state}: {outcome.message}")


def _besides(outcome: Outcome) -> Iterator[str]:
    if outcome.changed:
        yield f"  {'changed':12} its inputs {', '.join(outcome.changed)}"
    if outcome.printed.strip():
        yield f"  {'printed':12} {shown(outcome.printed)}"


def _recorded(room: Classroom, released: Any, student: str, report: Report) -> list[str]:
    """What the gradebook has, where that is something else."""
    found = [row for row in marks.read(room.database, room.assignment, released) if row.id == student]
    mark = found[0].exercises.get(report.id) if found else None
    there = "no mark" if mark is None else f"{mark:g}"
    return [] if mark == report.score else [f"The gradebook has {there}: a person changed it there, or it is not recorded yet."]
