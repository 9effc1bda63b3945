"""Asking a student's function: one call, guarded, and an outcome that is always data.

Whatever the function does (raise, print without end, loop, warn, change its inputs, return nothing) ends in an `Outcome`.
Nothing here knows the right answer: the judge reads outcomes later, and may live in another process.
"""

from __future__ import annotations

import contextlib
import copy
import io
import linecache
import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from autograder.asking.state import State
from autograder.asking.values import copied, plain, same

SECONDS = 10.0  # for all cases of one exercise together
PRINT_LIMIT = 20_000  # characters
TEXT_STUB = "Write your answer here."  # what the handed-out written answers read
OURS = os.path.dirname(__file__)  # whose lines are no use to a student
STUB = "write your answer here, then run the check below"  # what the handed-out functions raise


@dataclass
class Outcome:
    """What one call came to. `state`: returned, not attempted, raised, timed out, flooded or not callable."""

    state: str
    value: Any = None
    message: str = ""  # one sentence for the student when the state is not `returned`
    printed: str = ""
    changed: list[str] = field(default_factory=list)  # names of inputs that the function changed in place


class _OutOfTime(BaseException):
    pass


class _Flooded(BaseException):
    pass


class _Bounded(io.StringIO):
    """A text buffer that stops whoever writes too much into it: a loop that prints must come to an end."""

    def write(self, text: str) -> int:
        if self.tell() + len(text) > PRINT_LIMIT:
            raise _Flooded
        return super().write(text)


def ask_all(answer: Any, probe: Callable, inputs: list[dict[str, Any]], seconds: float = SECONDS) -> list[Outcome]:
    """Ask `answer` once for each set of inputs, within one time budget for all of them."""
    if not callable(answer):
        message = f"expected a function, came {type(answer).__name__}: pass the function itself, without calling it"
        return [Outcome(State.NOT_CALLABLE, message=message) for _ in inputs]
    deadline = time.monotonic() + seconds
    outcomes: list[Outcome] = []
    for given in inputs:
        if outcomes and outcomes[-1].state in (State.TIMED_OUT, State.FLOODED):
            outcomes.append(copy.copy(outcomes[-1]))  # a loop costs one limit, not one a case
        else:
            outcomes.append(_ask(answer, probe, given, max(deadline - time.monotonic(), 0.01), seconds))
    return outcomes


def _ask(answer: Any, probe: Callable, inputs: dict[str, Any], left: float, seconds: float) -> Outcome:
    given = copied(inputs)
    buffer = _Bounded()
    try:
        with (
            contextlib.redirect_stdout(buffer),
            contextlib.redirect_stderr(buffer),
            warnings.catch_warnings(record=True) as warned,
            _time_limit(left),
        ):
            warnings.simplefilter("always")
            value = probe(answer, given)
    except _OutOfTime:
        message = f"no answer after {seconds:g} seconds: look for a loop that never ends"
        return Outcome(State.TIMED_OUT, message=message, printed=buffer.getvalue())
    except _Flooded:
        message = f"it printed more than {PRINT_LIMIT:,} characters, so it was stopped: look for a print inside a loop"
        return Outcome(State.FLOODED, message=message, printed=buffer.getvalue()[:200])
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # SystemExit too: exit() in an answer must not end the kernel
        if isinstance(error, NotImplementedError) and str(error) in ("", STUB):  # torch raises it too, with its own text
            return Outcome(State.NOT_ATTEMPTED, message="not attempted yet: write your answer in the cell above and run it")
        return Outcome(State.RAISED, message=_say(error), printed=buffer.getvalue())
    printed = buffer.getvalue() + "".join(f"warning: {w.message}\n" for w in warned)
    return Outcome(State.RETURNED, value, printed=printed, changed=_changed(inputs, given))


def _changed(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The inputs that the call changed in place. Inputs are ours, so `plain` can read what is left of them."""
    names = []
    for name, value in before.items():
        try:
            untouched = same(plain(after[name]), plain(value), tolerance=0.0)
        except Exception:  # not numbers (a stream, a generator): equality is all we can ask
            untouched = True
        if not untouched:
            names.append(name)
    return names


def _say(error: BaseException) -> str:
    """`it raised KeyError: 'x' (line 7: y = table['x'])`: the last line of the student's own code is the useful one."""
    text = " ".join(str(error).split())[:300]
    where = ""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if os.path.dirname(f.filename) != OURS]
    own = [f for f in frames if "site-packages" not in f.filename and "/lib/python" not in f.filename] or frames
    if own and own[-1].lineno:
        line = own[-1].line or linecache.getline(own[-1].filename, own[-1].lineno)
        where = f" (line {own[-1].lineno}: `{line.strip()}`)" if line and line.strip() else ""
    return f"it raised {type(error).__name__}{': ' + text if text else ''}{where}"


@contextlib.contextmanager
def _time_limit(seconds: float) -> Iterator[None]:
    """Interrupt the body after `seconds`, where the platform and the thread allow it; elsewhere do nothing."""
    possible = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not possible:
        yield
        return

    def interrupt(*_: object) -> None:
        raise _OutOfTime

    previous = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, 0.5)  # again every half second, should a bare `except:` eat the first
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
