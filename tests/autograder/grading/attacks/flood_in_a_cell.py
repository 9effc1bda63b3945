"""Print 200 MB on one line, to Python's stdout, to the real one, and to stderr."""

import os
import sys

print("x" * 200_000_000)
sys.stderr.write("y" * 100_000_000)
for _ in range(200):
    os.write(1, b"z" * 1_000_000)
