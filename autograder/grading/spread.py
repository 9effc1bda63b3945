"""Spreading the grading over processes and machines with Dask.

A task is bytes in, a `Graded` out: the released notebook, what was handed in, a seed. So a worker on another machine needs the
course installed and nothing else: no shared disk. Each worker process keeps one warm grader, and student code runs in the
sandbox that this grader owns, never in the worker.

A lost worker or a full disk says nothing about a submission: such a task is tried again, elsewhere if need be.
"""

from __future__ import annotations

import atexit
import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from autograder.grading.graded import Graded

TRIES = 4  # of a task that fails for reasons of ours


@dataclass(frozen=True)
class Task:
    """One submission to grade; `student` only names it."""

    student: str
    submitted: bytes
    seed: int


@dataclass(frozen=True)
class Lost:
    """A task that could not be done in `TRIES` tries; why, in a sentence."""

    why: str


def spread(
    released: bytes, tasks: Iterable[Task], *, workers: int, scheduler: str | None, sandboxed: bool,
    on_result: Callable[[Task, Graded | Lost], None],
) -> None:
    """Grade every task, and call `on_result` for each as it is done, in this process and in no particular order.

    At most four tasks a worker are on their way at once, so that a class of thousands is never in memory as a whole.
    """
    from distributed import as_completed

    with _client(workers, scheduler) as client:
        waiting, tried, running = iter(tasks), dict[str, int](), {}
        queue = as_completed()

        def submit(task: Task) -> None:
            tried[task.student] = tried.get(task.student, 0) + 1
            # impure: a second try has to be a new task, and the scheduler must not guess that two are one
            future = client.submit(grade_one, released, task.submitted, task.seed, sandboxed, pure=False)
            running[future.key] = task
            queue.add(future)

        for task in _take(waiting, 4 * workers if not scheduler else 4 * max(len(client.scheduler_info()["workers"]), 1)):
            submit(task)
        for future in queue:
            task = running.pop(future.key)
            if future.status == "finished":
                on_result(task, future.result())
            elif tried[task.student] < TRIES:
                submit(task)
                continue
            else:
                on_result(task, Lost(_say(future.exception())))
            for following in _take(waiting, 1):
                submit(following)


_warm: dict[str, Any] = {}  # of this process: the one grader it keeps, by the release it is for


def grade_one(released: bytes, submitted: bytes, seed: int, sandboxed: bool) -> Graded:
    """Grade one submission with this process's warm grader; runs in a Dask worker."""
    return warm_grader(released, sandboxed).grade(submitted, seed)


def warm_grader(released: bytes, sandboxed: bool) -> Any:
    """This process's grader for a release. One is kept: another release, or another way to run it, replaces it."""
    from autograder.grading.grader import Grader

    key = hashlib.sha256(released).hexdigest() + str(sandboxed)
    if key not in _warm:
        close_warm_grader()
        _warm[key] = Grader(released, sandboxed=sandboxed).__enter__()
    return _warm[key]


@atexit.register
def close_warm_grader() -> None:
    while _warm:
        _warm.popitem()[1].__exit__(None, None, None)


@contextmanager
def _client(workers: int, scheduler: str | None) -> Iterator[Any]:
    import dask
    from distributed import Client

    with dask.config.set({"distributed.scheduler.allowed-failures": TRIES}):
        if scheduler:
            with Client(scheduler, timeout="20s") as client:
                yield client
        else:
            with _local_cluster(workers) as cluster, Client(cluster) as client:
                yield client


def _local_cluster(workers: int) -> Any:
    """Worker processes on this machine. One that dies while it starts is no reason to give up."""
    from distributed import LocalCluster
    from distributed.security import Security

    own = Security.temporary()  # certificates of this run: its ports are open to every process of the machine
    for attempt in range(TRIES):
        try:
            return LocalCluster(  # any free port for its dashboard, for another grading may be going on beside this one
                n_workers=workers, threads_per_worker=1, memory_limit=0, dashboard_address="127.0.0.1:0",
                silence_logs=logging.CRITICAL, security=own, protocol="tls://",
            )
        except RuntimeError:
            if attempt == TRIES - 1:
                raise
    raise AssertionError("unreachable")


def _take(tasks: Iterator[Task], count: int) -> list[Task]:
    return [task for _, task in zip(range(count), tasks, strict=False)]


def _say(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
