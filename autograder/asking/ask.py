"""Asking a student's function: one call, guarded, and an outcome that is always data.

Whatever the function does (raise, print without end, loop, warn, change its inputs, return nothing) ends in an `Outcome`.
Nothing here knows the right answer: the judge reads outcomes later, and may live in another process.
"""

from __future__ import annotations

import contextlib
import copy
import io
import warnings
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from autograder.asking.closing import ClosedModule, holds_stand_in
from autograder.asking.coerce import ROOM, coerce
from autograder.asking.fresh import fresh
from autograder.asking.inputs import copied, untouched
from autograder.asking.patience import Budget, OutOfTime, within
from autograder.asking.raised import name_of, say, text_of
from autograder.asking.state import State
from autograder.asking.stubs import STUB

SECONDS = 10.0  # for all cases of one exercise together
PRINT_LIMIT = 20_000  # characters
MAKE_IT = "make what you need in a cell of your own"


@dataclass
class Outcome:
    """What one call came to. `state`: returned, not attempted, raised, closed, timed out, flooded or not callable."""

    state: State
    value: Any = None  # plain data that shares nothing with what was returned (see `coerce`)
    message: str = ""  # one sentence for the student when the state is not `returned`
    printed: str = ""
    changed: list[str] = field(default_factory=list)  # names of inputs that the function changed in place
    error: str = ""  # the nearest built-in type of the exception, when the state is `raised`
    missing: str = ""  # the name, where that is a NameError


class _Flooded(BaseException):
    pass


class _Bounded(io.StringIO):
    """A text buffer that stops whoever writes too much into it: a loop that prints must come to an end."""

    def write(self, text: str) -> int:
        if self.tell() + len(text) > PRINT_LIMIT:
            raise _Flooded
        return super().write(text)


def ask_all(
    answer: Any, probe: Callable, inputs: list[dict[str, Any]], seconds: float = SECONDS, seed: int = 0,
    demonstrated: Collection[str] = (),
) -> list[Outcome]:
    """Ask `answer` once for each set of inputs, within one time budget for all of them.

    `seed` is what the generators begin with. `demonstrated` are names that only a demonstration has made, and that are
    therefore not there: who uses one is told so.
    """
    if not callable(answer):
        message = f"expected a function, came {type(answer).__name__}: pass the function itself, without calling it"
        return [Outcome(State.NOT_CALLABLE, message=message) for _ in inputs]
    budget, room = Budget(seconds), [ROOM]
    outcomes: list[Outcome] = []
    with fresh(seed):
        for given in inputs:
            if outcomes and outcomes[-1].state in (State.TIMED_OUT, State.FLOODED):
                outcomes.append(copy.copy(outcomes[-1]))  # a loop costs one limit, not one a case
            else:
                outcomes.append(_ask(answer, probe, given, room, budget))
    for outcome in outcomes:
        if outcome.error == "NameError" and outcome.missing in demonstrated:
            outcome.message += f"; {outcome.missing} was made by a demonstration, which is not run when this is marked: {MAKE_IT}"
    return outcomes


def _ask(answer: Any, probe: Callable, inputs: dict[str, Any], room: list[int], budget: Budget) -> Outcome:
    given, buffer = copied(inputs), _Bounded()
    try:
        with (
            contextlib.redirect_stdout(buffer),
            contextlib.redirect_stderr(buffer),
            warnings.catch_warnings(record=True) as warned,
            within(budget),
        ):
            warnings.simplefilter("always")
            outcome = _call(answer, probe, given, room)
    except OutOfTime:
        message = f"no answer after {budget.seconds:g} seconds: look for a loop that never ends"
        return Outcome(State.TIMED_OUT, message=message, printed=buffer.getvalue())
    except _Flooded:
        message = f"it printed more than {PRINT_LIMIT:,} characters, so it was stopped: look for a print inside a loop"
        return Outcome(State.FLOODED, message=message, printed=buffer.getvalue()[:200])
    outcome.printed = buffer.getvalue() + "".join(f"warning: {text_of(w.message)}\n" for w in warned)
    if outcome.state == State.RETURNED:
        outcome.changed = [name for name in inputs if not untouched(inputs[name], given[name])]
    return outcome


def _call(answer: Any, probe: Callable, given: dict[str, Any], room: list[int]) -> Outcome:
    """The call itself; reading what it returned may run the student's code too, so it belongs in here."""
    try:
        value = probe(answer, given)
    except (OutOfTime, _Flooded, KeyboardInterrupt):
        raise
    except BaseException as error:  # SystemExit too: exit() in an answer must not end the kernel
        if isinstance(error, NotImplementedError) and text_of(error) in ("", STUB):  # torch raises it too, with its own text
            return Outcome(State.NOT_ATTEMPTED, message="not attempted yet: write your answer in the cell above and run it")
        if isinstance(error, ClosedModule):
            return Outcome(State.CLOSED, message=text_of(error), error=name_of(error))
        missing = str(error.name) if isinstance(error, NameError) else ""
        return Outcome(State.RAISED, message=say(error), error=name_of(error), missing=missing)
    taken = holds_stand_in(value)
    if taken:
        return Outcome(State.CLOSED, message=str(ClosedModule(taken)), error="ImportError")
    return Outcome(State.RETURNED, coerce(value, room))
