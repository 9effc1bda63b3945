"""Fill every disk that can be written to."""

import os

for folder in ("/tmp", "/dev/shm", "/", "/course", "."):
    for number in range(4):
        try:
            with open(os.path.join(folder, f"full-{number}"), "wb") as file:
                for _ in range(1000):
                    file.write(b"x" * (1 << 20))
        except OSError:
            pass
for number in range(100_000):
    try:
        open(f"/tmp/inode-{number}", "w").close()
    except OSError:
        break
