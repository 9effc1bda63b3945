"""What some tests need of the machine. Where it lacks, they are skipped with a loud reason; in CI they fail."""

from __future__ import annotations

import glob
import os
import shutil

import pytest


def lack(what: str) -> None:
    """Skip the test, or fail it in CI, and say what is missing."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(f"THIS TEST DID NOT RUN: {what}")


def need_sandbox() -> None:
    from autograder.grading.enclosure import SandboxUnavailable, require

    try:
        require()
    except SandboxUnavailable as error:
        lack(str(error))


def postgres_programs() -> str:
    """The folder with initdb and postgres in it."""
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"))
    if not folders:
        lack("it needs PostgreSQL (Debian: postgresql)")
    return folders[-1]


def need_network_namespaces() -> str:
    """The path of `ip`."""
    ip = shutil.which("ip") or shutil.which("ip", path="/usr/sbin:/sbin")
    if not ip or os.geteuid() != 0:
        lack("it makes network namespaces, which needs root and iproute2 (Debian: iproute2)")
    return ip
