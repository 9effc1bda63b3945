"""nbgrader, for real: its own commands on the built course, from the instructor's notebooks to marks and feedback.

Everything is done once, in the fixture `course`; the tests look at what came out. `students.py` says who hands in what.
"""

from __future__ import annotations

import csv
import html
import inspect
import re
import shutil
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import nbformat
import pytest
from nbformat import NotebookNode
from nbgrader.api import Gradebook
from nbgrader.validator import Validator
from traitlets.config import Config

from autograder import places
from autograder.exercises.exercise import Exercise
from autograder.nbgrader_config import settings
from autograder.publishing.statements import filled
from classes import course as course_command
from classes import nbgrader, nbgrader_alone
from needs import need_sandbox
from students import (
    HANDED_IN,
    LORA,
    QUICKSTART,
    cell_of,
    checked,
    declared,
    exercises_of,
    hand_in,
    mark_cell,
    misconceptions,
    written,
)

pytestmark = pytest.mark.xdist_group("nbgrader")

SUBMISSIONS = [(student, assignment) for assignment, students in HANDED_IN.items() for student in students]
VALIDATED = [(student, assignment) for student, assignment in SUBMISSIONS if student in ("right", "wrong", "untouched")]


class Mark(NamedTuple):
    given: float | None
    highest: float
    waits: bool  # for a person


@dataclass(frozen=True)
class Course:
    """An nbgrader course folder in which everything has been graded, and what the commands said (stdout, stderr)."""

    folder: Path
    said: dict[tuple[str, str], tuple[str, str]]  # by command and its first argument

    def notebook(self, step: str, student: str, assignment: str) -> NotebookNode:
        return nbformat.read(self.folder / step / student / assignment / f"{assignment}.ipynb", as_version=4)

    def feedback(self, student: str, assignment: str) -> str:
        """What the student reads: the text of the page, without its markup."""
        page = (self.folder / "feedback" / student / assignment / f"{assignment}.html").read_text(encoding="utf-8")
        body = re.sub(r"(?s)<(style|script)\b.*?</\1>", "", page)
        return html.unescape(re.sub(r"(?s)<[^>]*>", "", body)).replace("\xa0", " ")

    def marks(self, student: str, assignment: str) -> dict[str, Mark]:
        """What the database holds, by cell."""
        with Gradebook(f"sqlite:///{self.folder / 'gradebook.db'}") as gradebook:
            grades = gradebook.find_submission_notebook(assignment, assignment, student).grades
            return {grade.name: Mark(grade.auto_score, grade.max_score, grade.needs_manual_grade) for grade in grades}


UNGRADED = "ungraded.db"  # the gradebook as it was before


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory, open_class: Callable[..., Path]) -> Course:
    need_sandbox()
    folder = open_class(tmp_path_factory.mktemp("class"), QUICKSTART)
    said: dict[tuple[str, str], tuple[str, str]] = {}

    def run(command: str, *arguments: str, typed: Callable[..., tuple[str, str]] = nbgrader) -> None:
        said[command, "".join(arguments[:1])] = typed(folder, command, *arguments)

    run("generate_assignment", LORA)
    shutil.copy(folder / "gradebook.db", folder / UNGRADED)
    for (assignment, students), typed in zip(HANDED_IN.items(), (nbgrader_alone, nbgrader), strict=True):
        for student in students:
            hand_in(folder, student, assignment)
        run("autograde", assignment, typed=typed)
        run("generate_feedback", assignment, typed=typed)
    run("export")
    run("validate", *(f"submitted/{student}/{a}/{a}.ipynb" for student, a in VALIDATED), typed=nbgrader_alone)
    return Course(folder, said)


# --- released --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assignment", HANDED_IN)
def test_what_nbgrader_releases_is_what_is_committed(course: Course, assignment: str) -> None:
    released = course.notebook("release", ".", assignment)
    committed = nbformat.read(places.CHAPTERS / f"{assignment}.ipynb", as_version=4)
    for theirs, ours in zip(released.cells, committed.cells, strict=True):
        assert theirs == ours
    assert released == committed


