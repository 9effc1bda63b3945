"""What the tests of grading share, made once: classes as nbgrader releases them, and a scheduler that grades in this process."""

from __future__ import annotations

import fcntl
import logging
import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from autograder.publishing import build
from classes import nbgrader


@pytest.fixture(scope="session")
def open_class(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`open_class(folder, assignment)` makes `folder` a class in which nbgrader has released the assignment.

    It is a copy of one that was built and released once, by whichever process of the test run wanted it first.
    """
    shelf = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shelf = shelf.parent  # the same for all processes of this run

    def opened(folder: Path, assignment: str) -> Path:
        made = shelf / f"released-{assignment}"
        with made.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not made.exists():
                fresh = made.with_suffix(".part")
                build.build_class(fresh)
                _, log = nbgrader(fresh, "generate_assignment", assignment)
                assert not re.search(r"\| (WARN|ERR|CRIT)", log), log
                fresh.rename(made)
        return shutil.copytree(made, folder, dirs_exist_ok=True)

    return opened


@pytest.fixture(scope="session")
def here() -> Iterator[tuple[str, str]]:
    """Makes `course grade` grade in this process: no worker has to start first, and a release that was graded stays warm.

    Workers in processes of their own, and that they may die: test_class.py; on other machines: test_hosts.py.
    """
    from distributed import LocalCluster

    from autograder.grading.spread import close_warm_grader

    with LocalCluster(n_workers=1, threads_per_worker=1, processes=False, host="127.0.0.1", protocol="tcp://", memory_limit=0,
                      dashboard_address="127.0.0.1:0", silence_logs=logging.CRITICAL) as cluster:  # fmt: skip
        yield "--scheduler", cluster.scheduler_address
        close_warm_grader()
