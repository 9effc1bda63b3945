"""A class for the tests of grading: the commands that are typed in its folder, and the marks that its gradebook holds."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path

import pytest
from nbgrader.api import Gradebook
from nbgrader.apps.nbgraderapp import NbGraderApp
from sqlalchemy.exc import SAWarning
from typer.testing import CliRunner

from autograder import commands, places

BIN = Path(sys.executable).parent
# nbgrader calls alembic by name, so it has to be on the PATH, as it is in an activated environment
ENVIRONMENT = os.environ | {"PATH": os.pathsep.join([str(BIN), os.environ.get("PATH", "")])}


def nbgrader(folder: Path, command: str, *arguments: str, expect: int = 0) -> tuple[str, str]:
    """Type one of nbgrader's own commands in the class, in this process; return what it said on stdout and stderr."""
    out, err, ended = io.StringIO(), io.StringIO(), 0
    with _in(folder), contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), warnings.catch_warnings():
        warnings.simplefilter("ignore", SAWarning)  # nbgrader's own code makes SQLAlchemy warn
        try:
            NbGraderApp.launch_instance([command, *arguments])
        except SystemExit as end:
            ended = end.code
        finally:  # each remembers its settings
            for app in (NbGraderApp, *(app for app, _ in NbGraderApp.subcommands.values())):
                app.clear_instance()
    assert ended == expect, f"nbgrader {command} {arguments} ended with {ended}:\n{out.getvalue()}\n{err.getvalue()}"
    return out.getvalue(), err.getvalue()


def nbgrader_alone(folder: Path, command: str, *arguments: str) -> tuple[str, str]:
    """The same in a process of its own, as an instructor starts it."""
    done = subprocess.run(
        [sys.executable, "-m", "nbgrader", command, *arguments], cwd=folder, capture_output=True, text=True, timeout=600,
        env=ENVIRONMENT | {"JUPYTER_CONFIG_DIR": str(folder / "nobody")},
    )
    assert done.returncode == 0, f"nbgrader {command} {arguments} failed:\n{done.stdout}\n{done.stderr}"
    return done.stdout, done.stderr


def course(folder: Path, *arguments: str, expect: int = 0) -> str:
    """Type a `course` command in the class, in this process; return what it said on stdout. On stderr it may say nothing."""
    with _in(folder):
        done = CliRunner().invoke(commands.app, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception  # no traceback, whatever happens
    return _said(arguments, done.exit_code, done.stdout, done.stderr, expect)


def course_alone(folder: Path, *arguments: str, expect: int = 0) -> str:
    """The same in a process of its own, as an instructor starts it: it has to import by itself all that it needs."""
    done = subprocess.run(
        [sys.executable, "-m", "autograder.commands", *arguments], cwd=folder, capture_output=True, text=True, timeout=600,
        env=ENVIRONMENT | {"PYTHONPATH": str(places.ROOT)},
    )
    return _said(arguments, done.returncode, done.stdout, done.stderr, expect)


@contextlib.contextmanager
def _in(folder: Path) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("PATH", ENVIRONMENT["PATH"])
        patch.setenv("JUPYTER_CONFIG_DIR", str(folder / "nobody"))
        yield


def _said(arguments: tuple[str, ...], ended: int, stdout: str, stderr: str, expect: int) -> str:
    assert ended == expect, f"course {arguments} ended with {ended}:\n{stdout}\n{stderr}"
    assert stderr == "", stderr
    return stdout


def marks(folder: Path, student: str, assignment: str, database: str | None = None) -> dict[str, float | None]:
    """What the gradebook holds: the automatic mark of every cell."""
    with Gradebook(database or f"sqlite:///{folder / 'gradebook.db'}") as gradebook:
        grades = gradebook.find_submission_notebook(assignment, assignment, student).grades
        return {grade.name: grade.auto_score for grade in grades}
