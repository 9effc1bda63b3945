"""What became of an answer: the one vocabulary, from the call in the kernel to the report about the class."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """The state of one call (an `Outcome`), of one exercise (a `Report`, a `Mark`), or of both."""

    RETURNED = "returned"  # one call: it gave something back
    RIGHT = "right"
    PARTIAL = "partial"  # some parts are right
    WRONG = "wrong"
    NOT_ATTEMPTED = "not attempted"
    RAISED = "raised"
    CLOSED = "closed"  # it used what holds the answer
    TIMED_OUT = "timed out"
    FLOODED = "flooded"  # it printed without an end
    CRASHED = "crashed"  # the process ended
    UNREADABLE = "unreadable"  # it gave back something else than was asked for
    NOT_CALLABLE = "not callable"
    WRITTEN = "written"  # answered in words, for a person to read
    NOT_MARKED = "not marked"  # nothing can be said: a check was lost, or gave no score
