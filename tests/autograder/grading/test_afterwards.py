"""What comes after the marks: why a mark is what it is, grading again, more time for one, and what is alike."""

from __future__ import annotations

import csv
import json
import shutil

import nbformat
import pytest
import torch
from nbgrader.api import Gradebook

from autograder.grading import marks as marking
from autograder.grading.why import shown
from classes import course, marks, nbgrader
from needs import need_sandbox
from students import QUICKSTART, answer_cell, cell_of, checked, hand_in, misconceptions

pytestmark = pytest.mark.xdist_group("grading")

(EXERCISE,) = checked(QUICKSTART)
COPIED = """
def lora_forward(x, W0, lora_A, lora_B):
    # a long way round
    collected = []
    for row in x:
        frozen = W0 @ row
        narrow = lora_A @ row
        collected.append(frozen + lora_B @ narrow)
    return torch.stack(collected)
"""
LATE_RULE = """
import math
from nbgrader.plugins import BasePlugin

class PointADay(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return math.ceil(total_seconds_late / 86400)
"""
OTHER_WAY = """
def lora_forward(x, W0, lora_A, lora_B):
    update = torch.einsum("or,ri->oi", lora_B, lora_A)
    return torch.einsum("bi,oi->bo", x, W0 + update)
"""


def answered(folder, student, source):
    hand_in(folder, student, QUICKSTART)
    path = folder / "submitted" / student / QUICKSTART / f"{QUICKSTART}.ipynb"
    notebook = nbformat.read(path, as_version=4)
    cell_of(notebook, answer_cell(EXERCISE)).source = source
    nbformat.write(notebook, path)
    return path


@pytest.fixture(scope="module")
def graded(tmp_path_factory, open_class):
    """A class with a due date and a penalty of a point a day, in which one came three hours late."""
    need_sandbox()
    folder = open_class(tmp_path_factory.mktemp("class"), QUICKSTART)
    (folder / "late_rule.py").write_text(LATE_RULE)
    with (folder / "nbgrader_config.py").open("a") as file:
        file.write("\nc.AssignLatePenalties.plugin_class = 'late_rule.PointADay'\n")
    nbgrader(folder, "db", "assignment", "add", QUICKSTART, "--duedate", "2026-12-01 12:00 UTC")
    for student in ("right", "wrong"):
        hand_in(folder, student, QUICKSTART)
    renamed = COPIED.replace("collected", "rows").replace("a long way", "my own way")
    for student, source in (("cara", COPIED), ("dave", renamed), ("emil", OTHER_WAY)):
        answered(folder, student, source)
    (folder / "submitted" / "right" / QUICKSTART / "timestamp.txt").write_text("2026-12-01 15:00:00 UTC")
    course(folder, "grade", QUICKSTART, "--workers", "1")
    return folder


@pytest.fixture
def room(graded, tmp_path):
    folder = tmp_path / "class"
    shutil.copytree(graded, folder)
    return folder


def audit(folder):
    return [json.loads(line) for line in (folder / ".course" / "audit.jsonl").read_text().splitlines()]


# --- why -------------------------------------------------------------------------------------------------------------


def test_why_shows_inputs_what_was_right_and_what_came(graded):
    (mistake,) = misconceptions(QUICKSTART).values()
    said = course(graded, "why", "wrong", EXERCISE.id)
    assert f"wrong, {EXERCISE.id}: {mistake.earns:g} of {EXERCISE.points:g} points" in said and mistake.says[1:] in said
    assert "Asked again now, with the same inputs: the same report." in said
    case = said.split("\n\n")[1]  # the first; what stands above speaks of all
    assert case.startswith("case: ")
    named = {line.split()[0]: line for line in case.splitlines()[1:]}
    assert set(named) == {"x", "W0", "lora_A", "lora_B", "right", "came"}
    assert named["right"].split()[1:] != named["came"].split()[1:]


def test_why_of_what_there_is_not_is_a_sentence(graded):
    assert "`course grade` has not graded nobody" in course(graded, "why", "nobody", EXERCISE.id, expect=1)
    assert "There is no exercise 'lora.gradent'" in course(graded, "why", "right", "lora.gradent", expect=1)
    assert "is not released" in course(graded, "why", "right", "lora.gradient", expect=1)


def test_why_says_when_the_work_has_changed_since_and_what_a_person_put_there(room):
    with Gradebook(f"sqlite:///{room / 'gradebook.db'}") as book:
        notebook = book.find_submission_notebook(QUICKSTART, QUICKSTART, "wrong")
        notebook.grades[0].manual_score = 1.5
        book.db.commit()
    shutil.rmtree(room / "submitted" / "wrong")
    answered(room, "wrong", OTHER_WAY)
    said = course(room, "why", "wrong", EXERCISE.id)
    assert "The gradebook has 1.5: a person changed it there" in said and "handed in anew" in said and "case: " not in said


@pytest.mark.parametrize(("value", "text"), [
    (None, "None"), (True, "True"), (0.123456789, "0.123457"), ("a\x1b[2J", r"'a\x1b[2J'"), ({"a": 1.5}, "{a: 1.5}"), ((), "[]"),
    ([1, 2, 3, 4, 5, 6], "[1, 2, 3, 4] and 2 more"),
])  # fmt: skip
def test_a_value_is_shown_on_one_line(value, text):
    assert shown(value) == text


def test_a_tensor_is_shown_by_its_shape_and_its_first_numbers():
    assert shown(torch.arange(12.0).view(3, 4)) == "(3, 4)  0 1 2 3 4 5 6 7 …"


