"""Leave a process behind that outlives the submission: forked twice, in a session of its own, deaf to signals."""

import contextlib
import os
import signal
import sys

for _ in range(3):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            for number in range(1, 32):
                with contextlib.suppress(OSError, ValueError):
                    signal.signal(number, signal.SIG_IGN)
            forever = "import time\nwhile True: time.sleep(1)  # course-attack-daemon"
            os.execv(sys.executable, [sys.executable, "-S", "-c", forever])
        os._exit(0)