def test_nbgrader_has_nothing_to_complain_about(course: Course) -> None:
    complaints = [line for _, log in course.said.values() for line in log.splitlines() if re.search(r"\| (WARN|ERR|CRIT)", line)]
    ours = [line for line in complaints if "] careless: the " in line]  # what they deleted
    assert len(ours) == 2 and complaints == ours


# --- marks -----------------------------------------------------------------------------------------------------------


def test_the_mistakes_are_spread_over_partial_and_no_marks() -> None:
    earned = [m.earns for m in misconceptions(LORA).values()]
    assert earned.count(0) >= 3
    assert len(earned) - earned.count(0) >= 3


@pytest.mark.parametrize(("student", "assignment"), SUBMISSIONS)
def test_every_check_earns_what_is_declared(course: Course, student: str, assignment: str) -> None:
    marks = course.marks(student, assignment)
    assert {name: mark.highest for name, mark in marks.items()} == {mark_cell(e): e.points for e in exercises_of(assignment)}
    automatic = {name: marks[name].given for name in map(mark_cell, checked(assignment))}
    assert automatic == declared(student, assignment)


@pytest.mark.parametrize(("student", "assignment"), SUBMISSIONS)
def test_the_csv_has_the_declared_sum(course: Course, student: str, assignment: str) -> None:
    with (course.folder / "grades.csv").open(encoding="utf-8", newline="") as file:
        rows = {(row["student_id"], row["assignment"]): row for row in csv.DictReader(file)}
    row = rows[student, assignment]
    assert float(row["score"]) == sum(mark or 0 for mark in declared(student, assignment).values())
    assert float(row["max_score"]) == sum(e.points for e in exercises_of(assignment))


def test_written_answers_wait_for_a_person_unless_nothing_was_written(course: Course) -> None:
    assert written(LORA)
    for exercise in written(LORA):
        for student in ("right", "wrong", "careless", "untouched"):
            mark = course.marks(student, LORA)[mark_cell(exercise)]
            assert (mark.given, mark.waits) == ((0, False) if student == "untouched" else (None, True))


def test_only_what_nobody_could_mark_waits_for_a_person(course: Course) -> None:
    for student, assignment in SUBMISSIONS:
        marks, expected = course.marks(student, assignment), declared(student, assignment)
        waiting = {name for name, mark in marks.items() if mark.waits}
        assert None not in expected.values()
        by_hand = {mark_cell(e) for e in written(assignment)} if student != "untouched" else set()
        assert waiting == by_hand


# --- feedback --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("assignment", HANDED_IN)
def test_the_feedback_names_each_mistake(course: Course, assignment: str) -> None:
    wrong, right = course.feedback("wrong", assignment), course.feedback("right", assignment)
    for exercise_id, misconception in misconceptions(assignment).items():
        sentence = misconception.says[1:]  # its first letter becomes a capital
        assert sentence in wrong, exercise_id
        assert sentence not in right, exercise_id


@pytest.mark.parametrize("assignment", HANDED_IN)
def test_no_feedback_shows_a_model_answer(course: Course, assignment: str) -> None:
    handed_out = "\n".join(cell.source for cell in course.notebook("release", ".", assignment).cells)
    feedback = {student: course.feedback(student, assignment) for student in ("right", "wrong", "untouched")}
    for exercise in exercises_of(assignment):
        coded = isinstance(exercise, Exercise)
        answer = filled(textwrap.dedent(inspect.getsource(exercise.answer))) if coded else exercise.answer()
        lines = [line.strip() for line in answer.splitlines()]
        telling = [line for line in lines if len(line) > 12 and line not in handed_out]
        assert telling, f"{exercise.id}: everything in its answer has been handed out"
        for line in telling:
            assert line in feedback["right"], "this test would not see an answer if it were there"
            assert line not in feedback["wrong"]
            assert line not in feedback["untouched"]


@pytest.mark.parametrize(("student", "assignment"), SUBMISSIONS)
def test_no_feedback_shows_a_traceback(course: Course, student: str, assignment: str) -> None:
    text = course.feedback(student, assignment)
    assert "Traceback" not in text
    assert not re.search(r"autograder/\w+\.py|site-packages", text)


