"""Linux namespaces and limits, from Python's standard library: what encloses one submission inside the sandbox.

`enter_own` gives the warm process a user namespace in which it may do what follows. It keeps that right, and never runs a
student's code. `next_child_is_init` and `enclose` are for each submission: the child is the first process of a process
namespace of its own (when it ends, everything it started ends), with a /proc that shows nothing else, a private /tmp, its
own System V memory, and none of the rights that made all this. See `man 7 user_namespaces`.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource

from autograder.grading.inside import syscalls

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID = 0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000
NOSUID, NODEV, NOEXEC, RDONLY, REC, PRIVATE = 2, 4, 8, 1, 0x4000, 0x40000
SET_PDEATHSIG, SET_DUMPABLE, CAPBSET_DROP, SET_NO_NEW_PRIVS = 1, 4, 24, 38
SIGKILL = 9


def _c(name: str, *arguments: object) -> None:
    """Call a function of the C library that returns 0 when all is well; raise `OSError` otherwise."""
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")


def _prctl(option: int, value: int) -> None:
    _c("prctl", option, ctypes.c_ulong(value), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0))


def _mount(kind: str, target: str, flags: int, data: str = "") -> None:
    _c("mount", kind.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode() or None)


def enter_own() -> None:
    """Move into new user, process and mount namespaces. Returns in the child; this process waits for it and ends with it.

    Raises `OSError` where the system refuses.
    """
    user, group = os.getuid(), os.getgid()
    _c("unshare", NEWUSER | NEWPID | NEWNS)
    for name, text in {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}.items():
        with open(f"/proc/self/{name}", "w") as file:
            file.write(text)
    _c("mount", b"none", b"/", None, ctypes.c_ulong(REC | PRIVATE), None)
    child = os.fork()
    if child:
        _, status = os.waitpid(child, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    _prctl(SET_PDEATHSIG, SIGKILL)
    _fresh_proc()
    with contextlib.suppress(OSError), open("/proc/sys/user/max_user_namespaces", "w") as file:
        file.write("0")  # no further user namespaces in here: less of the kernel to attack
    _prctl(SET_DUMPABLE, 0)  # nobody looks into the warm process


def next_child_is_init(own: int) -> None:
    """Put the next fork into a process namespace of its own. `own`: this process, as `os.pidfd_open` gives it."""
    _c("setns", own, NEWPID)  # back from the one of the fork before
    _c("unshare", NEWPID)


def enclose(tmp_bytes: int) -> None:
    """In that fork: a view of the system of its own, and then no rights at all."""
    _prctl(SET_DUMPABLE, 1)  # else its own /proc/self would not be its own
    _first_to_go()
    syscalls.new_session_keyring()
    _c("unshare", NEWNS | NEWIPC | NEWUTS)
    _c("mount", b"none", b"/", None, ctypes.c_ulong(REC | PRIVATE), None)
    _fresh_proc(RDONLY)
    for place in ("/tmp", "/dev/shm"):
        _mount("tmpfs", place, NOSUID | NODEV, f"size={tmp_bytes},nr_inodes=20000,mode=1777")
    for capability in range(64):
        with contextlib.suppress(OSError):  # the kernel knows fewer than 64
            _prctl(CAPBSET_DROP, capability)
    version_3, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
    _c("capset", version_3, nothing)
    _prctl(SET_NO_NEW_PRIVS, 1)
    _prctl(SET_DUMPABLE, 1)  # giving up rights may have taken it back
    syscalls.filter_calls()


def limit(memory: int, seconds: int, file_bytes: int, processes: int) -> None:
    """The limits of one process and of those it starts. `memory` comes on top of what is mapped already."""
    mapped = _mapped()
    wanted = {
        "RLIMIT_AS": mapped + memory, "RLIMIT_CPU": seconds, "RLIMIT_FSIZE": file_bytes, "RLIMIT_NPROC": processes,
        "RLIMIT_NOFILE": 512, "RLIMIT_CORE": 0,
    }
    for name, most in wanted.items():
        kind = getattr(resource, name, None)
        with contextlib.suppress(ValueError, OSError):  # a system without it, or one that already allows less
            if kind is not None and (most or name == "RLIMIT_CORE"):
                resource.setrlimit(kind, (most, most))


def _first_to_go() -> None:
    """When the machine runs out of memory, this goes first. Nothing takes it back: /proc is read-only from here on."""
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:
        file.write("1000")


def _mapped() -> int:
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[0]) * resource.getpagesize()
    except OSError:  # no /proc
        return 8 << 30


def _fresh_proc(flags: int = 0) -> None:
    """A /proc that shows this process namespace only, or an empty one where the system does not allow that."""
    try:
        _mount("proc", "/proc", NOSUID | NODEV | NOEXEC | flags)
    except OSError:
        _mount("tmpfs", "/proc", NOSUID | NODEV | NOEXEC | RDONLY, "size=4096")
