"""The sandbox as bubblewrap builds it: Python, the libraries, `courselib`, and nothing else of ours, all of it read-only.

It has /usr, the interpreter, the environment, `courselib` without the modules that the assignment closes, and what `staging`
put together. It has no network, no rights, and a small /tmp in memory.

Started by root, bubblewrap itself needs no user namespace, and everything in it runs as a user that owns nothing: the kernel
holds no real root to a number of processes. Started by anybody else, it makes a user namespace.
"""

from __future__ import annotations

import os
import site
import sys
import sysconfig
from pathlib import Path

from autograder.grading.inside.limits import Limits
from autograder.places import ROOT

COURSE = "/course"  # where the sandbox has our packages
NOBODY = 61234  # a user without a name, a home or a file: whom root's sandbox runs as
CAP_SYS_ADMIN = 21
OURS = ("autograder", "courselib", "solutions")
ENVIRONMENT = {
    "HOME": "/tmp", "USER": "student", "LOGNAME": "student", "LANG": "C.UTF-8", "TMPDIR": "/tmp", "IPYTHONDIR": "/tmp/.ipython",
    "MPLCONFIGDIR": "/tmp/.matplotlib", "MPLBACKEND": "agg", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1", "MKL_NUM_THREADS": "1", "COURSE_THREADS": "1", "COURSE_CACHE": "off",
    "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore",
    # huge pages for what Python and torch allocate: a fork copies page tables, and takes 3 ms with them instead of 10
    "PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def bwrap(half: Path, closed: list[str], limits: Limits, command: list[str]) -> list[str]:
    """The command line that runs `command` in the sandbox."""
    line = ["bwrap", "--unshare-pid", "--unshare-net", "--unshare-ipc", "--unshare-uts", "--unshare-cgroup-try",
            "--die-with-parent", "--new-session", "--hostname", "sandbox", "--clearenv", "--cap-drop", "ALL"]
    environment = ENVIRONMENT | {"PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin", "PYTHONPATH": COURSE}
    for name, value in environment.items():
        line += ["--setenv", name, value]
    for place in system_folders():
        line += place
    line += _ours(half, closed) + ["--dev", "/dev", "--perms", "0755", "--dir", "/proc"]
    for place in ("/dev/shm", "/tmp"):
        line += ["--perms", "1777", "--size", str(limits.disk), "--tmpfs", place]
    if may_mount():  # proc is mounted by hand: bubblewrap covers parts of root's, and then no process inside could mount its own
        line += ["--cap-add", "CAP_SYS_ADMIN", "--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID"]
        mount = 'mount -t proc -o nosuid,nodev,noexec proc /proc && exec "$@"'
        nobody = ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--no-new-privs"]
        command = ["/bin/sh", "-c", mount, "sh", *nobody, *command]
    else:
        line += ["--unshare-user", "--uid", str(NOBODY), "--gid", str(NOBODY), "--proc", "/proc"]
    return [*line, "--remount-ro", "/dev", "--remount-ro", "/", "--chdir", "/tmp", "--", *command]


def may_mount() -> bool:
    """Whether this process is root with all that belongs to it, and with other users below it. In a container it often is not."""
    try:
        rights = Path("/proc/self/status").read_text().split("CapEff:")[1].split()[0]
        users = [[int(number) for number in line.split()] for line in Path("/proc/self/uid_map").read_text().splitlines()]
    except (OSError, IndexError, ValueError):
        return False
    others = any(first <= NOBODY < first + count for first, _, count in users)
    return os.geteuid() == 0 and others and bool(int(rights, 16) >> CAP_SYS_ADMIN & 1)


def system_folders() -> list[list[str]]:
    """Read-only views of the system and of this Python, with our own packages taken out of them."""
    options = [["--ro-bind", "/usr", "/usr"]]
    for name in ("bin", "lib", "lib32", "lib64", "sbin"):
        path = Path("/") / name
        if path.is_symlink():
            options.append(["--symlink", os.readlink(path), str(path)])
        elif path.is_dir():
            options.append(["--ro-bind", str(path), str(path)])
    for path in ("/etc/ld.so.cache", "/etc/alternatives", "/etc/fonts", "/etc/localtime"):
        options.append(["--ro-bind-try", path, path])
    prefixes = sorted({Path(p) for p in (sys.base_prefix, sys.prefix, sys.exec_prefix, os.path.realpath(sys.base_prefix))})
    for prefix in prefixes:
        options += _parents(prefix) + [["--ro-bind", str(prefix), str(prefix)]]
    shown = [Path("/usr"), *prefixes]
    installed = [Path(place) / name for place in _packages() for name in OURS]
    for path in [ROOT, *(path for path in installed if path.is_dir())]:
        if any(path.is_relative_to(place) for place in shown):
            options.append(["--perms", "0755", "--tmpfs", str(path)])
            options += [["--ro-bind", str(p), str(p)] for p in shown if p.is_relative_to(path) and p != path]
    return options


def _packages() -> set[str]:
    places = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), *site.getsitepackages()}
    return {place for place in places if place}


def _parents(path: Path) -> list[list[str]]:
    """bubblewrap makes the folders above a mount for its own user only."""
    return [["--perms", "0755", "--dir", str(parent)] for parent in reversed(path.parents) if str(parent) != "/"]


def _ours(half: Path, closed: list[str]) -> list[str]:
    line = ["--perms", "0755", "--dir", COURSE, "--ro-bind", str(half / "autograder"), f"{COURSE}/autograder",
            "--ro-bind", str(ROOT / "courselib"), f"{COURSE}/courselib"]
    for module in closed:
        path = Path(*module.split("."))
        if (ROOT / path).is_dir():
            line += ["--perms", "0555", "--tmpfs", f"{COURSE}/{path}"]
        if (ROOT / path).with_suffix(".py").is_file():
            line += ["--ro-bind", "/dev/null", f"{COURSE}/{path}.py"]
        if (ROOT / path.parent / "__pycache__").is_dir():  # what was compiled from it
            line += ["--perms", "0555", "--tmpfs", f"{COURSE}/{path.parent}/__pycache__"]
    return line
