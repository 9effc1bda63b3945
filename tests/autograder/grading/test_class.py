"""A class, graded for real: `course grade` over Dask, killed and run again, with what people wrote into the gradebook kept."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from nbgrader.api import Gradebook

from autograder import places
from autograder.grading import spread
from autograder.grading.gradebook import Writer
from autograder.grading.journal import Journal, entries
from classes import ENVIRONMENT, course, course_alone, marks, nbgrader
from needs import need_sandbox
from students import QUICKSTART, declared, hand_in, misconceptions

pytestmark = pytest.mark.xdist_group("grading")

STUDENTS = ("right", "wrong", "untouched", "retagged", "shadowed")


@pytest.fixture(scope="module")
def released(tmp_path_factory, open_class) -> Path:
    need_sandbox()
    return open_class(tmp_path_factory.mktemp("class"), QUICKSTART)


@pytest.fixture
def room(released, tmp_path) -> Path:
    """A class of its own for each test."""
    folder = tmp_path / "class"
    shutil.copytree(released, folder)
    return folder


@pytest.fixture(scope="module")
def graded(released, tmp_path_factory) -> tuple[Path, str]:
    """A class that was graded once, by five students and a link; read by the tests that change nothing."""
    folder = tmp_path_factory.mktemp("graded") / "class"
    shutil.copytree(released, folder)
    for student in STUDENTS:
        hand_in(folder, student, QUICKSTART)
    thief = folder / "submitted" / "thief" / QUICKSTART
    thief.mkdir(parents=True)
    (thief / f"{QUICKSTART}.ipynb").symlink_to(folder / "submitted" / "right" / QUICKSTART / f"{QUICKSTART}.ipynb")
    (folder / "submitted" / "empty" / QUICKSTART).mkdir(parents=True)
    said = course_alone(folder, "grade", QUICKSTART, "--workers", "1")
    said += course_alone(folder, "report", QUICKSTART)
    for command in ("generate_feedback", "export"):
        nbgrader(folder, command, *([QUICKSTART] if command == "generate_feedback" else []))
    return folder, said


@pytest.mark.parametrize("student", STUDENTS)
def test_marks_are_the_declared_ones(graded, student):
    automatic = {name: mark for name, mark in marks(graded[0], student, QUICKSTART).items() if mark is not None}
    assert automatic == declared(student, QUICKSTART)


@pytest.mark.parametrize("student", [*STUDENTS, "thief"])
def test_the_marked_notebook_is_a_valid_one(graded, student):
    """It is put together by hand, and `nbformat.read` only grumbles."""
    path = graded[0] / "autograded" / student / QUICKSTART / f"{QUICKSTART}.ipynb"
    nbformat.validate(json.loads(path.read_text(encoding="utf-8")))


def test_the_csv_of_nbgrader_has_them(graded):
    with (graded[0] / "grades.csv").open(newline="") as file:
        scores = {row["student_id"]: float(row["score"]) for row in csv.DictReader(file)}
    assert scores == {s: sum(declared(s, QUICKSTART).values()) for s in STUDENTS} | {"thief": 0.0, "empty": 0.0}


def test_the_feedback_has_the_table_and_the_sentence(graded):
    page = (graded[0] / "feedback" / "wrong" / QUICKSTART / f"{QUICKSTART}.html").read_text(encoding="utf-8")
    (mistake,) = misconceptions(QUICKSTART).values()
    assert mistake.says[1:40] in page and "<table>" in page


def test_links_are_not_followed_and_a_person_is_told(graded):
    found = entries(graded[0] / ".course" / f"{QUICKSTART}.jsonl")
    for student, why in (("thief", "links are not followed"), ("empty", "was handed in")):
        assert why in " ".join(found[student].graded.notes) and found[student].graded.needs_human
    assert not found["right"].graded.needs_human or found["right"].graded.written


def test_it_says_what_became_of_them(graded):
    assert "7 submissions" in graded[1] and "1 all right" in graded[1]
    page = (graded[0] / "reports" / QUICKSTART / "report.html").read_text(encoding="utf-8")
    assert "links are not followed" in page
    for name in ("marks.csv", "canvas.csv", "moodle.csv"):
        assert "wrong" in (graded[0] / "reports" / QUICKSTART / name).read_text(encoding="utf-8")


def test_a_second_run_grades_nothing_and_a_changed_submission_alone(room, here, monkeypatch):
    hand_in(room, "right", QUICKSTART)
    hand_in(room, "wrong", QUICKSTART)
    course(room, "grade", QUICKSTART, *here)
    journal = room / ".course" / f"{QUICKSTART}.jsonl"
    before = journal.read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(spread, "_client", None)  # no worker is started for nothing
        assert "2 submissions" in course(room, "grade", QUICKSTART, "--workers", "1")
    assert journal.read_bytes() == before
    path = room / "submitted" / "wrong" / QUICKSTART / f"{QUICKSTART}.ipynb"
    shutil.copy(room / "submitted" / "right" / QUICKSTART / f"{QUICKSTART}.ipynb", path)
    course(room, "grade", QUICKSTART, *here)
    added = journal.read_bytes().removeprefix(before).decode()
    assert [json.loads(line)["student"] for line in added.splitlines()] == ["wrong", "wrong"]  # graded, recorded
    assert marks(room, "wrong", QUICKSTART) == marks(room, "right", QUICKSTART)


def test_what_people_wrote_survives_a_regrade_and_the_inputs_are_repeated(room, here):
    config = room / "nbgrader_config.py"
    config.write_text(config.read_text() + "\nc.LateSubmissionPlugin.penalty_method = 'zero'\n")
    for student, stamp in (("wrong", "2026-01-02 10:00:00 UTC"), ("right", "2026-01-04 10:00:00 UTC")):
        hand_in(room, student, QUICKSTART)
        (room / "submitted" / student / QUICKSTART / "timestamp.txt").write_text(stamp)
    url = f"sqlite:///{room / 'gradebook.db'}"
    with Gradebook(url) as book:
        book.update_or_create_assignment(QUICKSTART, duedate="2026-01-03 10:00:00 UTC")
    course(room, "grade", QUICKSTART, *here)
    with Gradebook(url) as book:
        notebook = book.find_submission_notebook(QUICKSTART, QUICKSTART, "wrong")
        notebook.grades[0].manual_score, notebook.grades[0].extra_credit = 3.5, 0.25
        notebook.comments[0].manual_comment = "see me"
        book.db.commit()
    journal = room / ".course" / f"{QUICKSTART}.jsonl"
    seeds = {student: entry.graded.seed for student, entry in entries(journal).items()}
    course(room, "grade", QUICKSTART, *here, "--again")
    assert {student: entry.graded.seed for student, entry in entries(journal).items()} == seeds
    assert len(set(seeds.values())) == 2
    with Gradebook(url) as book:
        notebook = book.find_submission_notebook(QUICKSTART, QUICKSTART, "wrong")
        grade, comment = notebook.grades[0], notebook.comments[0]
        assert (grade.manual_score, grade.extra_credit, grade.score) == (3.5, 0.25, 3.75)
        assert grade.auto_score == declared("wrong", QUICKSTART)[grade.name] and grade.needs_manual_grade
        assert comment.manual_comment == "see me"
        late = book.find_submission_notebook(QUICKSTART, QUICKSTART, "right")
        assert (late.score, late.late_submission_penalty) == (4.0, 4.0)
        assert notebook.late_submission_penalty is None


def test_killed_at_any_moment_it_goes_on_and_loses_nothing(room, here):
    students = [f"s{i:02}" for i in range(12)]
    hand_in(room, "right", QUICKSTART)
    hand_in(room, "wrong", QUICKSTART)
    given = {}
    for place, student in enumerate(students):
        given[student] = "right" if place % 3 else "wrong"
        shutil.copytree(room / "submitted" / given[student], room / "submitted" / student)
    for student in ("right", "wrong"):
        shutil.rmtree(room / "submitted" / student)
    journal = room / ".course" / f"{QUICKSTART}.jsonl"
    command = [sys.executable, "-m", "autograder.commands", "grade", QUICKSTART, "--workers", "2"]
    environment = ENVIRONMENT | {"PYTHONPATH": str(places.ROOT)}
    for lines in (3, 12):  # kill it as soon as the journal has so many lines
        run = subprocess.Popen(command, cwd=room, env=environment, stdout=subprocess.DEVNULL, start_new_session=True)
        deadline = time.monotonic() + 120
        while run.poll() is None and (not journal.exists() or journal.read_bytes().count(b"\n") < lines):
            assert time.monotonic() < deadline, "nothing was graded"
            time.sleep(0.01)
        assert run.poll() is None, "it was done before it could be killed"
        os.killpg(run.pid, signal.SIGKILL)  # the command, its Dask workers and their sandboxes
        run.wait()
    course(room, "grade", QUICKSTART, *here)
    lines = [json.loads(line) for line in journal.read_bytes().splitlines()]
    for student in students:
        mine = [line for line in lines if line["student"] == student]
        assert [("graded" in line) for line in mine] == [True] + [False] * (len(mine) - 1), "graded once"
        assert mine[-1].get("recorded")
        assert marks(room, student, QUICKSTART) == declared(given[student], QUICKSTART)
        nbformat.read(room / "autograded" / student / QUICKSTART / f"{QUICKSTART}.ipynb", as_version=4)


def test_one_that_cannot_be_recorded_keeps_no_other_from_it(room, here, monkeypatch):
    """Most likely by a plugin of the class's own that raises; the others are in the same transaction."""
    students = ("right", "untouched", "wrong")
    for student in students:
        hand_in(room, student, QUICKSTART)
    record = Writer.record

    def fails(self, submission, marked):
        record(self, submission, marked)
        if submission.student == "untouched":
            raise ArithmeticError("no penalty for nothing")

    with monkeypatch.context() as patch:
        patch.setattr(Writer, "record", fails)
        said = course(room, "grade", QUICKSTART, *here, expect=1)
    assert "untouched was not graded" in said and "ArithmeticError: no penalty for nothing" in said
    for student in ("right", "wrong"):
        assert marks(room, student, QUICKSTART) == declared(student, QUICKSTART)
    with Journal(room / ".course" / f"{QUICKSTART}.jsonl") as journal:
        assert [entry.student for entry in journal.unrecorded()] == ["untouched"]
    course(room, "grade", QUICKSTART, *here)
    assert marks(room, "untouched", QUICKSTART) == declared("untouched", QUICKSTART)


