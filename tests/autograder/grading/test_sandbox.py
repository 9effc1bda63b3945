"""The sandbox from inside and from outside: what is not there, who may do nothing, and what a machine that cannot is told."""

from __future__ import annotations

import gc
import os
import time

import pytest
from typer.testing import CliRunner

from autograder import commands
from autograder.grading import doctor, enclosure, sandbox
from autograder.grading.enclosure import SandboxUnavailable
from autograder.grading.inside import syscalls
from autograder.grading.inside.limits import Limits
from autograder.grading.warm import Warm
from needs import lack

pytestmark = pytest.mark.xdist_group("wall")


READ = """
import glob
from pathlib import Path
found = [path for path in Path('/course/courselib').rglob('*plots*') if path.is_file() and path.stat().st_size]
found += [path for path in Path('/course/courselib/lora').rglob('*') if path.is_file() and path.stat().st_size]
assert not found, found
"""
TRICKS = """
import sys
sys.meta_path[:] = [finder for finder in sys.meta_path if type(finder).__name__ != '_Finder']
for name in [name for name in sys.modules if name.startswith('courselib')]:
    del sys.modules[name]
from courselib.lab.plots import interval
"""


HIGH = "import os\nos.dup2(os.open('/dev/null', os.O_RDONLY), 700)"  # a library that the warm process imports may leave one open


@pytest.fixture(scope="module")
def warm():
    try:
        process = Warm(["import math", HIGH], ["courselib.lab.plots", "courselib.lora"], Limits(), sandboxed=True)
    except SandboxUnavailable as error:
        lack(str(error))
    yield process
    process.end()


def run(process: Warm, *sources: str) -> list[str]:
    with process.fork() as channel:
        deadline = time.monotonic() + 30
        cells = [{"id": str(number), "source": source} for number, source in enumerate(sources)]
        channel.send({"seed": 0, "cells": cells, "questions": []}, deadline)
        return [f"{one['id']} {one['error']}: {one['message']}" for one in channel.receive(deadline)["failed"]]


def test_a_closed_module_cannot_be_imported_or_read(warm):
    use = ("import courselib.lora.layer as l\nl.LinearLoRA()", "from courselib.lab import plots\nplots.interval([1.0])")
    tried = (*use, READ, TRICKS, "import courselib.continual.replay")
    said = run(warm, *tried)
    assert [one.split(":")[0] for one in said] == ["0 ClosedModule", "1 ClosedModule", "3 ModuleNotFoundError"]
    assert "this uses courselib.lora, which is closed here, for it holds the answer" in said[0]
    assert warm.ready["failed"] == []


def test_a_fork_sees_nothing_of_ours_and_owns_nothing(warm):
    looks = [
        "import os; assert os.getpid() == 1 and os.getuid() != 0",
        "from pathlib import Path; status = Path('/proc/self/status').read_text(); assert 'CapEff:\\t0000000000000000' in status",
        "assert 'NoNewPrivs:\\t1' in status and 'CapBnd:\\t0000000000000000' in status",
        "assert sorted(os.listdir('/course')) == ['autograder', 'courselib']",
        "assert not os.path.exists('/course/autograder/exercises') and not os.path.exists('/course/autograder/judging')",
        "import autograder; assert autograder.__file__.startswith('/course/')",
        "import socket; assert [name for _, name in socket.if_nameindex()] == ['lo']",
        "assert sorted(name for name in os.environ if 'COURSE' in name) == ['COURSE_CACHE', 'COURSE_THREADS']",
        "import torch; assert torch.get_num_threads() == 1",
        "OPEN = [int(fd) for fd in os.listdir('/proc/self/fd') if os.path.exists(f'/proc/self/fd/{fd}')]",
        "assert len(OPEN) == 4 and max(OPEN) < 100, f'streams, and the socket of the submission; not {OPEN}'",
    ]
    assert run(warm, "import os", *looks) == []


@pytest.mark.parametrize("sandboxed", [True, False])
def test_what_does_not_start_leaves_nothing_open_and_nothing_on_the_disk(monkeypatch, tmp_path, sandboxed):
    def no_memory(*_, **__):
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(enclosure.shutil, "which", lambda name: "/usr/bin/bwrap")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(sandbox.subprocess, "Popen", no_memory)
    gc.collect()
    gc.disable()  # it would close them in the end
    try:
        before = set(os.listdir("/proc/self/fd"))
        with pytest.raises(OSError, match="Cannot allocate memory") as caught:
            sandbox.start([], Limits(), sandboxed)
        assert set(os.listdir("/proc/self/fd")) == before, caught  # which keeps the frame and all that is in it
    finally:
        gc.enable()
    assert list(tmp_path.iterdir()) == []


