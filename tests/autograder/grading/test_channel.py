"""Frames over a socket: every wait has an end, and who hangs up is noticed."""

import socket
import threading
import time

import pytest
import torch

from autograder.asking.wire import encode
from autograder.grading.inside.channel import Channel, Closed


def test_a_channel_has_deadlines_and_notices_who_hangs_up():
    ours, theirs = socket.socketpair()
    channel = Channel(ours)
    with pytest.raises(TimeoutError):
        channel.receive(time.monotonic() + 0.1)
    theirs.send(encode(1)[:-1])  # all but the last byte
    with pytest.raises(TimeoutError):
        channel.receive(time.monotonic() + 0.1)
    with pytest.raises(TimeoutError):
        channel.send(torch.zeros(4_000_000), time.monotonic() + 0.1)  # nobody reads
    theirs.close()
    with pytest.raises(Closed):
        channel.receive(time.monotonic() + 1)
    with pytest.raises(Closed):
        channel.send("x" * 10_000_000, time.monotonic() + 1)


def test_a_large_frame_passes_a_small_pipe():
    ours, theirs = socket.socketpair()
    sent = torch.randn(2_000_000)
    thread = threading.Thread(target=Channel(theirs).send, args=(sent, time.monotonic() + 20))
    thread.start()
    assert torch.equal(Channel(ours).receive(time.monotonic() + 20), sent)
    thread.join()