def test_a_worker_that_dies_costs_nobody_a_mark(room):
    for student in ("right", "wrong"):
        hand_in(room, student, QUICKSTART)
    for place in range(10):
        shutil.copytree(room / "submitted" / ("right", "wrong")[place % 2], room / "submitted" / f"s{place}")
    command = [sys.executable, "-m", "autograder.commands", "grade", QUICKSTART, "--workers", "2"]
    environment = ENVIRONMENT | {"PYTHONPATH": str(places.ROOT)}
    run = subprocess.Popen(command, cwd=room, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    killed = 0
    deadline = time.monotonic() + 180
    while run.poll() is None and killed < 3 and time.monotonic() < deadline:
        time.sleep(0.7)
        children = subprocess.run(["ps", "-o", "pid=,args=", "--ppid", str(run.pid)], capture_output=True, text=True).stdout
        workers = [int(line.split()[0]) for line in children.splitlines() if "multiprocessing" in line and "tracker" not in line]
        if workers and (room / ".course" / f"{QUICKSTART}.jsonl").exists():
            with contextlib.suppress(ProcessLookupError):  # it was done a moment ago
                os.kill(workers[killed % len(workers)], signal.SIGKILL)
                killed += 1
    said, _ = run.communicate(timeout=400)
    assert run.returncode == 0, said
    assert killed
    for place in range(10):
        assert marks(room, f"s{place}", QUICKSTART) == declared(("right", "wrong")[place % 2], QUICKSTART)


@pytest.mark.parametrize(("arguments", "sentence"), [
    (("grade", "99_nothing"), "is not released in"),
    (("grade", QUICKSTART), "Nobody has handed in"),
    (("report", QUICKSTART), "Nothing of 00_quickstart is graded yet"),
    (("grade", QUICKSTART, "--class", "/"), "is no class folder"),
])  # fmt: skip
def test_what_cannot_be_is_one_sentence(room, arguments, sentence):
    assert sentence in course(room, *arguments, expect=1)
