"""The warm process: it has done the imports, and forks once for each submission. It runs inside the sandbox.

It computes next to nothing, and that on one thread (a process that has computed on two hangs its forks), never runs a line of a
student's, and holds nothing worth stealing. The judge talks to it over the control socket: one message says what to import;
then, for each submission, a byte comes with a socket attached. The fork serves the submission on that socket, out of this
process's sight: what comes over it may be forged, what comes over the control socket may not. When the judge says that it is
done, or hangs up, the fork is killed, and with it everything that the submission started.
"""

from __future__ import annotations

import contextlib
import gc
import os
import resource
import select
import shutil
import signal
import socket
import sys
import tempfile
import time
from itertools import pairwise
from typing import Any

from autograder.asking.closing import close
from autograder.grading.inside import namespaces, syscalls
from autograder.grading.inside.channel import DONE, FORK, Channel, Closed
from autograder.grading.inside.limits import Limits

FOREVER = 1e9  # seconds
OPEN_MOST = 1 << 20  # descriptors of a process, where the system sets no limit: Linux has none above it
LOOK_EVERY = 0.2  # seconds, at what a running submission uses
ENDING_SECONDS = 5.0  # for a process that is ending to be over
PF_EXITING = 0x4  # of the flags in /proc/PID/stat, see include/linux/sched.h
READY = b"R"  # what a fork says to the warm process


def main(fd: int) -> None:
    control = Channel(socket.socket(fileno=fd))
    setup = control.receive(time.monotonic() + FOREVER)
    limits, enclosed = Limits(**setup["limits"]), setup["enclosed"]
    if enclosed:
        try:
            namespaces.enter_own()
        except OSError as error:
            control.send({"refused": str(error)}, time.monotonic() + 10)
            raise SystemExit(1) from None
    own = os.pidfd_open(os.getpid()) if enclosed else -1
    close(setup["closed"])  # their files are not here either
    failed = _import(setup["imports"])
    from autograder.grading.inside import runner
    from autograder.grading.inside.shell import make_shell

    shell = make_shell()
    runner.warm_up(shell)
    _one_thread()
    gc.collect()
    gc.freeze()  # what is here already is not looked at again, so it is not copied
    about = {"own_proc": os.path.exists("/proc/self"), "filtered": syscalls.known()}
    control.send({"ready": True, "failed": failed} | about, time.monotonic() + 10)
    control.sock.settimeout(None)
    while True:
        data, attached, _, _ = socket.recv_fds(control.sock, 1, 1)
        if not data:
            return
        if data != FORK or not attached:
            continue
        begun = time.process_time()
        folder = "/tmp" if enclosed else tempfile.mkdtemp(prefix="course-submission-")
        try:
            child = _fork(attached[0], own, folder, shell, limits)
        except OSError as error:
            child = 0
            control.send({"failed": str(error)}, time.monotonic() + 10)
            control.sock.settimeout(None)
        os.close(attached[0])
        if child:
            _watch(control, child, enclosed, limits, begun)
        if not enclosed:
            shutil.rmtree(folder, ignore_errors=True)


def _import(statements: list[str]) -> list[str]:
    """Run import statements; return a sentence for each that fails (a closed module, most likely).

    Torch is needed in any case. Students draw, and matplotlib takes half a second.
    """
    failed = []
    for statement in ["import torch, numpy, safetensors.torch, matplotlib.pyplot", *statements]:
        try:
            exec(statement, {})
        except Exception as error:
            failed.append(f"`{statement}` raised {type(error).__name__}: {error}"[:300])
    sys.modules["torch"].set_num_threads(1)
    return failed


def _one_thread() -> None:
    """Wait for threads that an import has started and that are about to end: a fork has only the one that forked."""
    end = time.monotonic() + 2
    while os.path.exists("/proc/self/task") and len(os.listdir("/proc/self/task")) > 1 and time.monotonic() < end:
        time.sleep(0.01)


