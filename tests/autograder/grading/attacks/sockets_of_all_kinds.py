"""Talk to the machine below, to the kernel's ciphers, to the wire."""

import socket

succeeded = []
for family in (17, 29, 31, 38, 40, 42, 44):  # PACKET, CAN, BLUETOOTH, ALG, VSOCK, QIPCRTR, XDP
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW, socket.SOCK_SEQPACKET):
        try:
            socket.socket(family, kind)
            succeeded.append((family, kind))
        except OSError:
            pass
