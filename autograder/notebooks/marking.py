"""Marking a student's own notebook: every exercise gets a state, points and one sentence.

Setup cells and the student's cells are run, demonstrations are not. A notebook that cannot be read, a check cell that was
lost, a cell of the student's own that raises: each gets its sentence, and the rest is marked all the same.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from autograder.asking.state import State
from autograder.asking.stubs import TEXT_STUB
from autograder.notebooks.cells import TITLE, answer_name, check_cells
from autograder.notebooks.execute import CellError, Run

SIGNS = {
    State.RIGHT: "✓", State.PARTIAL: "◐", State.WRONG: "✗", State.NOT_ATTEMPTED: "–", State.WRITTEN: "✎", State.NOT_MARKED: "?",
}
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


@dataclass(frozen=True)
class Mark:
    """The mark for one exercise. `state` is a key of `SIGNS`; `earned` is None where a person or nobody marks."""

    id: str
    state: str
    earned: float | None
    points: float
    message: str


@dataclass
class Marks:
    """All marks of one notebook, and a sentence for each cell outside the exercises that raises."""

    marks: list[Mark] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


class UnreadableNotebook(ValueError):
    """A file that is no notebook; the text is the sentence for the student."""


def read_notebook(path: Path) -> NotebookNode:
    """Read a notebook of any format version as the current one. Raises `UnreadableNotebook` with a sentence."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableNotebook(f"{path.name} cannot be read ({error})") from None
    try:
        json.loads(text)
    except ValueError as error:
        raise UnreadableNotebook(f"{path.name} is not a notebook: it is not JSON ({error})") from None
    try:
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat meets a broken file with many kinds of exceptions
        raise UnreadableNotebook(f"{path.name} is not a notebook: {' '.join(str(error).split())[:200]}") from None
    if not any(cell.cell_type == "code" for cell in notebook.cells):
        raise UnreadableNotebook(f"{path.name} has no code cells, so there is nothing to mark in it")
    return notebook


def notebooks_of(workbook: Path) -> list[Path]:
    """The notebooks to mark in a folder: all but newer releases laid beside the student's that nobody has touched."""
    return [path for path in sorted(workbook.glob("*.ipynb")) if not _untouched_release(path)]


def _untouched_release(path: Path) -> bool:
    match = re.search(r"\.new-([0-9a-f]{8})$", path.stem)
    return bool(match) and hashlib.sha256(path.read_bytes()).hexdigest()[:8] == match[1]


def released(path: Path, chapters: Path) -> Path | None:
    """The released notebook that a student's is a copy of, if there is one."""
    candidate = chapters / f"{path.stem.split('.new-')[0]}.ipynb"
    return candidate if candidate.is_file() else None


def marks(run: Run, handed_out: NotebookNode | None = None) -> Marks:
    """Read the marks out of a run. `handed_out`, the released notebook, tells which exercises there should be."""
    notebook, out = run.notebook, Marks()
    checks, answers = check_cells(notebook), _answer_cells(notebook)
    errors = {error.index: error for error in reversed(run.errors)}  # the first of each cell
    ended = next((error for error in run.errors if error.name == "DeadKernel"), None)
    told: set[int | None] = set()
    for exercise_id, points, written in _exercises(handed_out or notebook):
        answer = answers.get(answer_name(exercise_id))
        if written:
            out.marks.append(_written(exercise_id, points, notebook.cells[answer].source if answer is not None else ""))
        elif exercise_id not in checks:
            sentence = f"there is no cell check({exercise_id!r}, ...) in this notebook: copy it from the released one"
            out.marks.append(Mark(exercise_id, State.NOT_MARKED, None, points, sentence))
        else:
            out.marks.append(_mark(exercise_id, points, checks[exercise_id], answer, run, errors, ended))
            told |= {checks[exercise_id]} if exercise_id in run.reports else {checks[exercise_id], answer}
    out.complaints += [_complain(error, notebook) for index, error in sorted(errors.items()) if index not in told]
    return out


