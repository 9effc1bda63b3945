"""A newer release of a notebook, and a student's answers brought over into it.

What is new can be told without the older release: every built cell says of itself how it was built (see `edits`). Only answers
are brought over. What else the student changed or added stays in their old copy, which is kept.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass

from nbformat import NotebookNode

from autograder.notebooks.cells import TITLE, answer_name, check_name
from autograder.notebooks.edits import is_as_built


@dataclass(frozen=True)
class Renewed:
    """A newer release with a student's answers in it, and what is different. All lists hold exercise ids."""

    notebook: NotebookNode
    new: list[str]
    changed: list[str]  # statement, stub, points or check
    gone: list[str]
    carried: list[str]
    around: int  # passages, setups and demonstrations that are new or other ones
    left: int  # cells that the student changed or added, answers to other exercises among them

    def sentences(self) -> list[str]:
        """What a student has to know before it is done."""
        told = {
            "New exercises": self.new, "Exercises that changed": self.changed, "Exercises that are gone": self.gone,
            "Your answers to bring over": self.carried,
        }
        said = [f"{what}: {', '.join(ids)}." for what, ids in told.items() if ids]
        if self.around:
            said.append(f"Passages and demonstrations that are new or changed: {self.around}.")
        again = [i for i in self.carried if i in self.changed]
        if again:
            said.append(f"Look at these again, for what they ask changed: {', '.join(again)}.")
        if self.left:
            said.append(f"Cells that you changed or added beside the answers: {self.left}. They stay in your old copy.")
        return said


def is_release(mine: NotebookNode, release: NotebookNode) -> bool:
    """Whether a student's notebook was made from this release: every cell of it is there, worked on or not."""
    return not {_built(cell) for cell in release.cells} - {_built(cell) for cell in mine.cells}


def renewed(mine: NotebookNode, release: NotebookNode) -> Renewed:
    """Bring the answers in `mine` over into a copy of `release`."""
    notebook = copy.deepcopy(release)
    before, after = _exercises(mine), _exercises(notebook)
    answers = {cell.metadata.nbgrader.grade_id: cell for cell in mine.cells if _is_answer(cell) and not is_as_built(cell)}
    carried = [i for i in after if answer_name(i) in answers]
    for cell in notebook.cells:
        if _is_answer(cell) and cell.metadata.nbgrader.grade_id in answers:
            answer = answers.pop(cell.metadata.nbgrader.grade_id)
            cell.source = answer.source
            if answer.get("attachments"):  # pictures in a written answer
                cell["attachments"] = answer.attachments
    known = {_built(cell) for cell in mine.cells}
    others = [cell for cell in mine.cells if cell.source.strip() and not _is_answer(cell) and not is_as_built(cell)]
    return Renewed(
        notebook,
        new=[i for i in after if i not in before],
        changed=[i for i in after if i in before and after[i] != before[i]],
        gone=[i for i in before if i not in after],
        carried=carried,
        around=sum(not _titles(cell) and not _of_an_exercise(cell) and _built(cell) not in known for cell in release.cells),
        left=len(others) + len(answers),
    )  # fmt: skip


def _exercises(notebook: NotebookNode) -> dict[str, list[str]]:
    """How the cells of each exercise were built: statement, answer, check."""
    built = {_about(cell)["grade_id"]: _built(cell) for cell in notebook.cells if _about(cell)}
    return {
        exercise_id: [_built(cell), *(built.get(name(exercise_id), "") for name in (answer_name, check_name))]
        for cell in notebook.cells for exercise_id in _titles(cell)
    }  # fmt: skip


def _titles(cell: NotebookNode) -> list[str]:
    return TITLE.findall(cell.source) if cell.cell_type == "markdown" and not _about(cell) else []


def _built(cell: NotebookNode) -> str:
    """How a cell was built, whatever was done to it since: nbgrader's checksum, or the name of a passage."""
    return _about(cell).get("checksum") or cell.get("id", "")


def _about(cell: NotebookNode) -> NotebookNode:
    return cell.metadata.get("nbgrader") or {}


def _is_answer(cell: NotebookNode) -> bool:
    return bool(_about(cell).get("solution"))


def _of_an_exercise(cell: NotebookNode) -> bool:
    return bool(_about(cell).get("solution") or _about(cell).get("grade"))
