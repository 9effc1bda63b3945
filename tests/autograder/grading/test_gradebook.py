"""What is written into nbgrader's gradebook of one submission. Nothing is run here: the reports are made by hand."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from nbgrader.api import Gradebook

from autograder.asking.state import State
from autograder.grading.classroom import Submission, classroom
from autograder.grading.gradebook import Writer
from autograder.grading.graded import Graded
from autograder.grading.marked import marked_notebook
from autograder.judging.report import Report
from classes import ENVIRONMENT
from submissions import EXERCISE, QUICKSTART, answered, data, notebook, right

pytestmark = pytest.mark.xdist_group("grading")


@pytest.fixture(scope="module")
def room(tmp_path_factory, open_class):
    return classroom(open_class(tmp_path_factory.mktemp("class"), QUICKSTART), QUICKSTART)


@dataclass(frozen=True)
class Recorded:
    mark: float
    comment: str | None
    timestamp: object


@pytest.fixture
def record(room, monkeypatch):
    """Record a submission that earned `score`, and read what the gradebook has of it."""
    monkeypatch.setenv("PATH", ENVIRONMENT["PATH"])

    def recorded(student: str, submitted: bytes, score: float = 0.0, stamp: str | None = None) -> Recorded:
        report = Report(EXERCISE, score, 4.0, State.PARTIAL, None, "")
        graded = Graded(1, {EXERCISE: report}, {}, [], False, True, 0.1)
        with Writer(room) as writer:
            writer.record(Submission(student, submitted, stamp), marked_notebook(room.released, submitted, graded))
        with Gradebook(room.database) as book:
            submission = book.find_submission(QUICKSTART, student)
            (grade,), (comment,) = submission.notebooks[0].grades, submission.notebooks[0].comments
            return Recorded(grade.auto_score, comment.auto_comment, submission.timestamp)

    return recorded


def test_an_answer_cell_that_was_not_touched_is_commented_as_nbgrader_does(record):
    assert record("untouched", data(notebook(QUICKSTART))).comment == "No response."
    assert record("wrong", data(answered(QUICKSTART, {EXERCISE: "lora_forward = None"}))).comment is None
    assert record("untouched", data(right(QUICKSTART)), 4.0).comment is None, "an answer came after all"


UNREADABLE = ["yesterday evening", "2026-13-45 10:00:00 UTC", "", "9" * 30, "0001-01-01 00:00:00 +9999"]


@pytest.mark.parametrize("stamp", UNREADABLE)
def test_a_timestamp_that_nobody_can_read_costs_nothing(record, stamp):
    found = record("late", data(right(QUICKSTART)), 3.5, stamp)
    assert (found.mark, found.timestamp) == (3.5, None)


def test_a_timestamp_is_kept(record):
    found = record("punctual", data(right(QUICKSTART)), 3.5, "2026-01-02 10:00:00 UTC")
    assert str(found.timestamp) == "2026-01-02 10:00:00"


@pytest.mark.parametrize("score", [0.1 + 0.2, 1 / 3, 4.0, 0.0])
def test_the_mark_is_the_report_s_to_the_last_place(record, score):
    assert record("exact", data(right(QUICKSTART)), score).mark == score


def test_what_is_recorded_together_is_there_as_a_whole_or_not_at_all(room, monkeypatch):
    monkeypatch.setenv("PATH", ENVIRONMENT["PATH"])
    graded = Graded(1, {EXERCISE: Report(EXERCISE, 3.5, 4.0, State.PARTIAL, None, "")}, {}, [], False, True, 0.1)
    marked = marked_notebook(room.released, data(right(QUICKSTART)), graded)

    def there(*students: str) -> list[str]:
        with Gradebook(room.database) as book:
            return [name for name in students if any(student.id == name for student in book.students)]

    with Writer(room) as writer:
        with writer.together():
            for student in ("ann", "ben"):
                writer.record(Submission(student, b"", None), marked)
                assert there("ann", "ben") == [], "another sees it before it is whole"
        assert there("ann", "ben") == ["ann", "ben"]
        with pytest.raises(KeyError), writer.together():
            writer.record(Submission("cleo", b"", None), marked)
            raise KeyError
        assert there("cleo") == []
        writer.record(Submission("dora", b"", None), marked)  # alone, it is there at once
        assert there("cleo", "dora") == ["dora"]
