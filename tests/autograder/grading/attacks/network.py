"""Reach the judge's machine and the world: a server on loopback, a Unix socket, an abstract socket, a name, a raw packet."""

import contextlib
import socket
import subprocess

succeeded = []
for family, kind, address in [
    (socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", SERVER_PORT)),  # noqa: F821
    (socket.AF_INET, socket.SOCK_STREAM, ("192.0.2.1", 80)),
    (socket.AF_UNIX, socket.SOCK_STREAM, "\0course-attack"),
    (socket.AF_UNIX, socket.SOCK_STREAM, CLASS_ON_DISK + "/socket"),  # noqa: F821
]:
    with contextlib.suppress(OSError), socket.socket(family, kind) as sock:
        sock.settimeout(1)
        sock.connect(address)
        succeeded.append(address)
with contextlib.suppress(OSError):
    succeeded.append(socket.getaddrinfo("example.org", 80))
with contextlib.suppress(OSError):
    socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP).close()
    succeeded.append("raw socket")
with open("/proc/net/dev") as file:
    succeeded += [line for line in file.read().splitlines()[2:] if not line.strip().startswith("lo:")]
succeeded += [1] if subprocess.run(["getent", "hosts", "example.org"], capture_output=True).stdout else []
