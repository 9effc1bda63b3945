"""Frames over a socket, from both sides of the wall: what is sent is data, and every wait has an end."""

from __future__ import annotations

import socket
import time
from typing import Any

from autograder.asking.wire import HEAD_SIZE, decode, encode, lengths

FORK, DONE = b"F", b"D"  # what the judge says to the warm process: fork for a submission, and that it is done with it


class Closed(ConnectionError):
    """The other side hung up, or died."""


class Channel:
    """Frames over a stream socket. Each wait has a deadline (of `time.monotonic`); a late other side is a `TimeoutError`."""

    def __init__(self, sock: socket.socket):
        self.sock = sock

    def send(self, value: Any, deadline: float) -> None:
        self.send_frame(encode(value), deadline)

    def send_frame(self, frame: bytes, deadline: float) -> None:
        view = memoryview(frame)
        try:
            while view:
                self.sock.settimeout(max(deadline - time.monotonic(), 0.001))
                view = view[self.sock.send(view[:1 << 20]):]
        except TimeoutError:
            raise
        except OSError as error:
            raise Closed(str(error)) from None

    def receive(self, deadline: float) -> Any:
        text, blob = lengths(self._exactly(HEAD_SIZE, deadline))
        return decode(self._exactly(text, deadline), self._exactly(blob, deadline))

    def _exactly(self, size: int, deadline: float) -> bytes:
        parts = bytearray()
        try:
            while len(parts) < size:
                self.sock.settimeout(max(deadline - time.monotonic(), 0.001))
                part = self.sock.recv(min(size - len(parts), 1 << 20))
                if not part:
                    raise Closed("the other side hung up")
                parts += part
        except (TimeoutError, Closed):
            raise
        except OSError as error:
            raise Closed(str(error)) from None
        return bytes(parts)

    def close(self) -> None:
        self.sock.close()
