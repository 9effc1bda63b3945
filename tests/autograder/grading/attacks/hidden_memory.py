"""Keep memory where nobody counts it: in files without a name, and in System V segments."""

import ctypes
import os

succeeded = []
try:
    handle = os.memfd_create("hidden")
    os.write(handle, b"x" * (50 << 20))
    succeeded.append("memfd")
except OSError:
    pass
libc = ctypes.CDLL(None, use_errno=True)
if libc.shmget(0, ctypes.c_size_t(50 << 20), 0o1600) >= 0:
    succeeded.append("System V")
