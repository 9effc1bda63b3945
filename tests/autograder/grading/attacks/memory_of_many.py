"""Take all memory in many processes, each of which keeps to its own limit."""

import os
import time

for _ in range(9):
    if os.fork() == 0:
        kept = bytearray(b"x") * (100 << 20)
        time.sleep(60)
        os._exit(len(kept) > 0)
time.sleep(60)