# --- regrade ---------------------------------------------------------------------------------------------------------


def test_grading_again_changes_nothing_and_is_written_down(room):
    before = marks(room, "wrong", QUICKSTART)
    said = course(room, "regrade", QUICKSTART, "--student", "wrong", "--reason", "asked on Monday")
    assert "wrong: nothing changed." in said and marks(room, "wrong", QUICKSTART) == before
    [line] = audit(room)
    assert (line["student"], line["reason"], line["changed"]) == ("wrong", "asked on Monday", {}) and line["who"] and line["when"]


def test_what_a_new_version_earns_is_said_exercise_by_exercise_and_nobody_else_is_touched(room):
    shutil.rmtree(room / "submitted" / "wrong")
    answered(room, "wrong", OTHER_WAY)
    journal = room / ".course" / f"{QUICKSTART}.jsonl"
    lines = len(journal.read_text().splitlines())
    (mistake,) = misconceptions(QUICKSTART).values()
    said = course(room, "regrade", QUICKSTART, "--student", "wrong")
    change = f"{mistake.earns:g} → {EXERCISE.points:g}"
    assert f"wrong: {change} points by the checks ({EXERCISE.id} {change})" in said
    assert {json.loads(line)["student"] for line in journal.read_text().splitlines()[lines:]} == {"wrong"}
    assert audit(room)[0]["changed"] == {EXERCISE.id: [mistake.earns, EXERCISE.points]}


def test_grading_again_whom_nobody_knows_is_a_sentence(graded):
    assert "nobody handed in nothing" in course(graded, "regrade", QUICKSTART, "--student", "nobody", expect=1)


# --- extend ----------------------------------------------------------------------------------------------------------


def late_of(folder):
    course(folder, "report", QUICKSTART)
    with (folder / "reports" / QUICKSTART / "marks.csv").open(newline="") as file:
        return {row["student"]: row for row in csv.DictReader(file)}


def test_more_time_takes_the_penalty_back_and_everything_says_so(room):
    before = late_of(room)["right"]
    assert (before["late"], before["more time given"], float(before["late penalty"])) == ("3 h", "", 1.0)
    page = (room / "reports" / QUICKSTART / "report.html").read_text()
    assert '<td class="n">3 h</td>' in page
    said = course(room, "extend", "right", QUICKSTART, "--until", "2026-12-01 18:00 +0100", "--reason", "ill")
    due = "for 00_quickstart, which is due on 2026-12-01 12:00 UTC."
    assert said == f"right has until 2026-12-01 17:00 UTC {due} Nothing is taken off.\n"
    nearer = late_of(room)["right"]
    assert (nearer["late"], nearer["more time given"]) == ("", "5 h")
    assert float(nearer["late penalty"]) == 0 and float(nearer["score"]) == EXERCISE.points
    course(room, "grade", QUICKSTART, "--again", "--workers", "1")  # and a later grading keeps it
    assert late_of(room)["right"] == nearer
    assert audit(room)[0]["extended until"] == "2026-12-01 18:00 +0100"
    course(room, "extend", "right", QUICKSTART, "--until", "2026-12-01 12:00 UTC")
    assert late_of(room)["right"] == before


def test_who_has_not_handed_in_can_be_given_time_before(room):
    nbgrader(room, "db", "student", "add", "zoe")
    said = course(room, "extend", "zoe", QUICKSTART, "--until", "2026-12-03 12:00 UTC")
    assert said == "zoe has until 2026-12-03 12:00 UTC for 00_quickstart, which is due on 2026-12-01 12:00 UTC.\n"
    assert "zoe" not in late_of(room)
    hand_in(room, "zoe", QUICKSTART)
    (room / "submitted" / "zoe" / QUICKSTART / "timestamp.txt").write_text("2026-12-03 11:59:00 UTC")
    course(room, "grade", QUICKSTART, "--workers", "1")
    assert (late_of(room)["zoe"]["late"], late_of(room)["zoe"]["more time given"]) == ("", "2 d")


@pytest.mark.parametrize(("student", "until", "sentence"), [
    ("right", "next Tuesday, or so", "is no time"), ("right", "2026-11-01 12:00 UTC", "nobody gets less time than the others"),
    ("nobody", "2026-12-03 12:00 UTC", "Nobody is called 'nobody'"),
])  # fmt: skip
def test_time_that_cannot_be_given_is_a_sentence(graded, student, until, sentence):
    assert sentence in course(graded, "extend", student, QUICKSTART, "--until", until, expect=1)


@pytest.mark.parametrize(("seconds", "text"), [
    (20, "1 min"), (3600, "1 h"), (90061, "1 d 1 h"), (172860, "2 d 1 min"), (5400, "1 h 30 min"),
])  # fmt: skip
def test_a_duration_in_two_units(seconds, text):
    assert marking.duration(seconds) == text


# --- similar ---------------------------------------------------------------------------------------------------------


def test_two_who_wrote_the_same_with_other_names_are_found_and_the_obvious_is_not(graded):
    said = course(graded, "similar", QUICKSTART, "--least", "0.6")
    assert "1 pair of whom one shares 60% or more" in said
    page = (graded / "reports" / QUICKSTART / "similar.html").read_text()
    table = page[page.index("<tbody>") : page.index("</tbody>")]
    assert "cara and dave" in table and "right" not in table and "emil" not in table
    assert "accuses nobody" in page and "<mark>" in page and "<script" not in page
