"""Whatever goes wrong around a class is one sentence that says what to do, and never a traceback."""

import os
import signal
import sqlite3
from types import SimpleNamespace

import pytest
from sqlalchemy.exc import DatabaseError, OperationalError
from typer.testing import CliRunner

from autograder import commands
from autograder.grading import class_report, classwork, journal, marks
from autograder.grading import commands as grading
from autograder.grading.classroom import NoClass, classroom

LOCKED = OperationalError("UPDATE grade", {}, sqlite3.OperationalError("database is locked"))
RUBBISH = DatabaseError("SELECT 1", {}, sqlite3.DatabaseError("file is not a database"))


@pytest.fixture
def room(monkeypatch, tmp_path):
    """A class of which everything is made up."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    made = SimpleNamespace(students=lambda: ["ada"], set_aside=lambda: [], folder=tmp_path, journal=tmp_path / "j", database="x")
    monkeypatch.setattr(grading, "room_of", lambda *_: made)
    yield made
    for number, handler in handlers.items():
        signal.signal(number, handler)


def said(*arguments: str) -> str:
    result = CliRunner().invoke(commands.app, list(arguments))
    assert result.exit_code == 1 and (result.exception is None or isinstance(result.exception, SystemExit)), result
    return " ".join(result.output.split())


@pytest.mark.parametrize(("trouble", "sentence"), [
    (LOCKED, "close formgrader"), (RUBBISH, "the gradebook is damaged, or is none"),
    (PermissionError(13, "Permission denied", "/class/.course/x.jsonl"), "Permission denied: '/class/.course/x.jsonl'"),
    (IsADirectoryError(21, "Is a directory", "/class/.course/x.jsonl"), "Is a directory"),
    (OSError(28, "No space left on device"), "No space left"), (KeyboardInterrupt(), "Grading was stopped."),
])  # fmt: skip
def test_grading_that_cannot_go_on_says_why_and_that_nothing_is_lost(room, monkeypatch, trouble, sentence):
    def stop(*_, **__):
        raise trouble

    monkeypatch.setattr(classwork, "grade_class", stop)
    text = said("grade", "x", "--unsandboxed")
    assert sentence in text and "Nothing is lost" in text and "run the same command again" in text


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_in_a_sentence(room, monkeypatch, number):
    monkeypatch.setattr(classwork, "grade_class", lambda *_, **__: os.kill(os.getpid(), number))
    assert "Grading was stopped. Nothing is lost" in said("grade", "x", "--unsandboxed")


@pytest.mark.parametrize(("trouble", "sentence"), [(LOCKED, "close formgrader"), (OSError(5, "Input/output error"), "Input")])
def test_a_report_that_cannot_be_made_says_why(room, monkeypatch, trouble, sentence):
    def stop(*_):
        raise trouble

    monkeypatch.setattr(classwork, "agreed", stop)
    assert sentence in said("report", "x")


def test_a_report_that_cannot_be_written_says_why(room, monkeypatch):
    monkeypatch.setattr(classwork, "agreed", lambda room: None)
    monkeypatch.setattr(journal, "entries", lambda path: {})
    for module, name in [(marks, "read"), (class_report, "page"), (class_report, "table")]:
        monkeypatch.setattr(module, name, lambda *_: [] if _ and _[0] == "x" else "")
    monkeypatch.setattr(marks, "most", lambda released: {})
    (room.folder / "reports").write_text("a file where a folder belongs")
    assert "The report could not be written: [Errno" in said("report", "x")


@pytest.mark.parametrize("name", ["100%", "what?", "a#b"])
def test_a_folder_that_no_address_can_name_is_refused(tmp_path, name):
    with pytest.raises(NoClass, match="Rename the folder"):
        classroom(tmp_path / name, "x")
