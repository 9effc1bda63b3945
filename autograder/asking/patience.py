"""How long a student's code may take: so many seconds of a processor, and a few times as many by the clock.

A processor's time is the code's own: another program on the machine, or another submission, does not use it up. The clock is
the backstop for code that waits instead of computing.
"""

from __future__ import annotations

import contextlib
import signal
import threading
import time
from collections.abc import Iterator

PATIENCE = 3  # seconds by the clock for each second of a processor
AGAIN = 0.5  # seconds after which a limit speaks again, should a bare `except:` eat the first time


class OutOfTime(BaseException):
    """The time is up. Not an `Exception`, so that an honest `except Exception` lets it through."""


class Budget:
    """So many seconds, for all that is run within them: `of_processor` and `by_clock` say how much is left of each."""

    def __init__(self, seconds: float):
        self.seconds = seconds
        self._processor, self._clock = time.process_time() + seconds, time.monotonic() + PATIENCE * seconds

    @property
    def of_processor(self) -> float:
        return self._processor - time.process_time()

    @property
    def by_clock(self) -> float:
        return self._clock - time.monotonic()

    @property
    def spent(self) -> bool:
        return min(self.of_processor, self.by_clock) <= 0


@contextlib.contextmanager
def within(budget: Budget, most: float = float("inf")) -> Iterator[None]:
    """Raise `OutOfTime` in the body when the budget, or `most` seconds of it, is used up, where the platform allows it."""
    possible = hasattr(signal, "setitimer") and threading.current_thread() is threading.main_thread()
    if not possible:
        yield
        return

    def interrupt(*_: object) -> None:
        raise OutOfTime

    begun, kinds = time.monotonic(), (signal.SIGPROF, signal.SIGALRM)
    previous = {kind: signal.signal(kind, interrupt) for kind in kinds}
    signal.setitimer(signal.ITIMER_PROF, max(min(budget.of_processor, most), 0.01), AGAIN)
    outer, every = signal.setitimer(signal.ITIMER_REAL, max(min(budget.by_clock, PATIENCE * most), 0.01), AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)
        for kind in kinds:
            signal.signal(kind, signal.SIG_DFL if previous[kind] is None else previous[kind])
        if outer:  # somebody else's limit, which goes on
            signal.setitimer(signal.ITIMER_REAL, max(outer - (time.monotonic() - begun), 0.001), every)
