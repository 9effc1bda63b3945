"""The warm process, started in its sandbox or, where somebody chose that, without one.

`staging` says what of ours is in the sandbox, `mounts` how it is built, `enclosure` whether this machine can build it.
"""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from autograder.grading.enclosure import possible
from autograder.grading.inside.limits import Limits
from autograder.grading.mounts import ENVIRONMENT, bwrap
from autograder.grading.staging import stage


@dataclass
class Process:
    """A started warm process: its control socket, what it says on stderr, and the folder it may still need."""

    process: subprocess.Popen
    control: socket.socket
    stderr: IO[bytes]
    staged: tempfile.TemporaryDirectory

    def end(self) -> str:
        """End it and everything in it; return what it said on stderr."""
        self.control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)  # it ends by itself when nobody holds the other end of the control socket
        self.process.kill()
        self.process.wait()
        self.stderr.seek(0)
        said = self.stderr.read()[-2000:].decode("utf-8", "replace").strip()
        self.stderr.close()
        self.staged.cleanup()
        return said


def start(closed: Iterable[str], limits: Limits, sandboxed: bool) -> Process:
    """Start a warm process that waits for its first message on the control socket.

    Args:
        closed: modules of `courselib` that are not to be there.
        sandboxed: False runs it as a plain child of this process, for machines that have no namespaces.

    Raises:
        SandboxUnavailable: when there cannot be a sandbox here. (When the system refuses it, the process ends at once.)
    """
    if sandboxed:
        possible()
    with contextlib.ExitStack() as undo:  # whatever fails, nothing that was opened here stays open
        ours, theirs = socket.socketpair()
        undo.callback(ours.close)
        undo.callback(theirs.close)
        staged = tempfile.TemporaryDirectory(prefix="course-sandbox-")
        undo.callback(staged.cleanup)
        stderr = undo.enter_context(tempfile.TemporaryFile())
        half, fd = stage(Path(staged.name), sandboxed), theirs.fileno()
        main = [sys.executable, "-s", "-P", "-m", "autograder.grading.inside.zygote", str(fd)]
        path = {"PATH": os.environ.get("PATH", os.defpath)}
        command = bwrap(half, list(closed), limits, main) if sandboxed else main
        environment = path if sandboxed else ENVIRONMENT | path | {"PYTHONPATH": str(half)}
        process = subprocess.Popen(command, pass_fds=[fd], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                                   env=environment, cwd="/", start_new_session=True)
        undo.pop_all()  # from here on it is the process's own, and `Process.end` closes it
        theirs.close()
    return Process(process, ours, stderr, staged)
