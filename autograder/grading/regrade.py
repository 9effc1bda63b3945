"""Grading some submissions again, with the inputs they had, and keeping a record of who asked for it and what changed."""

from __future__ import annotations

import datetime
import getpass
import json
import os
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from autograder.grading.classroom import Classroom
from autograder.grading.classwork import grade_class
from autograder.grading.journal import entries
from autograder.grading.spread import Lost


@dataclass(frozen=True)
class Change:
    """What a second grading made of one student's work: exercise -> (points before, points after), of those that differ."""

    student: str
    before: float
    after: float
    exercises: dict[str, tuple[float, float]]


def regrade(room: Classroom, students: Collection[str], reason: str, *, sandboxed: bool) -> tuple[list[Change], dict[str, Lost]]:
    """Grade these students' submissions again. Each change, and each confirmation, is a line in the class's audit log.

    A submission that is as it was gets the seed it had. Manual marks and comments stay, as with every grading.
    Raises what `grade_class` raises.
    """
    before = entries(room.journal)
    lost = grade_class(room, workers=1, scheduler=None, sandboxed=sandboxed, again=True, only=students)
    after, changes = entries(room.journal), []
    for student in students:
        if student in lost:
            continue
        old = {i: report.score for i, report in before[student].graded.reports.items()} if student in before else {}
        new = {i: report.score for i, report in after[student].graded.reports.items()}
        differing = {i: (old.get(i, 0.0), new.get(i, 0.0)) for i in {**old, **new} if old.get(i, 0.0) != new.get(i, 0.0)}
        changes.append(Change(student, sum(old.values()), sum(new.values()), differing))
    log(room.folder, [{"assignment": room.assignment, "student": c.student, "before": c.before, "after": c.after,
                       "changed": c.exercises, "reason": reason} for c in changes])  # fmt: skip
    return changes, lost


def log(folder: Path, what: list[dict[str, object]]) -> None:
    """Append to the class's audit log, `.course/audit.jsonl`: one line a deed, with the time and who is logged in."""
    path = folder / ".course" / "audit.jsonl"
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"when": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"), "who": _who()}
    with path.open("a", encoding="utf-8") as file:
        file.writelines(json.dumps(about | line) + "\n" for line in what)
        file.flush()
        os.fsync(file.fileno())


def _who() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a number without a name, as in a container
        return f"user {os.getuid()}"
