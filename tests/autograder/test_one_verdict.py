"""One verdict: four dozen answers to chapter 08 get the same marks and the same sentence from `check` in a living kernel, from
`course check`, from `nbgrader autograde` and from `course grade`. (A page of feedback says it without the student's own text.)"""

from __future__ import annotations

import re
from pathlib import Path

import nbformat
import pytest

from autograder import places
from autograder.exercises import exercises
from autograder.exercises.exercise import Exercise
from autograder.grading import feedback
from autograder.grading.journal import entries
from autograder.notebooks import marking
from autograder.notebooks.cells import DEMONSTRATION, answer_name, check_name, is_kind
from autograder.notebooks.execute import run_many
from autograder.publishing import chapter
from classes import course, marks, nbgrader
from needs import need_sandbox
from ways import ALL, NONE, SOME, WAYS, share_out

pytestmark = pytest.mark.xdist_group("verdict")

LORA = "08_lora"
SOURCE = places.CHAPTERS / f"{LORA}.md"
IDS = [i for i in chapter.exercise_ids(SOURCE) if isinstance(exercises[i], Exercise)]
DEALT = share_out(IDS)
ROUTES = ("check", "course check", "nbgrader autograde", "course grade")


def handed_in(ways: dict[str, str]) -> nbformat.NotebookNode:
    """The released notebook with these ways of answering in it, and the student's own cells before them."""
    notebook = nbformat.read(places.CHAPTERS / f"{LORA}.ipynb", as_version=4)
    models = chapter.model_answers(SOURCE)
    cells = []
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        exercise_id = next((i for i in ways if answer_name(i) == name), None)
        if exercise_id and WAYS[ways[exercise_id]].answer:
            words = {"model": models[exercise_id], "name": exercises[exercise_id].name}
            way = WAYS[ways[exercise_id]]
            cells += [nbformat.v4.new_code_cell(own.format(**words)) for own in way.own]
            cell.source = way.answer.format(**words)
        cells.append(cell)
    notebook.cells = cells
    return notebook


def as_worked_on(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """What a student has run who has looked at the first two demonstrations: the others take a minute."""
    notebook = nbformat.reads(nbformat.writes(notebook), as_version=4)
    shown = [cell for cell in notebook.cells if is_kind(cell.metadata.get("nbgrader", {}).get("grade_id", ""), DEMONSTRATION)]
    notebook.cells = [cell for cell in notebook.cells if cell not in shown[2:]]
    return notebook


def plain(sentence: str) -> str:
    """A sentence without what the drawn inputs decide: numbers, shapes, the label of the case."""
    return re.sub(r"-?\d[\d.,]*(?:e[-+]?\d+)?|\b(?:nan|inf)\b", "#", re.sub(r" \(case: .*?\)(?= |$)", "", sentence))


@pytest.fixture(scope="module")
def verdicts(tmp_path_factory, open_class, here) -> dict[str, dict[tuple[int, str], tuple[float, str]]]:
    """`route -> (student, exercise) -> (points, sentence)`."""
    need_sandbox()
    notebooks = [handed_in(ways) for ways in DEALT]
    found: dict[str, dict] = {route: {} for route in ROUTES}
    shown: dict[tuple[int, str], str] = {}  # what feedback says of the report of `course grade`: nothing of the student's own
    for route, ran in (
        ("check", run_many({n: as_worked_on(notebook) for n, notebook in enumerate(notebooks)}, 1, timeout=60)),
        ("course check", run_many(dict(enumerate(notebooks)), 1, skip_demonstrations=True, timeout=60)),
    ):
        for student, run in ran.items():
            for mark in marking.marks(run, nbformat.read(places.CHAPTERS / f"{LORA}.ipynb", as_version=4)).marks:
                found[route][student, mark.id] = (mark.earned, mark.message)
    folder = open_class(tmp_path_factory.mktemp("verdict"), LORA)
    for student, notebook in enumerate(notebooks):
        path = folder / "submitted" / f"s{student}" / LORA / f"{LORA}.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(notebook, path)
    course(folder, "grade", LORA, *here)
    journal = entries(folder / ".course" / f"{LORA}.jsonl")
    for student in range(len(DEALT)):
        for exercise_id, report in journal[f"s{student}"].graded.reports.items():
            found["course grade"][student, exercise_id] = (report.score, report.message)
            shown[student, exercise_id] = feedback.student_message(report)
    nbgrader(folder, "autograde", LORA, "--force")
    for student in range(len(DEALT)):
        given, notebook = marks(folder, f"s{student}", LORA), read(folder, student)
        for exercise_id in IDS:
            cell = next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == check_name(exercise_id))
            sentence = cell.outputs[0]["data"]["text/plain"].splitlines()[1]
            assert sentence == shown[student, exercise_id], "nbgrader's page says something else than the report of course grade"
            found["nbgrader autograde"][student, exercise_id] = (given[check_name(exercise_id)], "")
    return found


def read(folder: Path, student: int) -> nbformat.NotebookNode:
    return nbformat.read(folder / "autograded" / f"s{student}" / LORA / f"{LORA}.ipynb", as_version=4)


CASES = [(student, exercise_id) for student, ways in enumerate(DEALT) for exercise_id in ways]


@pytest.mark.parametrize("student, exercise_id", CASES, ids=[DEALT[s][i] for s, i in CASES])
def test_four_routes_say_the_same(verdicts, student, exercise_id):
    marked = {route: verdicts[route][student, exercise_id] for route in ROUTES}
    assert len({points for points, _ in marked.values()}) == 1, marked
    assert len({plain(sentence) for _, sentence in marked.values() if sentence}) == 1, marked
    earned, most = marked["course grade"][0], exercises[exercise_id].points
    wanted = {ALL: earned == most, NONE: earned == 0, SOME: earned < most}
    assert wanted[WAYS[DEALT[student][exercise_id]].earns], marked


def test_the_ways_are_dealt_whole():
    assert sorted(way for ways in DEALT for way in ways.values()) == sorted(WAYS) and len(WAYS) >= 40


SENTENCES = {
    "an import inside": "closed here", "a default": "closed here", "something closed, handed back": "closed here",
    "not Python any more": "is not Python", "raises before it is defined": "raised ValueError: not yet",
    "a demonstration's value": "demonstration", "an undefined name": "NameError: name 'no_such_name'", "deleted": "there is no",
    "right, and changes its inputs": "in place",
}  # fmt: skip


@pytest.mark.parametrize("way", SENTENCES)
def test_the_sentence_says_the_real_reason(verdicts, way):
    student, exercise_id = next((s, i) for s, i in CASES if DEALT[s][i] == way)
    assert SENTENCES[way].lower() in verdicts["course grade"][student, exercise_id][1].lower()
