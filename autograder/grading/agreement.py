"""Whether what was handed out is what this course marks. The exercises say what there is and what it is worth; nobody else does.

Two copies of that were made when the assignment was released: in the check cells of the released notebook, and in nbgrader's
gradebook, as the most that a cell can earn. An exercise that has changed since then would be marked out of one number and
recorded out of another. So while they differ nothing is graded and nothing is reported.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from autograder.exercises import exercises
from autograder.exercises.exercise import Exercise, Written
from autograder.grading.journal import Entry
from autograder.grading.submission import Released
from autograder.notebooks.cells import check_name
from autograder.places import CHAPTERS

SHOWN = 5  # differences in one sentence


class Disagreement(ValueError):
    """What was handed out is not what this course marks; the text says where they differ and what to run."""


def require_agreement(assignment: str, released: Released, most: Mapping[str, float], class_folder: str | Path = "DIR") -> None:
    """Raise `Disagreement` unless the exercises, the released notebook and the gradebook say the same.

    Args:
        assignment: the name of the chapter that was released. Of a notebook that is no chapter, what is in it is compared.
        most: name of a cell -> the most that it can earn, of all graded cells that the gradebook knows of it.
        class_folder: where the class is, for the command in the sentence.
    """
    wrong = [*differences(released), *_missing(assignment, released), *_recorded_otherwise(released, most)]
    if wrong:
        raise Disagreement(refusal(wrong, assignment, class_folder))


def require_graded_as_now(assignment: str, entries: Mapping[str, Entry]) -> None:
    """Raise `Disagreement` when a result in the journal is older than a change of its exercise's points."""
    for student, entry in entries.items():
        for exercise_id, report in entry.graded.reports.items():
            now = exercises[exercise_id].points if exercise_id in exercises else None
            if report.points != now:
                raise Disagreement(
                    f"{exercise_id} of {student} was graded when it had {_points(report.points)}, and it has {_points(now)} now: "
                    f"run `course grade {assignment} --again`."
                )


def differences(released: Released) -> list[str]:
    """Where a released notebook and the exercises differ: an exercise that is none, one of another kind, other points."""
    found = []
    for kind, there in ((Exercise, released.exercises), (Written, released.written)):
        for exercise_id in there:
            try:
                exercise = exercises[exercise_id]
            except KeyError:
                found.append(f"{exercise_id} is in the released notebook and is no exercise of the course")
                continue
            points = _points_of(mark_cell(exercise_id, released), released)
            if not isinstance(exercise, kind):
                here, course = ("a check", "a person") if kind is Exercise else ("a person", "a check")
                found.append(f"{exercise_id} is marked by {here} in the released notebook and by {course} in the course")
            elif points != exercise.points:
                here, course = _points(points), _points(exercise.points)
                found.append(f"{exercise_id} has {here} in the released notebook and {course} in the course")
    return found


def mark_cell(exercise_id: str, released: Released) -> str:
    """The name of the cell that carries the points: the check below the answer, or the written answer itself."""
    return released.written[exercise_id] if exercise_id in released.written else check_name(exercise_id)


def refusal(wrong: list[str], assignment: str = "ASSIGNMENT", class_folder: str | Path = "DIR") -> str:
    """The sentences for the instructor."""
    more = [f"and {len(wrong) - SHOWN} more"] if len(wrong) > SHOWN else []
    return (
        f"{assignment} was handed out for other exercises than the course has now: {'; '.join(wrong[:SHOWN] + more)}. All marks "
        f"are as they were. Run `course build --class-folder {class_folder}`, then there `nbgrader generate_assignment "
        f"{assignment} --force`, and then `course grade {assignment} --again`. (Once work is in the gradebook, nbgrader refuses "
        "this where exercises came or went: then grade with the course as you handed it out.)"
    )


def _missing(assignment: str, released: Released) -> list[str]:
    from autograder.publishing.chapter import exercise_ids  # reads MyST: a worker, which does not ask for this, need not load it

    chapter = CHAPTERS / f"{assignment}.md"
    wanted = exercise_ids(chapter) if chapter.exists() else []
    lacking = [i for i in wanted if i not in released.exercises and i not in released.written]
    return [f"{i} is an exercise of the chapter and not in the released notebook" for i in lacking]


def _recorded_otherwise(released: Released, most: Mapping[str, float]) -> list[str]:
    cells = {mark_cell(i, released): i for i in [*released.exercises, *released.written]}
    found = [f"the gradebook knows no cell for {i}" for name, i in cells.items() if name not in most]
    for name, recorded in most.items():
        points = _points_of(name, released)
        if name not in cells:
            found.append(f"the gradebook has {_points(recorded)} for the cell {name}, which the released notebook has not")
        elif points != recorded:
            here, there = _points(points), _points(recorded)
            found.append(f"{cells[name]} has {here} in the released notebook and {there} in the gradebook")
    return found


def _points_of(name: str, released: Released) -> float | None:
    return released.cells[name].points if name in released.cells else None


def _points(points: float | None) -> str:
    return "no points" if points is None else f"{points:g} point" + ("" if points == 1 else "s")
