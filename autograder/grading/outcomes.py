"""What came back from the sandbox, as outcomes for the judge. Everything in it may have been made up by the submission."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from autograder.asking.ask import PRINT_LIMIT, Outcome
from autograder.asking.state import State
from autograder.judging.judge import not_answered
from autograder.judging.trial import Trial
from autograder.notebooks.names import Ran, not_asked

STATES = (State.RETURNED, State.NOT_ATTEMPTED, State.RAISED, State.CLOSED, State.TIMED_OUT, State.FLOODED, State.NOT_CALLABLE)
TEXT_MOST = 500  # characters of a message
INSTEAD = {  # for an exercise that was not answered at all
    State.TIMED_OUT: "no answer came in time: look for a loop that never ends",
    State.CRASHED: "the Python process ended while it ran this: look for an exit, a crash, or too much memory",
    State.FLOODED: "it answered with more than anybody can read",
    State.UNREADABLE: "what came back is no answer",
}


def instead(trial: Trial, state: str, message: str = "") -> list[Outcome]:
    """One outcome for each case when there is no answer."""
    return not_answered(trial, State(state), message or INSTEAD[state])


def outcomes_of(trial: Trial, answer: Any, ran: Sequence[Ran]) -> list[Outcome]:
    """The outcomes in `answer`, checked. `ran`: the cells of the submission, of which one should define the function."""
    if not isinstance(answer, dict) or answer.get("id") != trial.id:
        return instead(trial, State.UNREADABLE)
    state = _text(answer, "instead")
    told = not_asked(trial.name, state != "missing", ran)
    if told:
        return instead(trial, *told)
    if state in INSTEAD:
        return instead(trial, state)
    found = answer.get("outcomes")
    if not isinstance(found, list) or len(found) != len(trial.cases):
        return instead(trial, State.UNREADABLE)
    return [_outcome(item, case) for item, case in zip(found, trial.cases, strict=True)]


def _outcome(item: Any, case: dict[str, Any]) -> Outcome:
    if not isinstance(item, dict) or _text(item, "state") not in STATES:
        return Outcome(State.UNREADABLE, message=INSTEAD[State.UNREADABLE])
    changed = item.get("changed")
    changed = [name for name in case["inputs"] if name in changed] if isinstance(changed, list) else []
    message, printed = _text(item, "message")[:TEXT_MOST], _text(item, "printed")[:PRINT_LIMIT]
    return Outcome(State(item["state"]), item.get("value"), message, printed, changed, _text(item, "error")[:TEXT_MOST])


def _text(item: dict[str, Any], key: str) -> str:
    value = item.get(key)
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""
