"""A class of students, for the tests of nbgrader: what each hands in, and the marks the exercises declare for that.

    right       the model answers, and a written answer
    wrong       in every exercise a mistake that it documents; some of them still earn marks, some earn none
    untouched   what was handed out
    careless    right, but noisy, with one function deleted, another's cell emptied, and one check deleted
    retagged    wrong, with the tag of demonstrations taken off those and put on every check
    shadowed    wrong, with a function of their own that is called `check`
"""

from __future__ import annotations

from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder import places
from autograder.exercises import exercises
from autograder.exercises.exercise import Exercise, Misconception, Written
from autograder.publishing import chapter
from mistakes import as_source

QUICKSTART, LORA = "00_quickstart", "08_lora"
HANDED_IN = {
    QUICKSTART: ("right", "wrong", "untouched", "retagged", "shadowed"),
    LORA: ("right", "wrong", "untouched", "careless"),
}


def exercises_of(assignment: str) -> list[Exercise | Written]:
    return [exercises[name] for name in chapter.exercise_ids(places.CHAPTERS / f"{assignment}.md")]


def checked(assignment: str) -> list[Exercise]:
    return [exercise for exercise in exercises_of(assignment) if isinstance(exercise, Exercise)]


def written(assignment: str) -> list[Written]:
    return [exercise for exercise in exercises_of(assignment) if isinstance(exercise, Written)]


def answer_cell(exercise: Exercise | Written) -> str:
    return exercise.id.replace(".", "-").replace("_", "-")


def mark_cell(exercise: Exercise | Written) -> str:
    """The cell that carries the marks: the check below the answer, or the written answer itself."""
    return answer_cell(exercise) + ("-check" if isinstance(exercise, Exercise) else "")


def cell_of(notebook: NotebookNode, grade_id: str) -> NotebookNode:
    return next(cell for cell in notebook.cells if cell.metadata.get("nbgrader", {}).get("grade_id") == grade_id)


def misconceptions(assignment: str) -> dict[str, Misconception]:
    """One for each exercise: by turns one that still earns marks and one that earns none, where there is a choice."""
    chosen = {}
    for place, exercise in enumerate(checked(assignment)):
        fitting = [m for m in exercise.misconceptions if (m.earns > 0) == (place % 2 == 0)]
        chosen[exercise.id] = (fitting or list(exercise.misconceptions))[-1]
    return chosen


def declared(student: str, assignment: str) -> dict[str, float]:
    """The mark that each check has to get. What they did to the checks costs nobody anything, and helps nobody."""
    if student == "right":
        return {mark_cell(e): e.points for e in checked(assignment)}
    if student in ("wrong", "retagged", "shadowed"):
        return {mark_cell(e): misconceptions(assignment)[e.id].earns for e in checked(assignment)}
    if student == "untouched":
        return {mark_cell(e): 0.0 for e in checked(assignment)}
    deleted, emptied, unchecked, *others = checked(assignment)
    return {mark_cell(e): e.points for e in (unchecked, *others)} | {mark_cell(deleted): 0.0, mark_cell(emptied): 0.0}


def hand_in(folder: Path, student: str, assignment: str) -> None:
    """Put the student's notebook into the `submitted` folder of the course in `folder`."""
    notebook = nbformat.read(folder / "release" / assignment / f"{assignment}.ipynb", as_version=4)
    if student in ("right", "careless"):
        source = nbformat.read(folder / "source" / assignment / f"{assignment}.ipynb", as_version=4)
        for exercise in exercises_of(assignment):
            cell_of(notebook, answer_cell(exercise)).source = cell_of(source, answer_cell(exercise)).source
    elif student != "untouched":
        answer_wrongly(notebook, assignment)
    spoil = {"careless": be_careless, "retagged": swap_tags, "shadowed": shadow_check}.get(student)
    if spoil:
        spoil(notebook, assignment)
    path = folder / "submitted" / student / assignment / f"{assignment}.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)


def answer_wrongly(notebook: NotebookNode, assignment: str) -> None:
    for exercise in written(assignment):
        cell_of(notebook, answer_cell(exercise)).source = "Because everybody does."
    for exercise in checked(assignment):
        cell_of(notebook, answer_cell(exercise)).source = as_source(exercise, misconceptions(assignment)[exercise.id])


def be_careless(notebook: NotebookNode, assignment: str) -> None:
    """Delete what must be there, and make noise wherever noise can be made."""
    deleted, emptied, unchecked, *others = checked(assignment)
    notebook.cells.remove(cell_of(notebook, answer_cell(deleted)))
    cell_of(notebook, answer_cell(emptied)).source = ""
    notebook.cells.remove(cell_of(notebook, mark_cell(unchecked)))
    for exercise in others:
        cell_of(notebook, answer_cell(exercise)).source += f"\n\n{NOISE}\n\n{exercise.name} = noisy({exercise.name})"
    own = nbformat.v4.new_code_cell("import sys\n\nprint('my own cell', file=sys.stderr)\n0 / 1")
    notebook.cells.insert(notebook.cells.index(cell_of(notebook, mark_cell(others[0]))), own)


NOISE = """\
def noisy(right):
    import logging, os, sys, warnings
    import numpy as np

    logging.warning("a logger that keeps the stderr it was made with")
    warnings.warn("defined")

    def answer(*args, **inputs):
        np.divide(np.ones(2), np.zeros(2))
        warnings.warn("are you sure?")
        logging.warning("working")
        print("working", file=sys.stderr)
        os.write(2, b"as a C++ library writes\\n")
        return right(*args, **inputs)

    return answer"""


def swap_tags(notebook: NotebookNode, assignment: str) -> None:
    for cell in notebook.cells:
        if "demonstration" in cell.metadata.get("tags", []):
            del cell.metadata["tags"]
        elif cell.metadata.get("nbgrader", {}).get("grade"):
            cell.metadata["tags"] = ["demonstration"]


def shadow_check(notebook: NotebookNode, assignment: str) -> None:
    first = checked(assignment)[0]
    own = nbformat.v4.new_code_cell("def check(*anything):\n    print('I checked it myself')")
    notebook.cells.insert(notebook.cells.index(cell_of(notebook, answer_cell(first))), own)
