"""The instructor's page and the files for other systems: the right figures, and nothing smuggled in by a name or a note."""

import csv
import io
import os
import re
import sys
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from nbgrader.api import Gradebook

from autograder.asking.state import State
from autograder.grading import class_report, exports, feedback
from autograder.grading.graded import Graded
from autograder.grading.journal import Entry
from autograder.grading.marks import Marks, most, read
from autograder.grading.submission import Cell, Released
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


@pytest.mark.parametrize(("error", "said"), [
    ("IndexError", "raised an IndexError."), ("ValueError", "raised a ValueError."), ("", "raised an exception."),
    ("carried_out_1234567", "raised an exception."), ("print", "raised an exception."),
])
def test_a_student_reads_the_name_of_an_exception_that_everybody_knows_and_no_other(error, said):
    """And none that stands in a sentence: what an exception says may be the student's own text."""
    report = Report("t", 0.0, 2.0, State.RAISED, None, "It raised OSError: it raised KeyError", error=error)
    assert said in feedback.student_message(report)
    shown = feedback.table_html(report) + feedback.text(report)
    assert said in shown and "OSError" not in shown and "KeyError" not in shown


def marks(student, a, b, w=0.0, penalty=0.0, waiting=("t.w",)):
    return Marks(student, "", "", "", "", {"t.a": a, "t.b": b, "t.w": w}, waiting, 0.0, 0.0, penalty, a + b + w - penalty)


MOST = {"t.a": 2.0, "t.b": 4.0, "t.w": 2.0}
GRADEBOOK = [  # a person gave ada 2 for the written answer and changed a mark of bob's, who was late
    marks("<script>", 2.0, 0.0), marks("ada", 2.0, 4.0, w=2.0, waiting=()), marks("bob", 1.5, 4.0, penalty=0.5),
    marks("cyd", 1.0, 0.0, waiting=()), Marks("dan", "", "", "", "", {}, (), 0.0, 0.0, 0.0, None),
]


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
    """The marks are the gradebook's, where a person has the last word; states and mistakes are the journal's."""
    written, hardest, other = class_report.exercise_summaries(GRADEBOOK, MOST, CLASS)
    assert (hardest.id, hardest.points, hardest.mean_share, hardest.full) == ("t.b", 4.0, 0.5, 2)
    assert (other.id, other.mean_share, other.full, other.mistakes) == ("t.a", 6.5 / 8, 2, {"no_scale": 2})
    assert hardest.states == {"right": 2, "timed out": 2}
    assert (written.id, written.mean_share, written.full, written.states) == ("t.w", 0.25, 1, {"waits for a person": 2})


def test_the_page_says_it_and_needs_no_server():
    seen = Seen()
    seen.feed(class_report.page("08_lora", GRADEBOOK, MOST, CLASS, {}))
    text = " ".join(seen.text)
    assert "4 submissions, mean 4.0, median 3.5 of 8 points" in text
    assert "bob, cyd" in text and "no scale" in text and "The points of t.a were changed" in text
    assert "Answers that wait in formgrader: 2" in text
    assert "without the sandbox" not in text and "not graded by `course grade`" not in text and "dan" not in text
    assert not {"script", "img", "link", "iframe", "b"} & set(seen.tags)


def test_symptoms_are_counted_beside_the_misconceptions_with_one_sentence_for_each():
    other = lambda said: replace(report(0.0, 2.0, "wrong", None, said), symptoms=["factor", "alpha_squared"])  # noqa: E731
    twice = other("Every value is <i>twice</i> the right one.")
    class_ = {"ada": entry("ada", twice, FULL), "bob": entry("bob", other("No."), FULL), "cyd": CLASS["cyd"]}
    summaries = {summary.id: summary for summary in class_report.exercise_summaries(GRADEBOOK, MOST, class_)}
    assert summaries["t.a"].symptoms == {"factor": 2, "alpha_squared": 2} and summaries["t.a"].mistakes == {"no_scale": 1}
    seen = Seen()
    seen.feed(class_report.page("08_lora", GRADEBOOK, MOST, class_, {}))
    text = " ".join(seen.text)
    assert "What else was seen" in text and "alpha squared" in text and "ada, bob" in text
    assert text.count("Every value is <i>twice</i> the right one.") == 2 and "i" not in seen.tags


def test_an_exercise_that_tells_strong_from_weak_is_told_from_one_that_does_not():
    """By hand: t.a goes with t.b + t.w but for one of ten, t.w goes against them, t.b is the same for all."""
    class_ = [marks(f"s{n}", 2.0 * (n % 2), 4.0, w=1.0 * (n % 2 == 0)) for n in range(10)]
    one_off = [*class_[:-1], marks("s9", 2.0, 4.0, w=1.0)]
    rest = lambda given: {s.id: s.with_the_rest for s in class_report.exercise_summaries(given, MOST, {})}  # noqa: E731
    assert rest(class_) == {"t.a": pytest.approx(-1), "t.b": None, "t.w": pytest.approx(-1)}
    assert rest(one_off)["t.a"] == pytest.approx(-((2 / 3) ** 0.5))  # five 0s go with 1; of five 2s, one does
    assert set(rest(class_[:-1]).values()) == {None}, "nine are too few"
    assert "<td class=\"n\">-0.82</td>" in class_report.page("a", one_off, MOST, {}, {})


