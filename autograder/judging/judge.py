"""The judge: outcomes in, a report out. It runs none of the student's code and knows nothing about how it ran.

For each part, every case it covers must agree. If not all do, the whole set of outputs is held against each misconception: if
the student's outputs equal, in every case, what the misconception would have given, its sentence is the message. When they equal
none, symptoms speak (`symptoms`): relations that hold in every case between what came and what is right.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from typing import Any

import numpy as np

from autograder.asking.ask import Outcome
from autograder.asking.fresh import fresh
from autograder.asking.state import State
from autograder.asking.values import Raised, Unreadable, describe, difference, read, same, shape, shape_difference
from autograder.judging import measures
from autograder.judging.report import Report, Row
from autograder.judging.symptoms import find
from autograder.judging.symptoms.find import Found
from autograder.judging.trial import Trial

Reading = tuple[Any, str]  # the plain output and no complaint, or nothing and a complaint


def judge(trial: Trial, outcomes: list[Outcome]) -> Report:
    """Mark `outcomes` (one for each case of `trial`, in order) and say in one sentence what was seen."""
    readings = [_read(case["expected"], outcome) for case, outcome in zip(trial.cases, outcomes, strict=True)]
    rows = _without_repeats([_mark(part, trial, outcomes, readings) for part in trial.parts])
    score = float(sum(row.earned for row in rows))
    misconception, symptoms = (None, []) if score == trial.points else _explain(trial, outcomes, readings)
    failed = [outcome for outcome, (_, complaint) in zip(outcomes, readings, strict=True) if complaint]
    state = _state(score, trial.points, outcomes, failed)
    return Report(
        id=trial.id,
        score=score,
        points=trial.points,
        state=state,
        misconception=misconception,
        message=_message(trial, state, misconception, [says for _, says in symptoms], rows, outcomes),
        rows=rows,
        printed=next((o.printed for o in outcomes if o.printed), ""),
        seed=trial.seed,
        says=trial.says[misconception] if misconception else _missing(trial, rows),
        error=next((outcome.error for outcome in failed if outcome.error), ""),
        symptoms=list(dict.fromkeys(name for name, _ in symptoms)),
    )


def _missing(trial: Trial, rows: list[Row]) -> str:
    """Where nothing else is known, the sentence of the first part that measured too little: it is ours, and holds no number."""
    first = next(((part, row) for part, row in zip(trial.parts, rows, strict=True) if row.earned < row.points), None)
    return first[0]["says"] if first and first[0]["measure"] and first[1].comment.startswith(first[0]["says"]) else ""


def not_answered(trial: Trial, state: State, message: str) -> list[Outcome]:
    """One outcome for each case, where the function was not asked or did not answer."""
    return [Outcome(state, message=message) for _ in trial.cases]


def _read(expected: Any, outcome: Outcome) -> Reading:
    if outcome.state == State.RAISED and isinstance(expected, Raised):
        if Raised(outcome.error).is_a(expected):
            return Raised(outcome.error), ""
        return None, f"expected {describe(expected)} for this input; {outcome.message}"
    if outcome.state != State.RETURNED:
        return None, outcome.message
    try:
        return read(outcome.value, expected), ""
    except Unreadable as error:
        return None, str(error)


def _mark(part: dict[str, Any], trial: Trial, outcomes: list[Outcome], readings: list[Reading]) -> Row:
    """All the points of a part when every case it covers agrees, otherwise none and what differs in the first that does not."""
    covered = [covers(part, case) for case in trial.cases]
    if not any(covered):
        raise ValueError(f"part {part['name']!r} of {trial.id} covers no case, so nobody can earn it: run `course build`")
    for case, outcome, reading, counts in zip(trial.cases, outcomes, readings, covered, strict=True):
        complaint = _complaint(part, case, reading, trial.tolerance) if counts else ""
        if counts and not complaint and trial.keeps_inputs and outcome.changed and not part["shape_only"]:
            complaint = f"your function {_changes(outcome.changed)}"
        if complaint:
            return Row(part["name"], 0.0, part["points"], f"{complaint} (case: {case['label']})")
    return Row(part["name"], float(part["points"]), part["points"], "right")


def covers(part: dict[str, Any], case: dict[str, Any]) -> bool:
    """Whether a part looks at a case: at one of its group, and one that holds something back if, and only if, it measures."""
    return part["on"] in (None, case["group"]) and bool(part["measure"]) == (case["held"] is not None)


def _complaint(part: dict[str, Any], case: dict[str, Any], reading: Reading, tolerance: float) -> str:
    """What is wrong with the output of one case, as far as this part looks at it; nothing when it is right."""
    (value, complaint), expected = reading, case["expected"]
    if complaint or isinstance(expected, Raised):
        return complaint
    if part["of"] is not None:
        value, expected = value[part["of"]], expected[part["of"]]
    if part["shape_only"]:
        return "" if shape(value) == shape(expected) else shape_difference(shape(value), shape(expected))
    if part["measure"]:
        return _misses(part, value, expected, case["held"])
    return difference(value, expected, tolerance) or ""


def _misses(part: dict[str, Any], value: Any, form: Any, held: dict[str, Any]) -> str:
    """What is said of an output that was measured and does not reach what the part asks for; nothing when it does."""
    if shape(value) != shape(form):
        return f"expected an output of shape {shape(form)}, came {shape(value)}"
    components = value if isinstance(value, tuple) else (value,)
    if not all(np.isfinite(item).all() for item in components if isinstance(item, (int, float, np.ndarray))):
        return "it left the finite numbers (nan or inf): look for a step that is too large, a log of 0, or a division by 0"
    reached = float(measures.named(part["measure"])(value, held))
    least, most = part["at_least"], part["at_most"]
    if (least is None or reached >= least) and (most is None or reached <= most):
        return ""
    asked = f"at least {least:g}" if least is not None and not reached >= least else f"at most {most:g}"
    return f"{part['says']} ({part['name']}: {reached:.3g}, {asked} is asked for)"


def _without_repeats(rows: list[Row]) -> list[Row]:
    """One cause fails several parts: say it once. An exception is the same one whatever the sizes of the case are."""
    said: set[str] = set()
    out = []
    for row in rows:
        cause = row.comment.split(" (case: ")[0]
        cause = re.sub(r"\d+", "", cause) if cause.startswith("it raised") else cause
        out.append(replace(row, comment="the same") if row.earned < row.points and cause in said else row)
        said.add(cause)
    return out


def _explain(trial: Trial, outcomes: list[Outcome], readings: list[Reading]) -> tuple[str | None, list[Found]]:
    """The misconception that was recognised, or else the symptoms. What wrong answers would give is computed here, if at all."""
    if all(outcome.state not in (State.RETURNED, State.RAISED) for outcome in outcomes):
        return None, []
    with fresh(trial.seed):
        name = _recognise(trial, outcomes, readings)
        if name:
            return name, []
        try:
            with np.errstate(all="ignore"), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return None, find.symptoms(trial, outcomes, readings, lambda: trial.changed)
        except Exception:  # a sentence less, and never a mark
            return None, []


def _recognise(trial: Trial, outcomes: list[Outcome], readings: list[Reading]) -> str | None:
    """The misconception whose outputs these are, in every case; where it would raise, the student's must not be readable."""
    known = [i for i, case in enumerate(trial.cases) if case["held"] is None]
    for name in trial.says if known else ():
        if all(_is_output_of(trial.mistaken[i][name], outcomes[i], readings[i], trial.tolerance) for i in known):
            return name
    return None


