"""What was handed out, what the course has and what the gradebook holds are the same exercises, or nothing is graded."""

import dataclasses
import re

import pytest

from autograder import exercises
from autograder.asking.state import State
from autograder.exercises.exercise import Part
from autograder.grading import agreement
from autograder.grading.agreement import Disagreement, require_agreement, require_graded_as_now
from autograder.grading.graded import Graded
from autograder.grading.grader import Grader
from autograder.grading.journal import Entry
from autograder.grading.submission import read_released
from autograder.judging.report import Report
from submissions import cell, data, notebook, released

LORA, WRITTEN = "08_lora", "lora.why_scale"
CHECK, ANSWER = "lora-gradient-check", "lora-why-scale"


def points_of(cell_of):
    return cell_of["metadata"]["nbgrader"]


def most() -> dict[str, float]:
    """As the gradebook has it after `nbgrader generate_assignment`."""
    graded = [c["metadata"]["nbgrader"] for c in notebook(LORA)["cells"] if c["metadata"].get("nbgrader", {}).get("grade")]
    return {about["grade_id"]: about["points"] for about in graded}


def said(handed_out: dict, recorded: dict[str, float] | None = None, assignment: str = LORA) -> str:
    """The sentence, or nothing where there is none."""
    try:
        require_agreement(assignment, read_released(data(handed_out)), most() if recorded is None else recorded, "/class")
    except Disagreement as error:
        return str(error)
    return ""


def test_what_was_built_and_released_agrees_and_the_sentence_otherwise_says_what_to_run():
    assert said(notebook(LORA)) == ""
    changed = notebook(LORA)
    points_of(cell(changed, CHECK))["points"] = 5
    sentence = said(changed, most() | {CHECK: 5.0})
    worth = exercises["lora.gradient"].points
    assert f"lora.gradient has 5 points in the released notebook and {worth:g} points in the course" in sentence
    commands = re.findall(r"`(.*?)`", sentence)
    assert commands == ["course build --class-folder /class", "nbgrader generate_assignment 08_lora --force",
                        "course grade 08_lora --again"]
    assert sentence.count("lora.") == 1, "and of nothing else"


def test_an_exercise_that_is_worth_something_else_now_is_named(monkeypatch):
    """The other way round: the release is as it was, and the author has changed the exercise."""
    known = exercises["lora.gradient"]
    changed = {i: exercises[i] for i in exercises if i.startswith("lora.")}
    changed["lora.gradient"] = dataclasses.replace(known, parts=[Part("all of it", known.points + 1)])
    monkeypatch.setattr(agreement, "exercises", changed)
    both = f"lora.gradient has {known.points:g} points in the released notebook and {known.points + 1:g} points in the course"
    assert both in said(notebook(LORA))
    with pytest.raises(Disagreement, match=both):
        Grader(released(LORA))


def test_a_written_answer_has_its_points_too():
    changed = notebook(LORA)
    points_of(cell(changed, ANSWER))["points"] = 1
    told = f"{WRITTEN} has 1 point in the released notebook and {exercises[WRITTEN].points:g} points in the course"
    assert told in said(changed, most() | {ANSWER: 1.0})


def test_an_exercise_that_the_course_does_not_know_is_named():
    changed = notebook(LORA)
    cell(changed, CHECK)["source"] = 'check("lora.sideways", lora_sideways)'
    sentence = said(changed)
    assert "lora.sideways is in the released notebook and is no exercise of the course" in sentence
    assert "lora.gradient is an exercise of the chapter and not in the released notebook" in sentence
    with pytest.raises(Disagreement, match="lora.sideways is in the released notebook"):
        Grader(data(changed))


@pytest.mark.parametrize(("name", "exercise_id"), [(CHECK, "lora.gradient"), (ANSWER, WRITTEN)])
def test_an_exercise_that_the_release_lacks_is_named(name, exercise_id):
    changed = notebook(LORA)
    changed["cells"].remove(cell(changed, name))
    without = {cell_name: points for cell_name, points in most().items() if cell_name != name}
    assert f"{exercise_id} is an exercise of the chapter and not in the released notebook" in said(changed, without)
    assert said(changed, without, assignment="a_notebook_of_the_instructor's") == ""


def test_an_exercise_that_a_person_marks_now_is_named(monkeypatch):
    changed = {i: exercises[i] for i in exercises if i.startswith("lora.")}
    changed["lora.gradient"], changed[WRITTEN] = changed[WRITTEN], changed["lora.gradient"]
    monkeypatch.setattr(agreement, "exercises", changed)
    sentence = said(notebook(LORA))
    assert "lora.gradient is marked by a check in the released notebook and by a person in the course" in sentence
    assert f"{WRITTEN} is marked by a person in the released notebook and by a check in the course" in sentence


@pytest.mark.parametrize(("recorded", "told"), [
    ({CHECK: 9.0}, "points in the released notebook and 9 points in the gradebook"),
    ({CHECK: None}, "the gradebook knows no cell for lora.gradient"),
    ({"lora-gone-check": 2.0}, "the gradebook has 2 points for the cell lora-gone-check, which the released notebook has not"),
])
def test_the_gradebook_has_to_agree(recorded, told):
    after = {name: points for name, points in (most() | recorded).items() if points is not None}
    assert told in said(notebook(LORA), after)


def test_a_sentence_names_five_and_counts_the_rest():
    sentence = said(notebook(LORA), {})
    count = len(most())
    assert sentence.count("the gradebook knows no cell for") == agreement.SHOWN
    assert f"; and {count - agreement.SHOWN} more." in sentence


def test_what_was_graded_before_the_points_changed_is_not_reported():
    points = exercises["lora.gradient"].points

    def entry(points: float, exercise_id: str = "lora.gradient") -> dict[str, Entry]:
        report = Report(exercise_id, 0.0, points, State.WRONG, None, "")
        return {"ada": Entry("ada", "k", Graded(1, {exercise_id: report}, {}, [], False, True, 0.1))}

    require_graded_as_now(LORA, entry(points))
    for entries, told in (
        (entry(points + 1), f"lora.gradient of ada was graded when it had {points + 1:g} points, and it has {points:g} points"),
        (entry(2.0, "lora.gone"), "lora.gone of ada was graded when it had 2 points, and it has no points"),
    ):
        with pytest.raises(Disagreement, match=f"{told} now: run `course grade 08_lora --again`"):
            require_graded_as_now(LORA, entries)