def test_a_missing_function_is_said_in_one_sentence(course: Course) -> None:
    deleted, emptied, *_ = checked(LORA)
    notebook = course.notebook("autograded", "careless", LORA)
    for exercise in (deleted, emptied):
        table, score = cell_of(notebook, mark_cell(exercise)).outputs
        assert "Not attempted" in table.data["text/plain"] and score.data["text/plain"] == "0.0"
    assert "Not attempted" in course.feedback("careless", LORA)


def test_a_grade_of_course_grade_is_the_same(course: Course, tmp_path: Path, here: tuple[str, str]) -> None:
    """The same class, graded by our own command: cell by cell the same marks, waiting flags and texts."""
    other = tmp_path / "class"
    shutil.copytree(course.folder, other, ignore=shutil.ignore_patterns("autograded", "feedback", "gradebook.db"))
    (other / UNGRADED).rename(other / "gradebook.db")
    for assignment in HANDED_IN:
        course_command(other, "grade", assignment, *here)
    theirs = Course(other, {})
    for student, assignment in SUBMISSIONS:
        assert theirs.marks(student, assignment) == course.marks(student, assignment)
        cells = [[cell.source for cell in c.notebook("autograded", student, assignment).cells] for c in (course, theirs)]
        assert cells[0] == cells[1]


# --- demonstrations --------------------------------------------------------------------------------------------------


def test_the_feedback_shows_no_demonstration_that_ran(course: Course) -> None:
    for student, assignment in SUBMISSIONS:
        for cell in course.notebook("autograded", student, assignment).cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id", "").startswith("demonstration-"):
                assert cell.execution_count is None and not cell.outputs


# --- Validate --------------------------------------------------------------------------------------------------------


def below_full_marks(course: Course, student: str, assignment: str) -> list[str]:
    """The cells, as they read, that nbgrader gave less than full marks."""
    marks = course.marks(student, assignment)
    cells = course.notebook("submitted", student, assignment).cells
    below = {name for name, mark in marks.items() if mark.given is not None and mark.given < mark.highest}
    return [cell.source for cell in cells if cell.metadata.get("nbgrader", {}).get("grade_id") in below]


@pytest.mark.parametrize(("student", "assignment"), VALIDATED)
def test_nbgrader_validate_gives_the_same_verdict(course: Course, student: str, assignment: str) -> None:
    ((text, _),) = [said for (command, _), said in course.said.items() if command == "validate"]
    verdicts = re.split(r"(?m)^(?=Success!|VALIDATION FAILED)", text)[1:]
    verdict = dict(zip(VALIDATED, verdicts, strict=True))[student, assignment]
    failed = re.findall(r"The following cell failed:\n\n    (.*)\n\nThe error was", verdict)
    assert failed == below_full_marks(course, student, assignment)
    assert verdict.startswith("Success!") == (student == "right")


def validate(notebook: NotebookNode, path: Path, **config: bool) -> dict:
    """What JupyterLab's Validate button gets to hear."""
    nbformat.write(notebook, path)
    c = Config()
    settings(c)
    c.Validator.update(config)
    return Validator(config=c).validate(str(path))


def test_the_validator_gives_the_same_verdict(course: Course, tmp_path: Path) -> None:
    results = validate(course.notebook("submitted", "wrong", QUICKSTART), tmp_path / "wrong.ipynb")
    assert list(results) == ["failed"]
    assert [cell["source"] for cell in results["failed"]] == below_full_marks(course, "wrong", QUICKSTART)


def test_the_validator_runs_no_demonstration(course: Course, tmp_path: Path) -> None:
    notebook = course.notebook("submitted", "right", QUICKSTART)
    traces = {"setup": tmp_path / "setup ran", "demonstration": tmp_path / "demonstration ran"}
    for kind, trace in traces.items():
        for cell in notebook.cells:
            if kind in cell.metadata.get("tags", []):
                cell.source += f"\n__import__('pathlib').Path({str(trace)!r}).touch()"
    assert validate(notebook, tmp_path / "right.ipynb", ignore_checksums=True) == {}
    assert traces["setup"].exists()
    assert not traces["demonstration"].exists()