def _fork(fd: int, own: int, folder: str, shell: Any, limits: Limits) -> int:
    """Fork, enclose the child, and let it serve on `fd`. Returns the child's number; the child itself never returns.

    Raises `OSError` when it could not be enclosed: then nothing of the submission has run.
    """
    read, write = os.pipe()
    if own >= 0:
        namespaces.next_child_is_init(own)
    child = os.fork()
    if child == 0:
        try:
            _become_submission(fd, write, own >= 0, folder, shell, limits)
        finally:
            os._exit(1)
    os.close(write)
    said = os.read(read, 1000)  # before the first line of the student's runs
    os.close(read)
    if said != READY:
        with contextlib.suppress(OSError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        raise OSError(said.decode("utf-8", "replace") or "a fork died at once")
    return child


def _become_submission(fd: int, write: int, enclosed: bool, folder: str, shell: Any, limits: Limits) -> None:
    try:
        os.setsid()
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nothing, stream)
        _close_all_but(fd, write)  # the control socket too
        os.umask(0o022)
        if enclosed:
            namespaces.enclose(limits.disk)
        os.chdir(folder)
        namespaces.limit(limits.memory, int(limits.submission) + 1, limits.disk, limits.processes if enclosed else 0)
    except Exception as error:
        os.write(write, f"{type(error).__name__}: {error}".encode()[:1000])
        return
    os.write(write, READY)
    os.close(write)
    from autograder.grading.inside.runner import serve

    with contextlib.suppress(Closed, TimeoutError):  # the judge has what it wants
        serve(socket.socket(fileno=fd), shell, limits, enclosed)
    os._exit(0)


def _close_all_but(*kept: int) -> None:
    """Close every other descriptor above the standard streams, however high."""
    limit = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = OPEN_MOST if limit == resource.RLIM_INFINITY else limit
    for low, high in pairwise([2, *sorted(kept), most]):
        os.closerange(low + 1, high)


def _watch(control: Channel, child: int, enclosed: bool, limits: Limits, begun: float) -> None:
    """Wait until the judge is done with the child, end it, and say how it went."""
    excess = ""
    while not select.select([control.sock], [], [], LOOK_EVERY)[0]:
        if enclosed and not excess:
            excess = _excess(limits)
            if excess:
                os.kill(child, signal.SIGKILL)
    data = control.sock.recv(1)
    killed = enclosed and not excess and _was_killed(child)
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(OSError):
            kill(child, signal.SIGKILL)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    os.waitpid(child, 0)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if data != DONE:  # the judge is gone
        raise SystemExit(0)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime + time.process_time() - begun
    control.send({"killed": killed, "excess": excess, "cpu": cpu}, time.monotonic() + 10)
    control.sock.settimeout(None)


def _was_killed(child: int) -> bool:
    """Whether the child has ended, or is ending, by a SIGKILL. Nothing inside can send one to the first process of its namespace.

    A process that is killed hangs up a moment before its parent can wait for it: what is ending is waited for.
    """
    if _is_ending(child):
        over = os.pidfd_open(child)
        select.select([over], [], [], ENDING_SECONDS)
        os.close(over)
    dead = os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    return dead is not None and (dead.si_code, dead.si_status) == (os.CLD_KILLED, signal.SIGKILL)


def _is_ending(process: int) -> bool:
    try:
        with open(f"/proc/{process}/stat") as file:
            return bool(int(file.read().rsplit(")", 1)[1].split()[6]) & PF_EXITING)
    except OSError:  # no /proc
        return False


def _excess(limits: Limits) -> str:
    """What the processes of the submission use too much of, taken together: their number or their memory; mostly nothing."""
    own = os.getpid()
    processes = [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own]
    if len(processes) > 2 * limits.processes:
        return "processes"
    suspicious = 0
    for process in processes:
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{process}/status") as file:
            suspicious += sum(int(line.split()[1]) << 10 for line in file if line.startswith(("RssAnon:", "RssShmem:")))
    if suspicious < limits.total_memory:
        return ""
    really = 0
    for process in processes:  # dear, and exact: what forks share is counted once
        with contextlib.suppress(OSError, ValueError, IndexError), open(f"/proc/{process}/smaps_rollup") as file:
            really += sum(int(line.split()[1]) << 10 for line in file if line.startswith("Pss:"))
    return "memory" if really > limits.total_memory else ""


if __name__ == "__main__":
    main(int(sys.argv[1]))
