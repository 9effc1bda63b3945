"""`check` for the student, `grade` for the course: the same cases and the same judge."""

from __future__ import annotations

import re
import secrets
from typing import Any

from autograder.asking.ask import STUB, Outcome, ask_all
from autograder.judging.judge import judge
from autograder.judging.report import Report
from autograder.judging.trial import PUBLIC_SEED, Trial, load
from autograder.places import PUBLIC

REPORT = "application/vnd.finetuning-course.report+json"  # the MIME type of `Report.to_dict()`, for programs to read


class Score(float):
    """A float that a notebook does not show, for the table has said it. Its text is the number, which nbgrader reads."""

    def _repr_html_(self) -> str:
        return ""


def check(exercise_id: str, answer: Any) -> Score:
    """Check an answer against the public cases, show the table, and return the score in points.

    Args:
        exercise_id: for example `"lora.gradient"`.
        answer: the student's function.

    Raises:
        KeyError: when there is no such exercise.
    """
    report = mark(_public_trial(exercise_id), answer)
    _show(report)
    return Score(report.score)


def grade(exercise_id: str, answer: Any, seed: int | None = None) -> Report:
    """Mark an answer against cases drawn with `seed` (fresh ones when None; the report says which) and return the `Report`.

    Raises:
        KeyError: when there is no such exercise, or when this is a student's bundle, which cannot draw cases.
    """
    if PUBLIC.exists():
        raise KeyError("this is a student's copy of the course: it holds public cases only, so use check(...) here")
    from autograder.exercises import exercises
    from autograder.exercises.drawing import draw

    return mark(draw(exercises[exercise_id], secrets.randbits(32) if seed is None else seed), answer)


def mark(trial: Trial, answer: Any) -> Report:
    """Ask the answer every case of the trial, and judge what came back."""
    outcomes: list[Outcome] = ask_all(answer, trial.ask_with, trial.inputs)
    return judge(trial, outcomes)


def _public_trial(exercise_id: str) -> Trial:
    if PUBLIC.exists():
        return load(exercise_id)
    from autograder.exercises import exercises
    from autograder.exercises.drawing import draw

    return draw(exercises[exercise_id], PUBLIC_SEED)


def _show(report: Report) -> None:
    try:
        from IPython import get_ipython
        from IPython.display import display
    except ImportError:
        shell = None
    else:
        shell = get_ipython()
    if shell is not None and hasattr(shell, "kernel"):
        display({"text/plain": report.text(), "text/html": report._repr_html_(), REPORT: report.to_dict()}, raw=True)
    else:
        print(report.text())


def explain_missing_names() -> None:
    """In a notebook, answer a check of a name that does not exist yet with one sentence instead of a traceback.

    The cell still ends in an error, so that no grader takes it for a pass: a check cell that neither fails nor returns a
    number would earn full marks from plain nbgrader.
    """
    try:
        from IPython import get_ipython
    except ImportError:
        return
    shell = get_ipython()
    if shell is None:
        return

    def handler(shell: Any, kind: type, error: NameError, trace: Any, tb_offset: int | None = None) -> None:
        cell = (shell.user_ns.get("In") or [""])[-1]
        checked = re.search(r"\bcheck\(\s*['\"]([\w.]+)['\"]\s*,\s*(\w+)", cell)
        if checked and error.name == checked.group(2):
            sentence = (
                f"There is no {error.name} yet: run the cell above that defines it. "
                f"The check of {checked.group(1)} needs that exact name."
            )
            error._render_traceback_ = lambda: [sentence]  # type: ignore[attr-defined]
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)  # IPython leaves the showing to the handler

    shell.set_custom_exc((NameError,), handler)


__all__ = ["REPORT", "STUB", "check", "explain_missing_names", "grade", "mark"]