def test_growth_from_the_first_to_the_last_of_several_attempts():
    tries = {"ada": [entry("ada", HALF, NONE), entry("ada", RIGHT, NONE), entry("ada", RIGHT, FULL)],
             "bob": [entry("bob", RIGHT, NONE), entry("bob", HALF, NONE)], "cyd": [entry("cyd", HALF, NONE)]}  # fmt: skip
    class_ = {student: all_[-1] for student, all_ in tries.items()}
    page = class_report.page("a", GRADEBOOK, MOST, class_, tries)
    grown = page.split("From the first to the last attempt")[1].split("</table>")[0]
    assert "2 handed in more than once" in grown
    cells = [re.findall(r"<td[^>]*>(?:<code>)?([^<]*)", row) for row in grown.split("<tr>")[2:]]
    assert cells == [["t.a", "75%", "75%", "1", "1"], ["t.b", "0%", "50%", "1", "0"]]
    assert "attempt" not in class_report.page("a", GRADEBOOK, MOST, CLASS, {"cyd": tries["cyd"]})


def test_who_was_graded_elsewhere_is_counted_and_has_marks():
    page = class_report.page("08_lora", GRADEBOOK, MOST, {"ada": CLASS["ada"]}, {})
    assert "3 of them were not graded by `course grade`" in page
    assert class_report.page("08_lora", GRADEBOOK[:1], MOST, CLASS, {}).count("no_scale") == 0, "nobody else's mistakes"


def test_the_distribution_counts_everybody_once():
    rows = class_report._distribution([0, 0.59, 0.6, 3, 6], 6).split("<tr>")[2:]
    assert [int(row.split('class="n">')[1].split("<")[0]) for row in rows] == [2, 1, 0, 0, 0, 1, 0, 0, 0, 1]


def test_grading_without_the_sandbox_is_named():
    open_class = {"ada": entry("ada", RIGHT, FULL, sandboxed=False)}
    assert "1 of them were graded without the sandbox" in class_report.page("a", GRADEBOOK, MOST, open_class, {})


def test_nothing_graded_is_a_sentence():
    with pytest.raises(class_report.NothingGraded, match="run `course grade 08_lora` first"):
        class_report.page("08_lora", GRADEBOOK[-1:], MOST, {}, {})


def test_the_table_has_a_row_for_each_who_handed_in_and_no_formula():
    rows = {row["student"]: row for row in csv.DictReader(io.StringIO(class_report.table(GRADEBOOK, MOST, CLASS)))}
    assert list(rows) == ["<script>", "ada", "bob", "cyd"]
    assert [rows["bob"][name] for name in ("t.a", "t.b", "t.w", "late penalty", "score")] == ["1.5", "4", "0", "0.5", "5"]
    assert [rows[name]["waits for a person"] for name in ("bob", "cyd")] == ["t.w", ""]
    assert [rows[name]["needs a person"] for name in ("bob", "cyd")] == ["no", "yes"]
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
        book.add_student("kim")
        for student, auto, manual in (("ada", 3.0, None), ("bob", 1.0, 2.5), ("kim", None, None)):
            submission = book.add_submission("a1", student)
            grade = submission.notebooks[0].grades[0]
            grade.auto_score, grade.manual_score, grade.needs_manual_grade = auto, manual, student == "bob"
            if student == "bob":
                submission.notebooks[0].late_submission_penalty = 1.0
        book.db.commit()
    return url


RELEASED = Released({"q-check": Cell("q-check", True, "", points=4.0)}, {"q": "q"}, {})


def test_a_mark_is_the_person_s_where_there_is_one_and_lateness_is_taken_off(database):
    ada, bob, eve, kim = read(database, "a1", RELEASED)
    assert (ada.exercises, ada.penalty, ada.score, ada.waiting) == ({"q": 3.0}, 0.0, 3.0, ())
    assert (bob.exercises, bob.penalty, bob.score, bob.waiting) == ({"q": 2.5}, 1.0, 1.5, ("q",))
    assert (eve.exercises, eve.score, kim.exercises, kim.score) == ({}, None, {}, None), "handed in nothing; not marked yet"


def test_canvas_and_moodle_get_the_final_score_and_no_zero_for_nothing(database):
    rows = read(database, "a1", RELEASED)
    header, points, *canvas = csv.reader(io.StringIO(exports.canvas(rows, "a1", sum(most(RELEASED).values()))))
    assert header == ["Student", "ID", "SIS User ID", "SIS Login ID", "Section", "a1"]
    assert points[0].strip() == "Points Possible" and points[-1] == "4"
    assert canvas[0] == ["Lovelace, Ada", "77", "", "ada", "", "3"]
    assert canvas[1:] == [["bob", "", "", "bob", "", "1.5"], ["eve", "", "", "eve", "", ""], ["kim", "", "", "kim", "", ""]]
    _, *moodle = csv.reader(io.StringIO(exports.moodle(rows, "a1")))
    assert moodle[0] == ["ada", "77", "ada@x.org", "Ada", "Lovelace", "3"]
    assert [row[-1] for row in moodle] == ["3", "1.5", "", ""]
