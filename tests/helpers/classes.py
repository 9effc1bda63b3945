"""A class for the tests of grading: nbgrader's course folder with released assignments, and who handed in what."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from nbgrader.api import Gradebook

from autograder import places
from autograder.publishing import build

BIN = Path(sys.executable).parent
# nbgrader calls alembic by name, so it has to be on the PATH, as it is in an activated environment
ENVIRONMENT = os.environ | {"PATH": os.pathsep.join([str(BIN), os.environ.get("PATH", "")])}


def nbgrader(folder: Path, command: str, *arguments: str) -> tuple[str, str]:
    """Run one of nbgrader's own commands in the class; return what it said on stdout and stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", command, *arguments], cwd=folder, capture_output=True, text=True, timeout=300,
        env=ENVIRONMENT | {"JUPYTER_CONFIG_DIR": str(folder / "nobody")},
    )
    assert done.returncode == 0, f"nbgrader {command} {arguments} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def course(folder: Path, *arguments: str, expect: int = 0, **environment: str) -> str:
    """Run the `course` command in the class; return what it said on stdout. On stderr it may say nothing."""
    done = subprocess.run(
        [sys.executable, "-m", "autograder.commands", *arguments], cwd=folder, capture_output=True, text=True, timeout=300,
        env=ENVIRONMENT | {"PYTHONPATH": str(places.ROOT)} | environment,
    )
    assert done.returncode == expect, f"course {arguments} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}"
    assert done.stderr == "", done.stderr
    return done.stdout


def open_class(folder: Path, *assignments: str) -> Path:
    """Build the course into `folder` and release some of its assignments."""
    build.build_class(folder)
    for assignment in assignments:
        nbgrader(folder, "generate_assignment", assignment)
    return folder


def marks(folder: Path, student: str, assignment: str, database: str | None = None) -> dict[str, float | None]:
    """What the gradebook holds: the automatic mark of every cell."""
    with Gradebook(database or f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        grades = gradebook.find_submission_notebook(assignment, assignment, student).grades
        return {grade.name: grade.auto_score for grade in grades}
