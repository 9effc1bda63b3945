"""Every exercise of every chapter, through the wall: right is right, each mistake earns what it declares, closed is closed."""

from __future__ import annotations

import pytest

from autograder.grading import feedback
from autograder.publishing import chapter
from graders import earned, grader_of
from students import checked, written
from submissions import code, data, misconceived, released, right

pytestmark = pytest.mark.xdist_group("wall")

ASSIGNMENTS = [path.stem for path in chapter.chapter_sources()]


@pytest.fixture(scope="module", params=ASSIGNMENTS)
def chapter_grader(request):
    """The chapters one after the other, each with one grader for all the tests that want it."""
    with grader_of(request.param) as grader:
        yield request.param, grader


def test_the_model_answers_get_full_marks_through_the_wall(chapter_grader):
    assignment, grader = chapter_grader
    graded = grader.grade(data(right(assignment)), seed=11)
    assert earned(graded) == {e.id: ("right", e.points) for e in checked(assignment)}
    assert graded.written == {e.id: True for e in written(assignment)}
    assert (graded.notes, graded.needs_human, graded.sandboxed) == ([], False, True)


def test_what_was_handed_out_earns_nothing(chapter_grader):
    assignment, grader = chapter_grader
    graded = grader.grade(released(assignment), seed=12)
    assert earned(graded) == {e.id: ("not attempted", 0.0) for e in checked(assignment)}
    assert graded.written == {e.id: False for e in written(assignment)}
    assert (graded.notes, graded.needs_human) == ([], False)


def test_each_misconception_earns_what_it_declares_and_reads_its_sentence(chapter_grader):
    assignment, grader = chapter_grader
    found = checked(assignment)
    for round_ in range(max(len(e.misconceptions) for e in found)):
        chosen = {e.id: e.misconceptions[round_ % len(e.misconceptions)] for e in found}
        graded = grader.grade(data(misconceived(assignment, {i: m.name for i, m in chosen.items()})), seed=round_)
        measured = [chosen[e.id] for e in found if e.measured]
        for exercise_id, mistake in chosen.items():
            report = graded.reports[exercise_id]
            assert report.score == mistake.earns, (exercise_id, report)
            if mistake in measured:
                assert feedback.student_message(report).startswith(mistake.says)
            else:
                assert (report.misconception, feedback.student_message(report)) == (mistake.name, mistake.says)


READ_FILES = """
import glob

def text(file):
    try:
        return open(file).read()
    except OSError:
        return ""

found = [file for file in [*glob.glob('{place}/**', recursive=True), '{place}.py'] if file.endswith('.py') and text(file)]
assert not found, found
"""


def test_closed_modules_are_refused_with_a_sentence_and_their_files_are_not_there(chapter_grader):
    assignment, grader = chapter_grader
    submitted = right(assignment)
    closed = sorted({name for e in checked(assignment) for name in e.closed})
    for name in closed:
        submitted["cells"].append(code(f"import {name} as closed\nclosed.anything()"))
        submitted["cells"].append(code(READ_FILES.format(place=f"/course/{name.replace('.', '/')}")))
    graded = grader.grade(data(submitted), seed=1)
    assert all(report.state == "right" for report in graded.reports.values())
    assert len([note for note in graded.notes if "is closed here, for it holds the answer" in note]) == len(closed)
    assert all("is closed here" in note for note in graded.notes), graded.notes  # and no file was found
