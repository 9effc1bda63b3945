"""Write nonsense to every open file, the judge's channel among them: no frame, a huge frame, a frame that never ends."""

import os

for fd in range(3, 64):
    try:
        os.write(fd, b"FTC1\x00\x00\x10\x00\x00\x00\x00\x00" + b"{" * 200)
        os.write(fd, b"FTC1\xff\xff\xff\xff\xff\xff\xff\xff" + b"\x00" * 5000)
    except OSError:
        pass
