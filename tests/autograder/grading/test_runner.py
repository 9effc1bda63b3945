"""An answer that ends its process: what the system did is tried again, what the answer does each time is its own doing."""

import os
import signal

import pytest

from autograder.asking.wire import HEAD_SIZE, decode, lengths
from autograder.grading.inside import runner

SOON = {"demonstrated": [], "seconds": 5.0}


def asked(function):
    """What comes back for two questions, the first of them answered by `function`."""
    question = {"id": "a", "name": "f", "probe": "calling.call", "inputs": [{"x": 1}], "seed": 0} | SOON
    questions, frames = [question, question | {"id": "b", "name": "g"}], []
    while questions:
        questions = questions[runner._in_a_fork(questions, {"f": function, "g": lambda x: x}, frames.append) :]
    found = []
    for frame in frames:
        text, _ = lengths(frame[:HEAD_SIZE])
        found.append(decode(frame[HEAD_SIZE : HEAD_SIZE + text], frame[HEAD_SIZE + text :]))
    return [one.get("instead") or one["outcomes"][0]["state"] for one in found]


@pytest.mark.parametrize(("ends", "states"), [
    (lambda: os.kill(os.getpid(), signal.SIGKILL), ["returned", "returned"]),
    (lambda: signal.raise_signal(signal.SIGALRM), ["returned", "returned"]),  # the clock, on a machine that others keep busy
    (lambda: os._exit(1), ["crashed", "returned"]),
    (lambda: os.kill(os.getpid(), signal.SIGTERM), ["crashed", "returned"]),
])  # fmt: skip
def test_what_others_stopped_is_asked_again_and_what_ended_itself_is_not(tmp_path, ends, states):
    def answer(x):
        if not (tmp_path / "been").exists():
            (tmp_path / "been").write_text("here")
            ends()
        return x

    assert asked(answer) == states


def test_who_is_killed_each_time_has_done_it_and_the_next_exercise_is_answered():
    assert asked(lambda x: os.kill(os.getpid(), signal.SIGKILL)) == ["crashed", "returned"]
