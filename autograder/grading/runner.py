"""One submission, in a fork of the warm process: run the cells, then answer what the judge asks.

Each exercise is answered in a fork of its own, so a crash, a hang or a flood costs that exercise and no other, and none sees
what another left behind. Everything in this process belongs to the student: their code can change any of it, and so forge any
answer. It cannot know which answer is right.
"""

from __future__ import annotations

import os
import random
import select
import signal
import socket
import time
from dataclasses import asdict
from typing import Any

import numpy as np
import torch
from IPython.core.interactiveshell import InteractiveShell

from autograder import probes
from autograder.ask import Outcome, ask_all
from autograder.grading.coerce import coerce
from autograder.grading.limits import GRACE, Limits
from autograder.grading.protocol import HEAD_SIZE, JSON_MOST, TENSORS_MOST, Channel, Malformed, encode, opaque
from autograder.grading.shell import run_cells

FRAME_MOST = HEAD_SIZE + JSON_MOST + TENSORS_MOST
TEXT_MOST = 500  # characters of a message


def serve(sock: socket.socket, shell: InteractiveShell, limits: Limits) -> None:
    """Serve one submission on `sock`: a message with cells, then one with questions; an answer for each question."""
    channel, end = Channel(sock), time.monotonic() + limits.submission
    work = channel.receive(end)
    seed_everything(work["seed"])
    failed = run_cells(shell, work["cells"], limits.cell, limits.cells)
    channel.send({"failed": failed}, end)
    for question in channel.receive(end)["questions"]:
        channel.send_frame(_in_a_fork(question, shell.user_ns, limits), end)


def seed_everything(seed: int) -> None:
    """Python's generator, NumPy's and torch's: what is random in a fork is the same in every run with this seed."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def _in_a_fork(question: dict[str, Any], namespace: dict[str, Any], limits: Limits) -> bytes:
    """The frame that answers `question`. A fork that dies, or says nothing in time, is answered for."""
    if question["name"] not in namespace:
        return _instead(question, "missing")
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            os.setsid()
            _write(write, _answer(question, namespace[question["name"]], limits.exercise))
        finally:
            os._exit(0)
    os.close(write)
    frame, state = _read(read, time.monotonic() + limits.exercise + GRACE / 2)
    os.close(read)
    for kill in (os.killpg, os.kill):
        try:
            kill(child, signal.SIGKILL)
        except OSError:
            pass
    os.waitpid(child, 0)
    return frame or _instead(question, state)


def _answer(question: dict[str, Any], function: Any, seconds: float) -> bytes:
    seed_everything(question["seed"])
    outcomes = ask_all(function, getattr(probes, question["probe"]), question["inputs"], seconds)
    try:
        return encode({"id": question["id"], "outcomes": [_plain(outcome) for outcome in outcomes]})
    except Malformed:  # together they are too large
        return encode({"id": question["id"], "outcomes": [_plain(outcome) | {"value": opaque("large")} for outcome in outcomes]})


def _plain(outcome: Outcome) -> dict[str, Any]:
    said = {"message": outcome.message[:TEXT_MOST], "printed": outcome.printed[:TEXT_MOST], "changed": list(outcome.changed)}
    return asdict(Outcome(outcome.state)) | said | {"value": coerce(outcome.value)}


def _instead(question: dict[str, Any], state: str) -> bytes:
    return encode({"id": question["id"], "instead": state})


def _write(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view):]


def _read(fd: int, deadline: float) -> tuple[bytes, str]:
    """Everything that comes before `deadline`, or nothing and why."""
    data = bytearray()
    while True:
        ready, _, _ = select.select([fd], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            return b"", "timed out"
        part = os.read(fd, 1 << 20)
        if not part:
            return bytes(data), "crashed"
        data += part
        if len(data) > FRAME_MOST:
            return b"", "flooded"