def _is_output_of(wrong: Any, outcome: Outcome, reading: Reading, tolerance: float) -> bool:
    value, complaint = reading
    if isinstance(wrong, Raised):
        return bool(complaint) or isinstance(value, Raised)
    if outcome.state != State.RETURNED:
        return False
    try:
        return same(read(outcome.value, wrong), wrong, tolerance)
    except Unreadable:
        return False


def _state(score: float, points: float, outcomes: list[Outcome], failed: list[Outcome]) -> State:
    if score == points:
        return State.RIGHT
    if all(outcome.state == State.NOT_ATTEMPTED for outcome in outcomes):
        return State.NOT_ATTEMPTED
    if score > 0:
        return State.PARTIAL
    states = [outcome.state for outcome in failed]
    for state in (State.CRASHED, State.TIMED_OUT, State.FLOODED, State.NOT_CALLABLE, State.CLOSED, State.RAISED):
        if state in states:
            return state
    return State.UNREADABLE if len(failed) == len(outcomes) else State.WRONG


def _message(
    trial: Trial, state: State, misconception: str | None, symptoms: list[str], rows: list[Row], outcomes: list[Outcome]
) -> str:
    if state == State.RIGHT:
        message = "Right."
    elif misconception:
        message = trial.says[misconception]
    elif symptoms:
        message = " ".join(says[:1].upper() + says[1:] for says in symptoms)
    else:
        whole = len({outcome.message for outcome in outcomes}) == 1 and outcomes[0].message  # whatever the case
        said = whole or next(row.comment for row in rows if row.earned < row.points)
        message = said[:1].upper() + said[1:]
    changed = next((outcome.changed for outcome in outcomes if outcome.changed), None)
    if changed and "in place; work on" not in message:
        message += f" Note that your function {_changes(changed)}."
    return message


def _changes(names: list[str]) -> str:
    one = len(names) == 1
    which = names[0] if one else f"{', '.join(names[:-1])} and {names[-1]}"
    return f"changes its input{'' if one else 's'} {which} in place; work on {'a copy' if one else 'copies'}"
