"""The judge: outcomes in, a report out. It runs none of the student's code and knows nothing about how it ran.

For each part, every case it covers must agree. Then the whole set of outputs is held against each misconception: if the
student's outputs equal, in every case, what the misconception would have given, its sentence is the message.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from autograder.asking.ask import Outcome
from autograder.asking.state import State
from autograder.asking.values import Unreadable, difference, read, same, shape, shape_difference
from autograder.judging.report import Report, Row
from autograder.judging.trial import RAISES, Trial


def judge(trial: Trial, outcomes: list[Outcome]) -> Report:
    """Mark `outcomes` (one for each case of `trial`, in order) and say in one sentence what was seen."""
    readings = [_read(case, outcome) for case, outcome in zip(trial.cases, outcomes, strict=True)]
    rows = _without_repeats([_mark(part, trial, readings) for part in trial.parts])
    score = float(sum(row.earned for row in rows))
    misconception = None if score == trial.points else _recognise(trial, readings)
    state = _state(score, trial.points, outcomes, readings)
    return Report(
        id=trial.id,
        score=score,
        points=trial.points,
        state=state,
        misconception=misconception,
        message=_message(trial, state, misconception, rows, outcomes),
        rows=rows,
        printed=next((o.printed for o in outcomes if o.printed), ""),
        seed=trial.seed,
        says=trial.says[misconception] if misconception else "",
    )


def _read(case: dict[str, Any], outcome: Outcome) -> tuple[Any, str]:
    """The plain output and no complaint, or nothing and a complaint."""
    if outcome.state != State.RETURNED:
        return None, outcome.message
    try:
        return read(outcome.value, case["expected"]), ""
    except Unreadable as error:
        return None, str(error)


def _mark(part: dict[str, Any], trial: Trial, readings: list[tuple[Any, str]]) -> Row:
    """All the points of a part when every case it covers agrees, otherwise none and what differs in the first that does not."""
    for case, (value, complaint) in zip(trial.cases, readings, strict=True):
        if part["on"] not in (None, case["group"]):
            continue
        expected = case["expected"]
        if not complaint:
            if part["of"] is not None:
                value, expected = value[part["of"]], expected[part["of"]]
            if part["shape_only"]:
                if shape(value) != shape(expected):
                    complaint = shape_difference(shape(value), shape(expected))
            else:
                complaint = difference(value, expected, trial.tolerance) or ""
        if complaint:
            return Row(part["name"], 0.0, part["points"], f"{complaint} (case: {case['label']})")
    return Row(part["name"], float(part["points"]), part["points"], "right")


def _without_repeats(rows: list[Row]) -> list[Row]:
    """One cause fails several parts: say it once."""
    said: set[str] = set()
    out = []
    for row in rows:
        cause = row.comment.split(" (case: ")[0]
        out.append(replace(row, comment="the same") if row.earned < row.points and cause in said else row)
        said.add(cause)
    return out


def _recognise(trial: Trial, readings: list[tuple[Any, str]]) -> str | None:
    """The misconception whose outputs these are, in every case; where it would raise, the student's must not be readable."""
    for name in trial.says:
        if all(_is_output_of(name, case, value, complaint, trial.tolerance)
               for case, (value, complaint) in zip(trial.cases, readings, strict=True)):
            return name
    return None


def _is_output_of(name: str, case: dict[str, Any], value: Any, complaint: str, tolerance: float) -> bool:
    wrong = case["mistaken"][name]
    if isinstance(wrong, str) and wrong == RAISES:
        return bool(complaint)
    return not complaint and same(value, wrong, tolerance)


def _state(score: float, points: float, outcomes: list[Outcome], readings: list[tuple[Any, str]]) -> str:
    if score == points:
        return State.RIGHT
    states = [outcome.state for outcome in outcomes]
    if all(state == State.NOT_ATTEMPTED for state in states):
        return State.NOT_ATTEMPTED
    if score > 0:
        return State.PARTIAL
    for state in (State.CRASHED, State.TIMED_OUT, State.FLOODED, State.NOT_CALLABLE, State.CLOSED, State.RAISED):
        if state in states:
            return state
    return State.UNREADABLE if all(complaint for _, complaint in readings) else State.WRONG


def _message(trial: Trial, state: str, misconception: str | None, rows: list[Row], outcomes: list[Outcome]) -> str:
    if state == State.RIGHT:
        message = "Right."
    elif misconception:
        message = trial.says[misconception]
    else:
        whole = len({outcome.message for outcome in outcomes}) == 1 and outcomes[0].message  # whatever the case
        said = whole or next(row.comment for row in rows if row.earned < row.points)
        message = said[:1].upper() + said[1:]
    changed = next((outcome.changed for outcome in outcomes if outcome.changed), None)
    if changed:
        message += f" Note that your function changes its input {', '.join(changed)} in place; work on a copy."
    return message
