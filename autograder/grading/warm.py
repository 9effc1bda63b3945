"""The judge's end of the warm process: start it, have it fork for a submission, have the fork ended.

What is heard here on the control socket comes from the warm process itself and can be believed. What comes on the channel of
a fork may be made up by the submission.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from autograder.asking.wire import Malformed
from autograder.grading import sandbox
from autograder.grading.enclosure import SandboxUnavailable, refused
from autograder.grading.inside.channel import DONE, FORK, Channel
from autograder.grading.inside.limits import Limits

START_SECONDS = 180.0  # for the imports, on a busy machine without compiled bytecode
END_SECONDS = 30.0  # for ending a fork and everything that it started
REFUSALS = ("bwrap:", "mount:", "setpriv:", "sh:", "/bin/sh:")  # who speaks when the machine refuses the sandbox


class Infrastructure(RuntimeError):
    """Something of ours failed, not of the student's. Nothing is scored; try again."""


class Lost(Exception):
    """The warm process is not there any more."""


class Warm:
    """A warm process that has run the statements in `imports`, and cannot import the modules in `closed`.

    Raises:
        SandboxUnavailable: when this machine cannot enclose it.
        Lost: when it does not come to life.
    """

    def __init__(self, imports: list[str], closed: list[str], limits: Limits, sandboxed: bool):
        try:
            self._process = sandbox.start(closed, limits, sandboxed)
        except OSError as error:
            raise Infrastructure(f"the process that runs submissions could not be started: {error}") from error
        self._control = Channel(self._process.control)
        self.ended: dict[str, Any] = {}  # how the last fork ended
        setup = {"imports": imports, "closed": closed, "limits": asdict(limits), "enclosed": sandboxed}
        try:
            self._control.send(setup, time.monotonic() + START_SECONDS)
            self.ready = self._control.receive(time.monotonic() + START_SECONDS)
        except (OSError, Malformed) as error:
            said = self.end()
            if sandboxed and said.startswith(REFUSALS):
                raise SandboxUnavailable(refused(said)) from None
            raise Lost(said or str(error)) from None
        if "refused" in self.ready:
            self.end()
            raise SandboxUnavailable(refused(self.ready["refused"]))

    def alive(self) -> bool:
        return self._process.process.poll() is None

    def end(self) -> str:
        """End it, and return what it said on stderr."""
        return self._process.end()

    @contextmanager
    def fork(self) -> Iterator[Channel]:
        """The channel of a fork; the fork ends with the block, and `ended` says how it went.

        Raises:
            Lost: when the warm process, or the fork, is killed meanwhile by somebody else.
            Infrastructure: when the fork could not be enclosed; nothing of the submission has run.
        """
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._process.control, [FORK], [theirs.fileno()])
        except OSError as error:
            ours.close()
            raise Lost(str(error)) from error
        try:
            yield Channel(ours)
        finally:
            ours.close()
            self.ended = self._end_fork()
        if "failed" in self.ended:
            raise Infrastructure(f"a submission could not be enclosed: {self.ended['failed']}")
        if self.ended["killed"]:  # by nobody inside, for they cannot; most likely by a system without memory
            raise Lost("a fork was killed from outside")

    def _end_fork(self) -> dict[str, Any]:
        deadline = time.monotonic() + END_SECONDS
        try:
            self._process.control.sendall(DONE)
            return self._control.receive(deadline)
        except (OSError, Malformed) as error:
            raise Lost(str(error)) from error
