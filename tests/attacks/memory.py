"""Take all memory: in one process, in many, in /tmp and in shared memory."""

import os
import time

hoard = []
try:
    while True:
        hoard.append(bytearray(b"x") * (64 << 20))
except MemoryError:
    hoard.clear()
for _ in range(12):
    if os.fork() == 0:
        kept = bytearray(b"x") * (150 << 20)
        time.sleep(60)
        os._exit(len(kept) > 0)
time.sleep(3)
