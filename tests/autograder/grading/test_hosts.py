"""Two workers on two hosts that share no disk: network namespaces of this machine, and a mount namespace for each."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from autograder import places
from classes import BIN, ENVIRONMENT, marks
from needs import need_network_namespaces, need_sandbox
from students import QUICKSTART, declared, hand_in

pytestmark = pytest.mark.xdist_group("grading")
SOURCE = str(places.ROOT)
HERE, OTHERS = "10.77.0.1", ("10.77.0.2", "10.77.0.3")


@pytest.fixture
def hosts() -> Iterator[list[str]]:
    """Three namespaces on one bridge, of which one has the class; what they are called."""
    ip = need_network_namespaces()
    tag = f"course{os.getpid() % 10000}"
    names = [f"{tag}{i}" for i in range(3)]

    def run(*words: str) -> None:
        subprocess.run([ip, *words], check=True, capture_output=True)

    try:
        for name in names:
            run("netns", "add", name)
            run("-n", name, "link", "set", "lo", "up")
        run("-n", names[0], "link", "add", "br0", "type", "bridge")
        run("-n", names[0], "addr", "add", f"{HERE}/24", "dev", "br0")
        run("-n", names[0], "link", "set", "br0", "up")
        for name, address in zip(names[1:], OTHERS, strict=True):
            run("-n", names[0], "link", "add", f"to{name[-1]}", "type", "veth", "peer", "name", "eth0", "netns", name)
            run("-n", names[0], "link", "set", f"to{name[-1]}", "master", "br0", "up")
            run("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            run("-n", name, "link", "set", "eth0", "up")
        yield names
    finally:
        for name in names:
            subprocess.run([ip, "netns", "del", name], capture_output=True)


def test_workers_on_two_hosts_need_only_what_they_are_sent(hosts, tmp_path, open_class):
    need_sandbox()
    folder = open_class(tmp_path / "class", QUICKSTART)
    for student in ("right", "wrong", "untouched"):
        hand_in(folder, student, QUICKSTART)
    environment = ENVIRONMENT | {"PYTHONPATH": SOURCE}
    in_namespace = ["ip", "netns", "exec"]
    started = []
    try:
        scheduler = [str(BIN / "dask"), "scheduler", "--host", HERE, "--port", "8786", "--no-dashboard", "--no-show"]
        quiet = {"env": environment, "stderr": subprocess.DEVNULL, "cwd": "/"}
        started.append(subprocess.Popen([*in_namespace, hosts[0], *scheduler], **quiet))
        for place, (name, address) in enumerate(zip(hosts[1:], OTHERS, strict=True)):
            own = tmp_path / f"disk{place}"
            own.mkdir()
            worker = [str(BIN / "dask"), "worker", f"tcp://{HERE}:8786", "--host", address, "--nworkers", "1", "--nthreads", "1",
                      "--no-dashboard", "--local-directory", str(own), "--memory-limit", "0"]  # fmt: skip
            hidden = ["unshare", "-m", "sh", "-c", f"mount -t tmpfs none {folder} && exec \"$@\"", "sh"]  # no class on this host
            started.append(subprocess.Popen([*in_namespace, name, *hidden, *worker], **quiet))
        _wait_for_two_workers(hosts[0], environment)
        grade = [sys.executable, "-m", "autograder.commands", "grade", QUICKSTART, "--scheduler", f"tcp://{HERE}:8786"]
        command = [*in_namespace, hosts[0], *grade]
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=400)
        assert done.returncode == 0, done.stdout + done.stderr
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(120)
    for student in ("right", "wrong", "untouched"):
        assert marks(folder, student, QUICKSTART) == declared(student, QUICKSTART)


def _wait_for_two_workers(name: str, environment: dict[str, str]) -> None:
    code = f"from distributed import Client; Client('tcp://{HERE}:8786', timeout=60).wait_for_workers(2, timeout=60)"
    for _ in range(3):
        command = ["ip", "netns", "exec", name, sys.executable, "-c", code]
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode == 0:
            return
        time.sleep(1)
    raise AssertionError(done.stderr)
