"""`check` for the student, `grade` for the course: the same cases and the same judge."""

from __future__ import annotations

import contextlib
import inspect
import re
import secrets
from collections.abc import Collection, Iterator
from typing import Any

from autograder.asking.ask import ask_all
from autograder.asking.closing import closed
from autograder.asking.fresh import fresh
from autograder.judging.judge import judge, not_answered
from autograder.judging.report import REPORT, Report
from autograder.judging.trial import PUBLIC_SEED, Trial, load
from autograder.notebooks import due, session
from autograder.notebooks.names import not_asked, only_demonstrated
from autograder.places import PUBLIC


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
    """Ask the answer every case of the trial as grading would, and judge what came back.

    As in grading, what the exercise closes is closed, and what only a demonstration has made is not there.
    """
    ran = session.ran()
    told = not_asked(trial.name, True, ran)
    if told:
        return judge(trial, not_answered(trial, *told))
    shown, space = only_demonstrated(ran), _globals_of(answer)
    with closed(trial.closed, space), _without(shown, space):
        outcomes = ask_all(answer, trial.ask_with, trial.inputs, trial.seconds, trial.seed, shown)
    return judge(trial, outcomes)


def _globals_of(answer: Any) -> dict[str, Any]:
    """The names that the student's function stands on: the notebook's, or its module's."""
    shell = _shell()
    if shell is not None:
        return shell.user_ns
    return getattr(inspect.unwrap(answer), "__globals__", {}) if callable(answer) else {}


@contextlib.contextmanager
def _without(names: Collection[str], space: dict[str, Any]) -> Iterator[None]:
    """Take some names away within the block."""
    held = {name: space.pop(name) for name in names if name in space}
    try:
        yield
    finally:
        for name, value in held.items():
            space.setdefault(name, value)


def _shell() -> Any:
    """The IPython that this runs in, or None."""
    try:
        from IPython import get_ipython
    except ImportError:
        return None
    return get_ipython()


def _public_trial(exercise_id: str) -> Trial:
    if PUBLIC.exists():
        return load(exercise_id)
    from autograder.exercises import exercises
    from autograder.exercises.drawing import draw

    with fresh(PUBLIC_SEED):  # whatever dtype the student has set
        return draw(exercises[exercise_id], PUBLIC_SEED)


def _show(report: Report) -> None:
    due_date = due.sentence(report.id.partition(".")[0])
    if hasattr(_shell(), "kernel"):
        from IPython.display import display

        display({"text/plain": report.text(), "text/html": report._repr_html_(), REPORT: report.to_dict()}, raw=True)
    else:
        print(report.text())
    if due_date:
        print(due_date)


def settle_in() -> None:
    """In a notebook: remember what is run, and answer a check of a name that is not there with a report instead of a traceback.

    The cell still ends in an error, so that no grader takes it for a pass: a check cell that neither fails nor returns a
    number would earn full marks from plain nbgrader.
    """
    shell = _shell()
    if shell is None:
        return
    session.watch(shell)

    def handler(shell: Any, kind: type, error: NameError, trace: Any, tb_offset: int | None = None) -> None:
        cell = (shell.user_ns.get("In") or [""])[-1]
        checked = re.search(r"\bcheck\(\s*['\"]([\w.]+)['\"]\s*,\s*(\w+)", cell)
        if checked and error.name == checked.group(2):
            with contextlib.suppress(KeyError):  # there is no such exercise: then the name is the lesser trouble
                trial = _public_trial(checked.group(1))
                report = judge(trial, not_answered(trial, *not_asked(error.name, False, session.ran())))
                _show(report)
                error._render_traceback_ = lambda: [report.message]  # type: ignore[attr-defined]
        shell.showtraceback((kind, error, trace), tb_offset=tb_offset)  # IPython leaves the showing to the handler

    shell.set_custom_exc((NameError,), handler)


__all__ = ["check", "grade", "mark", "settle_in"]
