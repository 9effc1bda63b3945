"""The workers of a grading take tasks from that grading only, though their ports are open to every process of the machine."""

import os
import subprocess
import sys

import pytest
from distributed import Client
from typer.testing import CliRunner

from autograder import commands
from autograder.grading import classwork
from autograder.grading import commands as grading
from autograder.grading.spread import _local_cluster

INTRUDER = """
import asyncio, contextlib, sys
from distributed import Client
from distributed.core import rpc
from distributed.security import Security

async def main():
    for address in sys.argv[1:]:
        for name, security in {"none": None, "its own": Security.temporary()}.items():
            for where in (address, address.replace("tls://", "tcp://")):
                with contextlib.suppress(Exception):
                    args = security.get_connection_args("client") if security else {}
                    comm = rpc(where, timeout=3, connection_args=args)
                    print("identity", name, where, await asyncio.wait_for(comm.identity(), 3))
    with contextlib.suppress(Exception):
        async with Client(sys.argv[1], security=Security.temporary(), asynchronous=True, timeout=3) as client:
            print("ran", await client.submit(lambda: 42))

if __name__ == "__main__":
    asyncio.run(main())
"""


def test_who_has_no_keys_of_the_run_gets_no_answer(tmp_path):
    script = tmp_path / "intruder.py"
    script.write_text(INTRUDER)
    with _local_cluster(1) as cluster, Client(cluster) as client:
        assert client.submit(os.getpid).result() != os.getpid()  # who has them, does
        addresses = [cluster.scheduler_address, *client.scheduler_info()["workers"]]
        assert len(addresses) == 2 and all(address.startswith("tls://127.0.0.1:") for address in addresses)
        done = subprocess.run([sys.executable, script, *addresses], capture_output=True, text=True)
        assert (done.returncode, done.stdout) == (0, ""), done
        assert client.submit(os.getpid).result() != os.getpid()  # and it still serves


@pytest.mark.parametrize(("address", "told"), [("tcp://10.0.0.1:1", True), ("10.0.0.1:1", True), ("tls://10.0.0.1:1", False)])
def test_an_open_scheduler_is_named(monkeypatch, address, told):
    class Room:
        students = staticmethod(lambda: ["ada"])
        set_aside = staticmethod(lambda: [])

    monkeypatch.setattr(grading, "room_of", lambda *_: Room())
    monkeypatch.setattr(classwork, "grade_class", lambda room, **how: {})
    said = CliRunner().invoke(commands.app, ["grade", "00_quickstart", "--scheduler", address])
    assert said.exit_code == 0 and (grading.OPEN_SCHEDULER in said.output) == told
