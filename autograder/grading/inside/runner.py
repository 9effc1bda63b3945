"""One submission, in a fork of the warm process: run the cells, then answer what the judge asks.

The answers are given in a fork of that fork, one exercise after the other, as in a notebook. When an exercise crashes, hangs or
floods, it has cost itself: it is answered for, and a new fork goes on with the next. What raised in company is asked again in
a fork of its own, in case another exercise left something behind. Everything here belongs to the student: their code can
change any of it, and so forge any answer. It cannot know which answer is right.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pkgutil
import select
import signal
import socket
import time
from collections.abc import Callable
from typing import Any

import torch
from IPython.core.interactiveshell import InteractiveShell

from autograder.asking import probes
from autograder.asking.ask import Outcome, ask_all
from autograder.asking.fresh import seed_everything
from autograder.asking.patience import PATIENCE
from autograder.asking.state import State
from autograder.asking.wire import HEAD_SIZE, Malformed, encode, lengths
from autograder.grading.inside.channel import Channel
from autograder.grading.inside.limits import GRACE, Limits
from autograder.grading.inside.shell import run_cells

WENT_WELL, RAISED, WAITED = b".", b"!", b"~"
TEXT_MOST = 500  # characters of a message


def serve(sock: socket.socket, shell: InteractiveShell, limits: Limits, enclosed: bool) -> None:
    """Serve one submission on `sock`: one message brings cells and questions; one goes back after the cells, one an answer."""
    channel, end = Channel(sock), time.monotonic() + limits.submission
    work = channel.receive(end)
    seed_everything(work["seed"])
    failed = run_cells(shell, work["cells"], limits.cell, limits.cells)
    channel.send({"failed": failed}, end)
    questions = work["questions"]
    while questions:
        if enclosed:
            _end_all_others()
        answered = _in_a_fork(questions, shell.user_ns, lambda frame: channel.send_frame(frame, end))
        questions = questions[answered:]


def warm_up(shell: InteractiveShell) -> None:
    """Do once, before any fork, what every submission does first: what is loaded late is then there, and paid for once."""
    seed_everything(0)
    for file in pkgutil.iter_modules(probes.__path__):
        importlib.import_module(f"{probes.__name__}.{file.name}")
    question = {"id": "", "name": "x", "probe": "calling.call", "inputs": [{"x": torch.ones(2, 2)}], "seed": 0,
                "demonstrated": [], "seconds": 1.0}
    _answer(question, {"x": lambda x: x @ x.T + torch.softmax(x, -1)})
    run_cells(shell, [{"id": "", "source": "def x():\n    return [1]\n\nx()"}, {"id": "", "source": "del x"}], 1.0, 1.0)


def _end_all_others() -> None:
    """End what the cells, or an exercise, left running. This is the first process of its namespace, so -1 names no other."""
    with contextlib.suppress(OSError):
        os.kill(-1, signal.SIGKILL)
        while True:
            os.waitpid(-1, 0)


def _in_a_fork(questions: list[dict[str, Any]], namespace: dict[str, Any], say: Callable[[bytes], None]) -> int:
    """Answer `questions` in a fork, in order, until one ends it; that one is answered for. Returns how many were answered."""
    with _Fork(questions, namespace) as fork:
        for place, question in enumerate(questions):
            frame, state = fork.read(time.monotonic() + PATIENCE * question["seconds"] + GRACE / 2)
            ended = not frame
            odd = frame[:1] == RAISED and place > 0 or frame[:1] == WAITED
            if odd or ended and fork.was_killed():  # by a system without memory, most likely
                with _Fork([question], namespace) as alone:
                    again, then = alone.read(time.monotonic() + PATIENCE * question["seconds"] + GRACE / 2)
                frame, state = again or frame, then or state
            say(frame[1:] or _instead(question, state))
            if ended:
                return place + 1
    return len(questions)


class _Fork:
    """A fork that answers `questions` and writes a frame for each into a pipe, with one byte before it."""

    def __init__(self, questions: list[dict[str, Any]], namespace: dict[str, Any]):
        self.pipe, write = os.pipe()
        self.child = os.fork()
        if self.child == 0:
            try:
                os.close(self.pipe)
                os.setsid()
                for question in questions:
                    _write(write, _answer(question, namespace))
            finally:
                os._exit(0)
        os.close(write)

    def __enter__(self) -> _Fork:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.pipe)
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                kill(self.child, signal.SIGKILL)
        os.waitpid(self.child, 0)

    def was_killed(self) -> bool:
        """Whether it has ended by a SIGKILL, which no exception, exit or fault of its own is."""
        end = time.monotonic() + 1  # who is being killed hangs up first
        while time.monotonic() < end:
            dead = os.waitid(os.P_PID, self.child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if dead is not None:
                return (dead.si_code, dead.si_status) == (os.CLD_KILLED, signal.SIGKILL)
            time.sleep(0.01)
        return False

    def read(self, deadline: float) -> tuple[bytes, str]:
        """The next frame and the byte before it; or nothing, and why."""
        try:
            head = self._exactly(1 + HEAD_SIZE, deadline)
            text, blob = lengths(head[1:])
            return head + self._exactly(text + blob, deadline), ""
        except TimeoutError:
            return b"", State.TIMED_OUT
        except EOFError:
            return b"", State.CRASHED
        except Malformed:
            return b"", State.FLOODED

    def _exactly(self, size: int, deadline: float) -> bytes:
        data = bytearray()
        while len(data) < size:
            if not select.select([self.pipe], [], [], max(deadline - time.monotonic(), 0))[0]:
                raise TimeoutError
            part = os.read(self.pipe, min(size - len(data), 1 << 20))
            if not part:
                raise EOFError
            data += part
        return bytes(data)


def _answer(question: dict[str, Any], namespace: dict[str, Any]) -> bytes:
    if question["name"] not in namespace:
        return WENT_WELL + _instead(question, "missing")
    probe = probes.named(question["probe"])
    how = {"seconds": question["seconds"], "seed": question["seed"], "demonstrated": question["demonstrated"]}
    begun = time.process_time()
    outcomes = ask_all(namespace[question["name"]], probe, question["inputs"], **how)
    states = {outcome.state for outcome in outcomes}
    waited = State.TIMED_OUT in states and time.process_time() - begun < question["seconds"]  # by the clock, not by its own work
    flag = WAITED if waited else RAISED if State.RAISED in states else WENT_WELL
    return flag + encode({"id": question["id"], "outcomes": [_plain(outcome) for outcome in outcomes]})


def _plain(outcome: Outcome) -> dict[str, Any]:
    said = {"message": outcome.message[:TEXT_MOST], "printed": outcome.printed[:TEXT_MOST], "changed": list(outcome.changed)}
    return {"state": str(outcome.state), "value": outcome.value, "error": outcome.error} | said


def _instead(question: dict[str, Any], state: str) -> bytes:
    return encode({"id": question["id"], "instead": str(state)})


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]
