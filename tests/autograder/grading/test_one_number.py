"""One number for each student and exercise, wherever it is read: gradebook, the three CSV files, the report, the feedback page.

The class has everything that could pull them apart: marks that the check gave whole, in part and not at all, a penalty for
coming late, and marks that a person gave or changed afterwards.
"""

from __future__ import annotations

import csv
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from classes import course, nbgrader
from needs import need_sandbox
from students import LORA, checked, declared, exercises_of, hand_in, mark_cell, written

pytestmark = pytest.mark.xdist_group("nbgrader")
STUDENTS = ("careless", "changed", "late", "right", "untouched", "wrong")
PENALTY = '''

from nbgrader.plugins import BasePlugin


class OneAndAHalf(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return 1.5


c.AssignLatePenalties.plugin_class = OneAndAHalf
'''
IDS = [exercise.id for exercise in exercises_of(LORA)]
MARKS = {mark_cell(exercise): exercise.id for exercise in exercises_of(LORA)}
FIRST, WRITTEN = checked(LORA)[0], written(LORA)[0]


@pytest.fixture(scope="module")
def room(tmp_path_factory, open_class, here) -> Path:
    need_sandbox()
    folder = open_class(tmp_path_factory.mktemp("class"), LORA)
    config = folder / "nbgrader_config.py"
    config.write_text(config.read_text(encoding="utf-8") + PENALTY, encoding="utf-8")
    for student in ("right", "wrong", "untouched", "careless"):
        hand_in(folder, student, LORA)
    shutil.copytree(folder / "submitted" / "wrong", folder / "submitted" / "changed")
    shutil.copytree(folder / "submitted" / "right", folder / "submitted" / "late")
    (folder / "submitted" / "late" / LORA / "timestamp.txt").write_text("2026-01-04 10:00:00 UTC")
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        book.update_or_create_assignment(LORA, duedate="2026-01-03 10:00:00 UTC")
    course(folder, "grade", LORA, *here)
    with Gradebook(f"sqlite:///{folder / 'gradebook.db'}") as book:
        for exercise, mark, extra in ((FIRST, 0.75, 0.125), (WRITTEN, 1.0, None)):
            grade = book.find_grade(mark_cell(exercise), LORA, LORA, "changed")
            grade.manual_score, grade.extra_credit, grade.needs_manual_grade = mark, extra, False
        book.db.commit()
    course(folder, "report", LORA)
    nbgrader(folder, "generate_feedback", LORA)
    nbgrader(folder, "export")
    return folder


@pytest.fixture(scope="module")
def gradebook(room) -> dict[str, dict[str, float]]:
    """student -> exercise -> mark, with the penalty and the score beside them: what nbgrader itself has."""
    found = {}
    with Gradebook(f"sqlite:///{room / 'gradebook.db'}") as book:
        for student in STUDENTS:
            submission = book.find_submission(LORA, student)
            grades = {MARKS[grade.name]: grade.score for grade in submission.notebooks[0].grades}
            taken = submission.late_submission_penalty
            found[student] = grades | {"late penalty": taken, "score": submission.score - taken}
    return found


def rows(path: Path, key: str) -> dict[str, dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return {row[key]: row for row in csv.DictReader(file)}


def test_the_class_has_what_could_pull_them_apart(gradebook):
    by_check = {student: {MARKS[name]: mark for name, mark in declared(student, LORA).items()}
                for student in ("right", "wrong", "untouched", "careless")}
    for student, marks in by_check.items():
        assert marks.items() <= gradebook[student].items()
    assert len({gradebook[student]["score"] for student in STUDENTS}) == len(STUDENTS), "no two are taken for one another"
    assert gradebook["late"]["late penalty"] == 1.5 and gradebook["late"]["score"] == gradebook["right"]["score"] - 1.5
    assert gradebook["changed"][FIRST.id] == 0.875 != by_check["wrong"][FIRST.id]
    assert gradebook["changed"][WRITTEN.id] == 1.0
    assert any(0 < gradebook["wrong"][e.id] < e.points for e in checked(LORA))


def test_the_csv_files_have_it(room, gradebook):
    reports = room / "reports" / LORA
    marks = rows(reports / "marks.csv", "student")
    assert {student: {name: float(row[name]) for name in [*IDS, "late penalty", "score"]} for student, row in marks.items()} \
        == gradebook
    scores = {student: numbers["score"] for student, numbers in gradebook.items()}
    for path, key, column in (
        (reports / "canvas.csv", "SIS Login ID", LORA), (reports / "moodle.csv", "username", LORA),
        (room / "grades.csv", "student_id", "score"),
    ):
        found = rows(path, key)
        assert {student: float(found[student][column]) for student in STUDENTS} == scores, path.name


class Rows(HTMLParser):
    """The cells of each row of each table."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data


def test_the_report_has_it(room, gradebook):
    seen = Rows()
    seen.feed((room / "reports" / LORA / "report.html").read_text(encoding="utf-8"))
    head = seen.rows.index(["student", *IDS, "late", "more time given", "late penalty", "score"])
    found = {row[0]: dict(zip(seen.rows[head], row, strict=True)) for row in seen.rows[head + 1 :]}
    assert {student for student, row in found.items() if row["late"]} == {"late"}
    numbers = [*IDS, "late penalty", "score"]
    assert {student: {name: float(row[name]) for name in numbers} for student, row in found.items()} == gradebook


@pytest.mark.parametrize("student", STUDENTS)
def test_the_feedback_page_has_it(room, gradebook, student):
    """As nbgrader prints it, to two places; and what the check said is called the check's."""
    page = (room / "feedback" / student / LORA / f"{LORA}.html").read_text(encoding="utf-8")
    total = re.search(rf"{LORA} \(Score: ([\d.]+) / ([\d.]+)\)", page)
    assert float(total[1]) == round(gradebook[student]["score"], 2)
    assert float(total[2]) == sum(exercise.points for exercise in exercises_of(LORA))
    marks = re.findall(r'<a href="#([\w-]+)">[^<]*</a> \(Score: ([\d.]+) / [\d.]+\)', page)
    assert {MARKS[name]: float(mark) for name, mark in marks} == {i: round(gradebook[student][i], 2) for i in IDS}
    for exercise in checked(LORA):
        assert f"<b>{exercise.id}, by the check</b>" in page and f"<b>{exercise.id}</b>" not in page
