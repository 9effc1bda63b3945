"""Follow links and paths out of the sandbox."""

import os

succeeded = []
TARGETS = (
    COURSE_ON_DISK, CLASS_ON_DISK, "/etc/shadow", "/root", "/home", "../../../../../../etc/shadow",  # noqa: F821
    "/proc/1/root/etc/shadow", "/proc/1/cwd/../etc/shadow", "/proc/self/root/../../etc/shadow",
)
for number, target in enumerate(TARGETS):
    os.symlink(target, f"/tmp/link-{number}")
    try:
        with open(f"/tmp/link-{number}") as file:
            file.read(1)
        succeeded.append(target)
    except IsADirectoryError:
        succeeded += [name for name in os.listdir(f"/tmp/link-{number}") if name not in (".pyenv", "main", ".venv")]
    except OSError:
        pass