def _exercises(notebook: NotebookNode) -> list[tuple[str, float, bool]]:
    """The id and points of each exercise of a notebook, and whether it is answered in words."""
    ids = {answer_name(i): i for cell in notebook.cells for i in TITLE.findall(cell.source)}
    checked = {index: exercise_id for exercise_id, index in check_cells(notebook).items()}
    found = []
    for index, cell in enumerate(notebook.cells):
        about = cell.metadata.get("nbgrader", {})
        if not about.get("grade"):
            continue
        name = about.get("grade_id", "")
        exercise_id = checked.get(index) or ids.get(name.removesuffix("-check"), name)
        found.append((exercise_id, float(about.get("points", 0)), cell.cell_type == "markdown"))
    return found


def _answer_cells(notebook: NotebookNode) -> dict[str, int]:
    about = {i: cell.metadata.get("nbgrader", {}) for i, cell in enumerate(notebook.cells)}
    return {a["grade_id"]: i for i, a in about.items() if a.get("solution") and "grade_id" in a}


def _written(exercise_id: str, points: float, text: str) -> Mark:
    empty = not text.strip() or text.strip() == TEXT_STUB
    message = "Not attempted yet. A person reads it." if empty else "Read and marked by a person."
    return Mark(exercise_id, State.NOT_ATTEMPTED if empty else State.WRITTEN, None, points, message)


def _mark(exercise_id: str, points: float, check: int, answer: int | None, run: Run, errors: dict[int, CellError],
          ended: CellError | None) -> Mark:
    if exercise_id in run.reports:
        report = run.reports[exercise_id]
        state = report["state"] if report["state"] in SIGNS else State.WRONG  # how it went wrong stands in the message
        return Mark(exercise_id, state, report["score"], points, report["message"])
    if answer is not None and answer in errors:
        return Mark(exercise_id, State.WRONG, 0.0, points, f"The cell with your answer {_did(errors[answer])}")
    if check in errors:
        return Mark(exercise_id, State.WRONG, 0.0, points, _explain(run.notebook.cells[check], errors[check]))
    no_score = "the check gave no score: is something else called `check` here?"
    lost = "an earlier cell ended the Python process" if ended else no_score
    return Mark(exercise_id, State.NOT_MARKED, None, points, lost)


def _explain(cell: NotebookNode, error: CellError) -> str:
    """A traceback of one line is a sentence that `check` prepared; a longer one is shortened to the exception."""
    if error.name == "DeadKernel":
        return "Your function ended the Python process: look for an exit or a crash in it."
    trace = next((output.traceback for output in cell.outputs if output.output_type == "error"), [])
    if len(trace) == 1 and error.name == "NameError":
        return _ANSI.sub("", trace[0])
    return f"The check {_did(error)}"


def _complain(error: CellError, notebook: NotebookNode) -> str:
    cell = notebook.cells[error.index]
    about = cell.metadata.get("nbgrader", {})
    whose = "the setup cell" if about.get("locked") else "your own cell" if not about.get("solution") else "the answer cell"
    first = next((line.strip() for line in cell.source.splitlines() if line.strip()), "")
    return f"{whose} that begins with `{first[:60]}` {_did(error)}"


def _did(error: CellError) -> str:
    if error.name == "DeadKernel":
        return "ended the Python process"
    text = re.sub(r"\(\d+\.py, line", "(line", " ".join(_ANSI.sub("", error.message).split()))  # IPython's name for a cell
    return f"raises {error.name}: {text}"[:300] if text else f"raises {error.name}"


def as_markdown(name: str, marks: Marks, due_date: str = "") -> str:
    """A table of the marks of one notebook, for a page that shows Markdown: exercise, points, what is said."""
    rows = []
    for mark in marks.marks:
        earned = "waits" if mark.earned is None else f"{mark.earned:g}"
        rows.append(f"| {SIGNS[mark.state]} `{mark.id}` | {earned} of {mark.points:g} | {_cell(mark.message)} |")
    said = [_cell(complaint) for complaint in marks.complaints]
    top = [f"## {name}", "", *([due_date, ""] if due_date else [])]
    return "\n".join([*top, "| exercise | points | |", "|---|--:|---|", *rows, "", *said])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|").replace("<", "&lt;")
