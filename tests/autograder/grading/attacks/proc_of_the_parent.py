"""Look into and change the processes around: their memory, their files, their environment; the kernel's settings."""

import ctypes
import glob
import os

succeeded = []
own = os.getpid()
others = [int(path.split("/")[2]) for path in glob.glob("/proc/[0-9]*") if int(path.split("/")[2]) not in (own, os.getppid())]
succeeded += others  # nothing but this submission may be seen
libc = ctypes.CDLL(None, use_errno=True)
for process in [os.getppid(), *range(2, 400)]:
    if process in (0, own):
        continue
    if libc.ptrace(16, process, None, None) == 0:
        succeeded.append(("ptrace", process))
    for name in ("mem", "environ", "maps"):
        try:
            with open(f"/proc/{process}/{name}", "r+b" if name == "mem" else "rb") as file:
                file.read(1)
            succeeded.append((name, process))
        except OSError:
            pass
for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/hostname", "/proc/sysrq-trigger", "/proc/sys/vm/drop_caches",
             "/proc/sys/kernel/pid_max"):
    try:
        with open(path, "w") as file:
            file.write("1")
        succeeded.append(path)
    except OSError:
        pass
