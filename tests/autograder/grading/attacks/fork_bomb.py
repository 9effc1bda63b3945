"""Fork without an end; every fork forks."""

import os
import time

end = time.monotonic() + 1.5
while time.monotonic() < end:
    try:
        os.fork()
    except OSError:
        time.sleep(0.05)
succeeded = []
if os.getpid() != 1:
    time.sleep(60)
