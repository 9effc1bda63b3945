"""A judge at work beside a class, for the tests that attack it: whatever is handed in, everybody else keeps their marks."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading

import pytest

from autograder.grading.enclosure import SandboxUnavailable
from autograder.grading.graded import Graded, to_plain
from autograder.grading.grader import Grader
from autograder.grading.inside.limits import Limits
from needs import lack
from submissions import data, released, right

QUICKSTART = "00_quickstart"
LIMITS = Limits(cell=2, cells=6, exercise=2, submission=30, memory=300 << 20, total_memory=600 << 20, disk=32 << 20, processes=24)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A class folder with a gradebook, beside which the judge works; a secret in its environment; a server on loopback."""
    folder = tmp_path_factory.mktemp("class")
    (folder / "gradebook.db").write_bytes(b"nobody writes here")
    (folder / "source").mkdir()
    os.environ["COURSE_SECRET"] = "hunter2"
    yield folder
    del os.environ["COURSE_SECRET"]


@pytest.fixture(scope="module")
def server(place):
    """Who listens where the judge runs, and who came."""
    came = []
    sockets = [socket.create_server(("127.0.0.1", 0))]
    for address in ("\0course-attack", str(place / "socket")):
        sockets.append(socket.socket(socket.AF_UNIX))
        sockets[-1].bind(address)
        sockets[-1].listen()

    def listen(sock):
        with contextlib.suppress(OSError):  # closed, at the end
            while True:
                came.append(sock.accept())

    for sock in sockets:
        threading.Thread(target=listen, args=(sock,), daemon=True).start()
    yield sockets[0].getsockname()[1], came
    for sock in sockets:
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()


@pytest.fixture(scope="module")
def grader(place):
    try:
        with Grader(released(QUICKSTART), limits=LIMITS) as one:
            yield one
    except SandboxUnavailable as error:
        lack(str(error))


@pytest.fixture(scope="module")
def before(grader):
    return marks(grader.grade(data(right(QUICKSTART)), seed=1))


@pytest.fixture
def attack(grader, before, place, server):
    """Grade a submission, and see that everybody else's marks are as they were."""

    def grade(submitted: bytes, seed: int = 5) -> Graded:
        files = sorted(place.rglob("*"))
        graded = grader.grade(submitted, seed)
        json.dumps(to_plain(graded))
        assert graded.sandboxed
        assert marks(grader.grade(data(right(QUICKSTART)), seed=1)) == before
        assert (place / "gradebook.db").read_bytes() == b"nobody writes here"
        assert sorted(place.rglob("*")) == files
        assert server[1] == []
        return graded

    return grade


def marks(graded: Graded):
    return {i: (r.state, r.score, r.misconception, r.seed) for i, r in graded.reports.items()}
