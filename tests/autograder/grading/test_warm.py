"""The warm process: killed, refused or out of reach, it costs nobody a mark and leaves nothing behind."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from autograder import places
from autograder.grading import sandbox, warm
from autograder.grading.enclosure import SandboxUnavailable
from autograder.grading.grader import Grader, Infrastructure
from autograder.grading.inside.limits import Limits
from graders import FORWARD, QUICKSTART, SHORT, earned, grader_of, with_cells
from submissions import data, notebook, released

pytestmark = pytest.mark.xdist_group("wall")


@pytest.fixture(scope="module")
def grader():
    """One for the tests that kill its warm process: it starts another when it is wanted."""
    with grader_of(QUICKSTART, limits=Limits(cell=5)) as one:
        yield one


def test_a_warm_process_that_was_killed_is_started_again_and_nobody_loses_a_mark(grader):
    first = grader._living()
    once_it_runs(first, lambda fork: first._process.process.kill())
    graded = grader.grade(with_cells("import time; time.sleep(2)"), seed=1)
    assert grader._warm is not first
    assert (earned(graded), graded.notes) == ({FORWARD: ("right", 4.0)}, [])


def test_a_fork_that_was_killed_from_outside_is_run_again(grader):
    """As by a system that has no memory left."""
    first = grader._living()
    once_it_runs(first, lambda fork: os.kill(fork, 9))
    graded = grader.grade(with_cells("import time; time.sleep(2)"), seed=1)
    assert grader._warm is not first
    assert (earned(graded), graded.notes) == ({FORWARD: ("right", 4.0)}, [])


KILLS = """
import os, signal, socket
from autograder.grading.inside import zygote

missed = 0
for _ in range(100):
    ours, theirs = socket.socketpair()
    child = os.fork()
    if child == 0:
        ours.close()
        signal.pause()
    theirs.close()
    os.kill(child, signal.SIGKILL)
    ours.recv(1)  # it has hung up, and its parent may not be able to wait for it yet
    ours.close()
    missed += not zygote._was_killed(child)
    os.waitpid(child, 0)
print(missed)
"""


def test_who_is_killed_is_seen_to_be_however_soon_it_is_asked():
    """A killed fork hangs up before it is over: judged in between, it counted as the submission's own crash, one time in five."""
    ran = subprocess.run([sys.executable, "-c", KILLS], capture_output=True, text=True, cwd=places.ROOT, check=True)
    assert ran.stdout == "0\n"


def once_it_runs(warm, kill):
    """Calls `kill` with the number of the warm process's next fork, once that runs cells: it has limits of its own then."""
    waiting = youngest_below(warm._process.process.pid)

    def wait():
        while (fork := child_of_each().get(waiting)) is None or not has_limits(fork):
            time.sleep(0.02)
        time.sleep(0.3)
        kill(fork)

    threading.Thread(target=wait, daemon=True).start()


def has_limits(process: int) -> bool:
    return bool(re.search(r"Max open files +512 +512", Path(f"/proc/{process}/limits").read_text()))


def youngest_below(process: int) -> int:
    """The last of the chain of processes that begins with `process`."""
    children = child_of_each()
    while process in children:
        process = children[process]
    return process


def child_of_each() -> dict[int, int]:
    """A child of every process that has one."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            found[int(path.read_text().rsplit(")", 1)[1].split()[1])] = int(path.parent.name)
    return found


def test_a_warm_process_that_dies_twice_counts_as_the_submission_s_doing(grader, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(warm.Warm, "_end_fork", lambda self: (_ for _ in ()).throw(warm.Lost("gone")))
        graded = grader.grade(with_cells(), seed=1)
    assert earned(graded) == {FORWARD: ("crashed", 0.0)}
    assert graded.needs_human and "was killed when it ran this one, twice" in graded.notes[-1]
    assert earned(grader.grade(with_cells(), seed=1)) == {FORWARD: ("right", 4.0)}


def test_what_is_not_the_student_s_fault_is_never_scored(grader, monkeypatch):
    def no_room(*_):
        raise OSError(28, "No space left on device")

    grader._living()
    monkeypatch.setattr(warm.Warm, "_end_fork", lambda self: {"failed": "no memory"})
    with pytest.raises(Infrastructure, match="could not be enclosed: no memory"):
        grader.grade(with_cells(), seed=1)
    grader._stop()
    monkeypatch.setattr(sandbox, "start", no_room)
    with pytest.raises(Infrastructure, match="No space left"):
        grader.grade(with_cells(), seed=1)


def test_a_setup_that_cannot_run_in_the_sandbox_stops_everything():
    handed_out = notebook(QUICKSTART)
    setup = next(c for c in handed_out["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id", "").startswith("setup-"))
    setup["source"] = "import solutions.quickstart"
    with pytest.raises(Infrastructure, match="setup cells .* No module named 'solutions'"), Grader(data(handed_out)):
        pass


def test_without_bubblewrap_there_is_one_sentence_and_a_stop(monkeypatch):
    monkeypatch.setenv("PATH", "/nothing")
    with pytest.raises(SandboxUnavailable, match="apt install bubblewrap") as caught, Grader(released(QUICKSTART)):
        pass
    assert "\n" not in str(caught.value)


def test_without_the_sandbox_the_marks_are_the_same_and_it_is_said():
    with Grader(released(QUICKSTART), sandboxed=False, limits=SHORT) as grader:
        graded = grader.grade(with_cells("open('left behind', 'w').write('x')"), seed=1)
        hung = grader.grade(with_cells(answer="def lora_forward(*a, **k):\n    while True: pass"), seed=1)
    assert (earned(graded), graded.sandboxed, graded.notes) == ({FORWARD: ("right", 4.0)}, False, [])
    assert earned(hung) == {FORWARD: ("timed out", 0.0)}
    assert not os.path.exists("left behind")


def test_a_grader_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Grader(released(QUICKSTART), limits=SHORT) as grader:
        process = grader._warm._process.process
        grader.grade(with_cells(), seed=1)
    assert process.poll() is not None
    assert list(tmp_path.iterdir()) == []