def test_the_doctor_says_what_is_there(monkeypatch):
    found = {finding.name: finding for finding in doctor.doctor()}
    assert set(found) == {"system", "sandbox", "Python", "torch", "workers", "browser", "PostgreSQL"}
    assert all(finding.verdict in doctor.SIGNS and finding.sentence for finding in found.values())
    if found["sandbox"].verdict == "good":
        assert "works; submissions run as" in found["sandbox"].sentence


def test_the_doctor_says_what_is_missing_and_the_command_ends_with_1(monkeypatch):
    monkeypatch.setenv("PATH", "/nothing")
    result = CliRunner().invoke(commands.app, ["doctor"], env={"COLUMNS": "200"})
    assert result.exit_code == 1
    assert "apt install bubblewrap" in result.output


def test_a_refusal_is_one_sentence_that_says_what_to_do():
    sentence = enclosure.refused("bwrap: No permissions to create new namespace,\n likely because ...")
    assert "\n" not in sentence and "user.max_user_namespaces" in sentence and "--unsandboxed" in sentence


def test_a_python_in_tmp_is_refused_with_a_sentence(monkeypatch):
    monkeypatch.setattr(enclosure.sys, "prefix", "/tmp/course/.venv")
    monkeypatch.setattr(enclosure.shutil, "which", lambda name: "/usr/bin/bwrap")
    for way_in in (enclosure.require, lambda: sandbox.start([], Limits(), sandboxed=True)):
        with pytest.raises(SandboxUnavailable, match="move the course to another folder"):
            way_in()


CALLS = """
import ctypes, errno, os, platform, socket, subprocess, threading
from autograder.grading.inside import syscalls
libc = ctypes.CDLL(None, use_errno=True)
def refused(number):
    return libc.syscall(number, 0, 0, 0, 0, 0, 0) == -1 and ctypes.get_errno() == errno.EPERM
which = syscalls.MACHINES[platform.machine()][0]
open_ = [name for name, numbers in syscalls.DENIED.items() if numbers[which] is not None and not refused(numbers[which])]
assert not open_, open_
"""
FAMILIES = """
for family in (38, 17, 40, 31, 44):  # AF_ALG, AF_PACKET, AF_VSOCK, AF_BLUETOOTH, AF_XDP
    try:
        socket.socket(family, socket.SOCK_DGRAM)
    except PermissionError:
        continue
    raise AssertionError(f'a socket of family {family}')
a, b = socket.socketpair()
socket.socket(socket.AF_INET).close()
"""
WORK = """
done = []
threads = [threading.Thread(target=lambda: done.append(1)) for _ in range(3)]
[t.start() for t in threads], [t.join() for t in threads]
assert len(done) == 3
assert subprocess.run(['true']).returncode == 0
child = os.fork()
if child == 0:
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
import torch, multiprocessing
assert torch.randn(64, 64).softmax(-1).sum().round() == 64
"""
NO_WAY_BACK = """
assert open('/proc/self/oom_score_adj').read().strip() == '1000'
for name in ('oom_score_adj', 'oom_adj', 'comm', 'uid_map'):
    try:
        open(f'/proc/self/{name}', 'w').write('0')
    except OSError:
        continue
    raise AssertionError(name)
"""


@pytest.mark.skipif(not syscalls.known(), reason="the system calls of this processor are not known")
def test_calls_that_no_answer_needs_are_refused_and_the_others_work(warm):
    assert run(warm, CALLS, FAMILIES, WORK, NO_WAY_BACK) == []


def test_the_filter_is_one_for_each_architecture_and_short_enough_to_jump_in():
    for machine in syscalls.MACHINES:
        steps = syscalls.program(machine)
        assert len(steps) % 8 == 0 and len(steps) // 8 < 250  # a jump reaches 255
    x86, arm = zip(*syscalls.DENIED.values(), strict=True)
    assert len(set(x86)) == len(x86) and len(set(arm) - {None}) == len([n for n in arm if n is not None])
