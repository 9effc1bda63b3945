"""Where the warm process lives: a sandbox that holds Python, the libraries, `courselib`, and nothing else of ours.

bubblewrap builds it from read-only views: /usr, the interpreter, the environment, `courselib` without the modules that the
assignment closes, and the few files of `autograder` that ask a function for its answers. Exercises, solutions, tests, chapters,
the gradebook and other submissions are not in it: nothing hides them, they are simply not there. It has no network, no rights,
and a small /tmp in memory.

Started by root, bubblewrap itself needs no user namespace, and everything in it runs as a user that owns nothing: the kernel
holds no real root to a number of processes. Started by anybody else, it makes a user namespace.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import site
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from autograder.grading.inside.limits import Limits
from autograder.places import ROOT

COURSE = "/course"  # where the sandbox has our packages
NOBODY = 61234  # a user without a name, a home or a file: whom root's sandbox runs as
CAP_SYS_ADMIN = 21
OURS = ("autograder", "courselib", "solutions")
INSIDE = ("__init__.py", "asking/*.py", "grading/__init__.py", "grading/inside/*.py")  # of autograder
ENVIRONMENT = {
    "HOME": "/tmp", "USER": "student", "LOGNAME": "student", "LANG": "C.UTF-8", "TMPDIR": "/tmp", "IPYTHONDIR": "/tmp/.ipython",
    "MPLCONFIGDIR": "/tmp/.matplotlib", "MPLBACKEND": "agg", "HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false",
    "OMP_NUM_THREADS": "1", "OMP_THREAD_LIMIT": "1", "MKL_NUM_THREADS": "1", "COURSE_THREADS": "1", "COURSE_CACHE": "off",
    "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONWARNINGS": "ignore",
    # huge pages for what Python and torch allocate: a fork copies page tables, and takes 3 ms with them instead of 10
    "PYTHONMALLOC": "malloc", "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


class SandboxUnavailable(RuntimeError):
    """This machine cannot enclose a student's code; the text is one sentence that says why and what to do."""


@dataclass
class Process:
    """A started warm process: its control socket, what it says on stderr, and the folder it may still need."""

    process: subprocess.Popen
    control: socket.socket
    stderr: IO[bytes]
    staged: tempfile.TemporaryDirectory

    def end(self) -> str:
        """End it and everything in it; return what it said on stderr."""
        self.control.close()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(5)  # it ends by itself when nobody holds the other end of the control socket
        self.process.kill()
        self.process.wait()
        self.stderr.seek(0)
        said = self.stderr.read()[-2000:].decode("utf-8", "replace").strip()
        self.stderr.close()
        self.staged.cleanup()
        return said


def start(closed: Iterable[str], limits: Limits, sandboxed: bool) -> Process:
    """Start a warm process that waits for its first message on the control socket.

    Args:
        closed: modules of `courselib` that are not to be there.
        sandboxed: False runs it as a plain child of this process, for machines that have no namespaces.

    Raises:
        SandboxUnavailable: when there cannot be a sandbox here. (When the system refuses it, the process ends at once.)
    """
    if sandboxed:
        possible()
    ours, theirs = socket.socketpair()
    staged = tempfile.TemporaryDirectory(prefix="course-sandbox-")
    stderr = tempfile.TemporaryFile()  # noqa: SIM115 (`Process.end` closes it)
    fd = theirs.fileno()
    try:
        half = stage(Path(staged.name), sandboxed)
        main = ["-s", "-P", "-m", "autograder.grading.inside.zygote", str(fd)]
        if sandboxed:
            command = bwrap(half, list(closed), limits, [sys.executable, *main])
            environment = {"PATH": os.environ.get("PATH", os.defpath)}
        else:
            command = [sys.executable, *main]
            environment = ENVIRONMENT | {"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": str(half)}
        process = subprocess.Popen(command, pass_fds=[fd], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=stderr,
                                   env=environment, cwd="/", start_new_session=True)
    except BaseException:
        ours.close()
        staged.cleanup()
        raise
    finally:
        theirs.close()
    return Process(process, ours, stderr, staged)


WITHOUT_BWRAP = (
    "Submissions are run in a sandbox that bubblewrap builds, and there is no `bwrap` on this machine: install it "
    "(Debian, Ubuntu: apt install bubblewrap; it needs Linux), or say --unsandboxed if you trust everybody who handed in."
)


def possible() -> None:
    """Raise `SandboxUnavailable` with a sentence where nothing needs to be tried to know that there can be no sandbox."""
    if shutil.which("bwrap") is None:
        raise SandboxUnavailable(WITHOUT_BWRAP)
    for prefix in (sys.prefix, sys.base_prefix):
        if Path(prefix).resolve().is_relative_to("/tmp"):
            raise SandboxUnavailable(
                f"The Python of this course lies in {prefix}, and the sandbox has a /tmp of its own, in which it would be gone: "
                "move the course to another folder."
            )


def stage(folder: Path, sandboxed: bool) -> Path:
    """Copy the part of `autograder` that has to be beside a student's code, and return the path to import it from."""
    source, half = ROOT / "autograder", folder / "autograder"
    for path in [path for pattern in INSIDE for path in source.glob(pattern)]:
        _copy(path, half / path.relative_to(source))
    _copy(source / "grading" / "inside" / "check.py", half / "check.py")
    if not sandboxed:
        (folder / "courselib").symlink_to(ROOT / "courselib")
    for path in [folder, *folder.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)  # root's umask may be anything
    return folder


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)


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


def refused(reason: str) -> str:
    """One sentence for a machine that has bubblewrap and does not let it work."""
    return (
        f"This machine refuses the sandbox that submissions are run in ({' '.join(reason.split())[-300:]}): allow user "
        "namespaces (sysctl user.max_user_namespaces; in a container, start it with --privileged), or say --unsandboxed if you "
        "trust everybody who handed in."
    )


def require() -> None:
    """Raise `SandboxUnavailable` with a sentence if this machine cannot enclose a submission; takes a few milliseconds."""
    possible()
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "autograder").mkdir()
        command = bwrap(Path(place), [], Limits(), ["true"])
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise SandboxUnavailable(refused(done.stderr))
