"""Read and change another process of the submission's, and of the judge's: by ptrace, by their memory, by their descriptors."""

import ctypes
import os
import signal

libc = ctypes.CDLL(None, use_errno=True)
succeeded = []
child = os.fork()
if child == 0:
    signal.pause()
    os._exit(0)
for process in (child, os.getppid(), 1):
    if process != os.getpid() and libc.ptrace(16, process, 0, 0) == 0:  # PTRACE_ATTACH
        succeeded.append(("ptrace", process))
try:
    handle = os.pidfd_open(child)
    if libc.syscall(438, handle, 0, 0) >= 0:
        succeeded.append("pidfd_getfd")
except OSError:
    pass
os.kill(child, signal.SIGKILL)
os.waitpid(child, 0)
