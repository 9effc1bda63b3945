"""The instructor's page and the files for other systems: the right figures, and nothing smuggled in by a name or a note."""

import csv
import dataclasses
import io
import os
import sys
from html.parser import HTMLParser

import pytest
from nbgrader.api import Gradebook

from autograder.asking.state import State
from autograder.grading import class_report, exports, feedback
from autograder.grading.graded import Graded
from autograder.grading.journal import Entry
from autograder.judging.report import Report


def report(score, points, state, misconception=None, message="Right."):
    return Report("t", score, points, State(state), misconception, message, says=message if misconception else "")


def entry(student, a, b, notes=(), person=False, sandboxed=True, written=True):
    return Entry(student, "k", Graded(11, {"t.a": a, "t.b": b}, {"t.w": written}, list(notes), person, sandboxed, 0.1))


RIGHT = report(2.0, 2.0, "right")
HALF = report(1.0, 2.0, "partial", "no_scale", "You left out α/r, and <b>that</b> matters.")
NONE = report(0.0, 4.0, "timed out", None, "No answer after 10 seconds.")
FULL = report(4.0, 4.0, "right")
CLASS = {
    "ada": entry("ada", RIGHT, FULL),
    "bob": entry("bob", HALF, FULL),
    "cyd": entry("cyd", HALF, NONE, ["The points of t.a were changed; the released ones count."], person=True, written=False),
    "<script>": entry("<script>", RIGHT, NONE, ["=HYPERLINK(1)"], person=True),
}


@dataclasses.dataclass(frozen=True)
class Raised(Report):
    error: str = ""


@pytest.mark.parametrize(("error", "said"), [
    ("IndexError", "raised an IndexError."), ("ValueError", "raised a ValueError."), ("", "raised an exception."),
    ("carried_out_1234567", "raised an exception."), ("print", "raised an exception."),
])
def test_a_student_reads_the_name_of_an_exception_that_everybody_knows_and_no_other(error, said):
    """And none that stands in a sentence: what an exception says may be the student's own text."""
    report = Raised("t", 0.0, 2.0, State.RAISED, None, "It raised OSError: it raised KeyError", error=error)
    assert said in feedback.student_message(report)
    shown = feedback.table_html(report) + feedback.text(report)
    assert said in shown and "OSError" not in shown and "KeyError" not in shown


class Seen(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.text = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not any(name.startswith("on") or name in ("src", "href") for name, _ in attrs)

    def handle_data(self, data):
        self.text.append(data)


def test_the_figures_of_a_class_by_hand():
    hardest, other = class_report.exercise_summaries(CLASS)
    assert (hardest.id, hardest.points, hardest.mean_share, hardest.full) == ("t.b", 4.0, 0.5, 2)
    assert (other.id, other.mean_share, other.full, other.mistakes) == ("t.a", 0.75, 2, {"no_scale": 2})
    assert hardest.states == {"right": 2, "timed out": 2}
    assert [class_report.total(e) for e in CLASS.values()] == [6.0, 5.0, 1.0, 2.0]


def test_the_page_says_it_and_needs_no_server():
    seen = Seen()
    seen.feed(class_report.page("08_lora", CLASS))
    text = " ".join(seen.text)
    assert "4 submissions, mean 3.5, median 3.5 of 6 points" in text
    assert "bob, cyd" in text and "no scale" in text and "The points of t.a were changed" in text
    assert "Written answers to read in formgrader: 3" in text
    assert "without the sandbox" not in text
    assert not {"script", "img", "link", "iframe", "b"} & set(seen.tags)


def test_the_distribution_counts_everybody_once():
    rows = class_report._distribution([0, 0.59, 0.6, 3, 6], 6).split("<tr>")[2:]
    assert [int(row.split('class="n">')[1].split("<")[0]) for row in rows] == [2, 1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_grading_without_the_sandbox_is_named():
    open_class = {"ada": entry("ada", RIGHT, FULL, sandboxed=False)}
    assert "1 of them were graded without the sandbox" in class_report.page("a", open_class)


def test_nothing_graded_is_a_sentence():
    with pytest.raises(class_report.NothingGraded, match="run `course grade 08_lora` first"):
        class_report.page("08_lora", {})


def test_the_table_has_a_row_a_student_and_no_formula():
    rows = {row["student"]: row for row in csv.DictReader(io.StringIO(class_report.table(CLASS)))}
    assert list(rows) == sorted(CLASS)
    assert (rows["cyd"]["t.a"], rows["cyd"]["t.b"], rows["cyd"]["total"], rows["cyd"]["needs a person"]) == ("1", "0", "1", "yes")
    assert rows["<script>"]["notes"] == "'=HYPERLINK(1)"


@pytest.fixture
def database(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]]))  # nbgrader calls alembic
    url = f"sqlite:///{tmp_path / 'gradebook.db'}"
    with Gradebook(url) as book:
        book.add_assignment("a1")
        book.add_notebook("a1", "a1")
        book.add_grade_cell("q-check", "a1", "a1", max_score=4, cell_type="code")
        book.add_student("ada", first_name="Ada", last_name="Lovelace", email="ada@x.org", lms_user_id="77")
        book.add_student("bob")
        book.add_student("eve")
        for student, auto, manual in (("ada", 3.0, None), ("bob", 1.0, 2.5)):
            submission = book.add_submission("a1", student)
            grade = submission.notebooks[0].grades[0]
            grade.auto_score, grade.manual_score = auto, manual
            if student == "bob":
                submission.notebooks[0].late_submission_penalty = 1.0
        book.db.commit()
    return url


def test_canvas_and_moodle_get_the_final_score_and_no_zero_for_nothing(database):
    rows, most = exports.read(database, "a1")
    assert most == 4
    header, points, *canvas = csv.reader(io.StringIO(exports.canvas(rows, "a1", most)))
    assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "a1"]
    assert points[0].strip() == "Points Possible" and points[-1] == "4"
    assert canvas[0] == ["Lovelace, Ada", "77", "", "ada", "", "3"]
    assert canvas[1:] == [["bob", "", "", "bob", "", "1.5"], ["eve", "", "", "eve", "", ""]]
    _, *moodle = csv.reader(io.StringIO(exports.moodle(rows, "a1")))
    assert moodle[0] == ["ada", "77", "ada@x.org", "Ada", "Lovelace", "3"]
    assert [row[-1] for row in moodle] == ["3", "1.5", ""]
