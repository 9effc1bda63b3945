"""Refuse the network to this Python process: whatever asks for a name or a connection outside gets an `OSError`.

`execute.run_notebook` runs this file in the kernel before the first cell. An audit hook hears of every socket, also of
those that libraries open below Python's own modules, and cannot be taken out again. Processes that a cell starts are
not heard of; on this machine (loopback, Unix sockets) everything stays allowed.
"""

import sys

ADDRESS_AT = {"socket.connect": 1, "socket.sendto": 1, "socket.sendmsg": 1}  # place of the address among the arguments
NAME_AT = {"socket.getaddrinfo": 0, "socket.gethostbyname": 0, "socket.gethostbyaddr": 0}


def refuse(event, arguments):
    if event in ADDRESS_AT:
        address = arguments[ADDRESS_AT[event]]
        host = address[0] if isinstance(address, tuple) and address else None  # a path: a Unix socket, which stays here
    elif event in NAME_AT:
        host = arguments[NAME_AT[event]]
    else:
        return
    host = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    here = not isinstance(host, str) or host in ("", "localhost", "::1", "::", "0.0.0.0") or host.startswith("127.")
    if not here:
        raise OSError(f"the network is refused here, and something asked for {host!r}: the course has to run without it")


sys.addaudithook(refuse)
