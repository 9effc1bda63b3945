"""What this machine can do for a course: each finding is one sentence, and says what to do where something is missing.

The sandbox is not judged by version numbers but by starting it and running a cell in it.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from autograder.grading.enclosure import WITHOUT_BWRAP, SandboxUnavailable
from autograder.grading.inside.limits import Limits
from autograder.grading.warm import Infrastructure, Lost, Warm

SIGNS = {"good": "✓", "missing": "✗", "optional": "–"}
WORKER_BYTES = 1.5e9  # what a worker and its forks may take


@dataclass(frozen=True)
class Finding:
    """One thing about the machine. `verdict` is a key of `SIGNS`; only what is `missing` stops the grading of a class."""

    name: str
    verdict: str
    sentence: str


def doctor() -> list[Finding]:
    """Look at everything."""
    return [*_system(), *_sandbox(), _python(), _torch(), _memory(), _browser(), _database()]


def _system() -> list[Finding]:
    if platform.system() != "Linux":
        sentence = f"{platform.system()}: a class is graded on Linux; all the rest of the course works here"
        return [Finding("system", "missing", sentence)]
    release = platform.release()
    found = re.match(r"(\d+)\.(\d+)", release)
    new = bool(found) and (int(found[1]), int(found[2])) >= (5, 14)
    older = "" if new else "; before 5.14 the limit of processes counts those of all submissions together"
    return [Finding("system", "good", f"Linux {release}{older}")]


def _sandbox() -> list[Finding]:
    if shutil.which("bwrap") is None:
        return [Finding("sandbox", "missing", WITHOUT_BWRAP)]
    version = subprocess.run(["bwrap", "--version"], capture_output=True, text=True).stdout.strip()
    begun = time.perf_counter()
    try:
        warm = Warm([], [], Limits(), sandboxed=True)
    except (SandboxUnavailable, Infrastructure, Lost) as error:
        return [Finding("sandbox", "missing", f"{version}. {error}")]
    seconds, ready = time.perf_counter() - begun, warm.ready
    try:
        with warm.fork() as channel:
            deadline = time.monotonic() + 30
            channel.send({"seed": 0, "cells": [{"id": "", "source": "1 + 1"}], "questions": []}, deadline)
            channel.receive(deadline)
    except Exception as error:
        return [Finding("sandbox", "missing", f"{version} starts, but nothing runs in it: {error}")]
    finally:
        warm.end()
    who = "as a user that owns nothing" if os.geteuid() == 0 else "as you, in a user namespace"
    calls = "" if ready["filtered"] else "; system calls are not filtered on this kind of processor"
    hidden = "" if ready["own_proc"] else "; without a /proc, so memory is limited for each process only"
    return [Finding("sandbox", "good", f"{version} works; submissions run {who}{hidden}{calls}; ready in {seconds:.1f} s")]


def _python() -> Finding:
    environment = "in an environment of its own" if sys.prefix != sys.base_prefix else "of the system"
    return Finding("Python", "good", f"{platform.python_version()} {environment}, {sys.prefix}")


def _torch() -> Finding:
    import torch

    card = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU, and none is needed"
    return Finding("torch", "good", f"{torch.__version__}; {card}")


def _memory() -> Finding:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    free = _free_bytes()
    if free is None:
        return Finding("workers", "good", f"{cores} cores")
    fit = min(cores, int(free // WORKER_BYTES))
    verdict = "good" if fit else "missing"
    return Finding("workers", verdict, f"{cores} cores and {free / 1e9:.1f} GB of free memory: room for {fit} workers at once")


def _free_bytes() -> float | None:
    try:
        found = re.search(r"MemAvailable:\s+(\d+) kB", Path("/proc/meminfo").read_text())
    except OSError:
        return None
    return float(found[1]) * 1024 if found else None


def _browser() -> Finding:
    names = ("chromium", "chromium-browser", "google-chrome")
    path = next(filter(None, map(shutil.which, names)), None)
    if path and shutil.which("chromedriver"):
        return Finding("browser", "good", f"{path}: the browser test runs")
    return Finding("browser", "optional", "no Chromium with chromedriver: only the course's own browser test needs them")


def _database() -> Finding:
    if shutil.which("postgres") or list(Path("/usr/lib/postgresql").glob("*/bin/postgres")):
        return Finding("PostgreSQL", "good", "installed: a gradebook for several machines can be tried here")
    return Finding("PostgreSQL", "optional", "not installed: the gradebook is an SQLite file, which is enough for one machine")
