"""Read secrets: from the environment, from the environment of every process, from files that hold some."""

import glob
import os

succeeded = [name for name, value in os.environ.items() if "hunter2" in value]
FILES = ["/etc/shadow", "/etc/passwd", "/root/.ssh", "/root/.netrc"]
for path in [*glob.glob("/proc/*/environ"), *glob.glob("/proc/*/cmdline"), *FILES]:
    try:
        with open(path, "rb") as file:
            text = file.read()
    except OSError:
        continue
    if b"hunter2" in text or path.startswith(("/etc", "/root")):
        succeeded.append(path)
