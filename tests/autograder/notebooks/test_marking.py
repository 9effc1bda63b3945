"""What a mark says: read from the report that `check` leaves beside its table, or from what went wrong instead."""

import dataclasses
import json

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from autograder import places
from autograder.checking import grade
from autograder.exercises import exercises
from autograder.judging.trial import PUBLIC_SEED
from autograder.notebooks import marking
from autograder.notebooks.cells import with_answers
from autograder.notebooks.execute import REPORT, CellError, Run, run_notebook
from autograder.publishing import chapter

QUICKSTART = places.CHAPTERS / "00_quickstart.md"
EXERCISE = "quickstart.lora_forward"
ANSWER, CHECK = "quickstart-lora-forward", "quickstart-lora-forward-check"


@pytest.fixture(scope="module")
def handed_out():
    return chapter.student_notebook(QUICKSTART)


def run_of(notebook, reports=(), errors=()):
    return Run(notebook, reports={report["id"]: report for report in reports}, errors=list(errors))


def report(state="right", score=4.0, message="Right."):
    return {"id": EXERCISE, "state": state, "score": score, "message": message}


def place(notebook, grade_id):
    return next(i for i, cell in enumerate(notebook.cells) if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


# --- what can be read ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\xff\xfe", "cannot be read"),
        (b'{"cells": [', "is not a notebook: it is not JSON"),
        (b"[]", "is not a notebook: "),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', "is not a notebook: "),
        (b'{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": []}', "has no code cells"),
    ],
)
def test_what_is_no_notebook_gets_a_sentence(tmp_path, content, sentence):
    path = tmp_path / "08_lora.ipynb"
    path.write_bytes(content)
    with pytest.raises(marking.UnreadableNotebook, match=f"^08_lora.ipynb {sentence}"):
        marking.read_notebook(path)


def test_a_notebook_that_its_own_format_forbids_is_refused(tmp_path, handed_out):
    """It reads well enough to be executed, and would fail there, in the middle and without a sentence."""
    broken = json.loads(nbformat.writes(handed_out))
    next(cell for cell in broken["cells"] if cell["cell_type"] == "code")["outputs"] = [{"output_type": "no such output"}]
    path = tmp_path / "00_quickstart.ipynb"
    path.write_text(json.dumps(broken), encoding="utf-8")
    with pytest.raises(marking.UnreadableNotebook, match="^00_quickstart.ipynb is not a notebook: "):
        marking.read_notebook(path)


# --- what became of an answer ----------------------------------------------------------------------------------------


def test_check_and_a_run_say_the_same_of_every_answer(handed_out):
    """The report arrives whole: `course check` knows what `grade` knows, down to the misconception and the rows."""
    exercise = exercises[EXERCISE]
    wrong = "def lora_forward(x, W0, lora_A, lora_B):\n    return x @ W0.T"
    run = run_notebook(with_answers(handed_out, {EXERCISE: wrong}), skip_demonstrations=True)
    mistake = next(m for m in exercise.misconceptions if m.name == "base_only")
    graded = dataclasses.asdict(grade(EXERCISE, mistake.wrong, PUBLIC_SEED))
    assert {key: run.reports[EXERCISE][key] for key in graded} == graded
    assert run.scores == {EXERCISE: mistake.earns} and run.tables[EXERCISE].count("<tr") == len(exercise.parts)
    [mark] = marking.marks(run).marks
    assert (mark.state, mark.earned, mark.message) == ("partial", mistake.earns, mistake.says)


def test_only_the_report_counts_not_what_looks_like_one():
    """Text, numbers, and the report of another exercise below a check are somebody else's."""
    other = {REPORT: {"id": "lora.merge", "state": "right", "score": 9.0, "message": "Right."}}
    shadowed = (
        f"def check(exercise_id, answer):\n    display({other!r}, raw=True)\n"
        f"    display({{'text/plain': exercise_id + ': 4 of 4 points\\nRight.'}}, raw=True)\n    return 4.0"
    )
    cells = [new_code_cell(shadowed), new_code_cell(f'check("{EXERCISE}", 1)')]
    assert run_notebook(new_notebook(cells=cells)).reports == {}


@pytest.mark.parametrize(("said", "state"), [("right", "right"), ("partial", "partial"), ("not attempted", "not attempted"),
                                             ("wrong", "wrong"), ("timed out", "wrong"), ("raised", "wrong")])  # fmt: skip
def test_the_state_is_what_the_report_says_and_not_how_its_sentence_begins(handed_out, said, state):
    sentence = "Not attempted yet, one might think."
    [mark] = marking.marks(run_of(handed_out, [report(said, 0.0, sentence)])).marks
    assert (mark.state, mark.earned, mark.message) == (state, 0.0, sentence)
    assert mark.state in marking.SIGNS


@pytest.mark.parametrize(
    ("cell", "error", "state", "message", "complaints"),
    [
        (ANSWER, ("SyntaxError", "invalid syntax (123456.py, line 2)"), "wrong",
         "The cell with your answer raises SyntaxError: invalid syntax (line 2)", 0),
        (CHECK, ("KeyError", "no such exercise"), "wrong", "The check raises KeyError: no such exercise", 0),
        (CHECK, ("DeadKernel", "died"), "wrong", "Your function ended the Python process: look for an exit or a crash in it.", 0),
        (None, ("DeadKernel", "died"), "not marked", "an earlier cell ended the Python process", 1),
        (None, ("ValueError", ""), "not marked", "the check gave no score: is something else called `check` here?", 1),
    ],
)  # fmt: skip
def test_marks_of_cells_that_raise(handed_out, cell, error, state, message, complaints):
    index = place(handed_out, cell) if cell else 1
    found = marking.marks(run_of(handed_out, errors=[CellError(index, *error)]))
    assert [(m.id, m.state, m.message, m.points) for m in found.marks] == [(EXERCISE, state, message, 4.0)]
    assert found.marks[0].earned == (0.0 if state == "wrong" else None)
    assert len(found.complaints) == complaints


def test_an_answer_cell_that_raises_below_a_right_function_keeps_its_marks(handed_out):
    error = CellError(place(handed_out, ANSWER), "ZeroDivisionError", "division by zero")
    found = marking.marks(run_of(handed_out, [report()], [error]))
    assert (found.marks[0].state, found.marks[0].earned) == ("right", 4.0)
    assert len(found.complaints) == 1 and found.complaints[0].startswith("the answer cell that begins with `def lora_forward(")


def test_a_lost_check_cell_is_missed_by_comparison_with_the_release(handed_out):
    lost = with_answers(handed_out, {})
    del lost.cells[place(lost, CHECK)]
    found = marking.marks(run_of(lost), handed_out)
    assert [(m.state, m.earned) for m in found.marks] == [("not marked", None)]
    assert "there is no cell check('quickstart.lora_forward', ...)" in found.marks[0].message


def test_written_answers_are_left_to_a_person():
    lora = chapter.student_notebook(places.CHAPTERS / "08_lora.md")
    states = {}
    for text in ("Write your answer here.", "", "Because α is a strength of its own."):
        found = marking.marks(run_of(with_answers(lora, {"lora.why_scale": text})), lora)
        states[text] = next((m.state, m.earned, m.points) for m in found.marks if m.id == "lora.why_scale")
    assert list(states.values()) == [("not attempted", None, 4.0), ("not attempted", None, 4.0), ("written", None, 4.0)]
