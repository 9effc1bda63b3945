"""Take all memory in maps that processes share, which no process's own size counts."""

import mmap
import os
import time

for _ in range(6):
    if os.fork() == 0:
        shared = mmap.mmap(-1, 150 << 20)
        for start in range(0, 150 << 20, 4096):
            shared[start] = 1
        time.sleep(60)
        os._exit(0)
time.sleep(60)
