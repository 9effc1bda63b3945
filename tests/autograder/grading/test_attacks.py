"""Attacks on grading. Each file of `attacks/` is what a student might hand in; each has to score what its answer is worth.

An attack that gets something it should not have notes it in `succeeded`, and then answers right: so a success shows as full
marks. All others answer as an honest student with a known mistake does (1 of 4 points), or lose the exercise by what they do to
their own process. After each, an honest submission has to get the very marks it got before.
"""

from __future__ import annotations

import ast
import contextlib
import json
import os
import socket
import threading
from pathlib import Path

import pytest

from autograder import places
from autograder.grading.graded import Graded, to_plain
from autograder.grading.grader import Grader, SandboxUnavailable
from autograder.grading.inside.limits import Limits
from needs import lack
from submissions import answered, cell, code, data, released, right

pytestmark = pytest.mark.xdist_group("attacks")

COURSE = places.ROOT
ATTACKS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(Path(__file__).with_name("attacks").glob("*.py"))}
QUICKSTART, EXERCISE = "00_quickstart", "quickstart.lora_forward"
HONEST = ("partial", 1.0, "base_only")
CRASHED, TIMED_OUT, UNREADABLE = ("crashed", 0.0, None), ("timed out", 0.0, None), ("unreadable", 0.0, None)
LOST = {  # what an attack does to its own process, and what it costs
    "exit": CRASHED, "exit_in_the_answer": CRASHED, "segfault": CRASHED, "memory_of_many": CRASHED,
    "hang": TIMED_OUT, "hang_in_the_answer": TIMED_OUT, "flood_in_the_answer": ("flooded", 0.0, None),
    "huge_answer": UNREADABLE, "strange_answers": UNREADABLE, "garbage_on_the_channel": UNREADABLE,
    "forged_answers": UNREADABLE, "replaced_modules": UNREADABLE, "patched_kernel": ("not attempted", 0.0, None),
}
SAID = {  # what the instructor reads
    "memory_of_many": "it used too much (memory)", "garbage_on_the_channel": "it stopped answering (unreadable)",
    "forged_answers": "was not made by the course's own code", "replaced_modules": "was not made by the course's own code",
}
LIMITS = Limits(cell=2, cells=6, exercise=2, submission=30, memory=300 << 20, total_memory=600 << 20, disk=32 << 20, processes=24)
TAIL = '''

def right(x, W0, lora_A, lora_B):
    return x @ W0.T + x @ lora_A.T @ lora_B.T


if "lora_forward" not in globals():
    def lora_forward(x, W0, lora_A, lora_B):
        return right(x, W0, lora_A, lora_B) if globals().get("succeeded") else torch.nn.functional.linear(x, W0)
'''


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A class folder with a gradebook, beside which the judge works; a secret in its environment; a server on loopback."""
    folder = tmp_path_factory.mktemp("class")
    (folder / "gradebook.db").write_bytes(b"nobody writes here")
    (folder / "source").mkdir()
    os.environ["COURSE_SECRET"] = "hunter2"
    yield folder
    del os.environ["COURSE_SECRET"]


@pytest.fixture(scope="module")
def server(place):
    """Who listens where the judge runs, and who came."""
    came = []
    sockets = [socket.create_server(("127.0.0.1", 0))]
    for address in ("\0course-attack", str(place / "socket")):
        sockets.append(socket.socket(socket.AF_UNIX))
        sockets[-1].bind(address)
        sockets[-1].listen()
    for sock in sockets:
        threading.Thread(target=lambda sock=sock: [came.append(sock.accept()) for _ in range(1000)], daemon=True).start()
    yield sockets[0].getsockname()[1], came


@pytest.fixture(scope="module")
def grader(place):
    try:
        with Grader(released(QUICKSTART), limits=LIMITS) as one:
            yield one
    except SandboxUnavailable as error:
        lack(str(error))


@pytest.fixture(scope="module")
def before(grader):
    return marks(grader.grade(data(right(QUICKSTART)), seed=1))


@pytest.fixture
def attack(grader, before, place, server):
    """Grade a submission, and see that everybody else's marks are as they were."""

    def grade(submitted: bytes, seed: int = 5) -> Graded:
        files = sorted(place.rglob("*"))
        graded = grader.grade(submitted, seed)
        json.dumps(to_plain(graded))
        assert graded.sandboxed
        assert marks(grader.grade(data(right(QUICKSTART)), seed=1)) == before
        assert (place / "gradebook.db").read_bytes() == b"nobody writes here"
        assert sorted(place.rglob("*")) == files
        assert server[1] == []
        return graded

    return grade


def marks(graded: Graded):
    return {i: (r.state, r.score, r.misconception, r.seed) for i, r in graded.reports.items()}


def verdict(graded: Graded):
    report = graded.reports[EXERCISE]
    return report.state, report.score, report.misconception


def with_attack(source: str, place: Path, port: int) -> bytes:
    about = f"import torch\nCOURSE_ON_DISK, CLASS_ON_DISK, SERVER_PORT = {str(COURSE)!r}, {str(place)!r}, {port}"
    submitted = answered(QUICKSTART, {EXERCISE: source})
    at = submitted["cells"].index(cell(submitted, "quickstart-lora-forward"))
    submitted["cells"].insert(at + 1, code(TAIL))
    submitted["cells"].insert(at, code(about))
    return data(submitted)


def test_a_success_would_be_seen(attack, place, server):
    assert verdict(attack(with_attack("succeeded = ['something']", place, server[0])))[:2] == ("right", 4.0)


def test_an_honest_wrong_answer(attack, place, server):
    graded = attack(with_attack("succeeded = []", place, server[0]))
    assert verdict(graded) == HONEST
    assert (graded.notes, graded.needs_human) == ([], False)


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_scores_what_its_answer_is_worth(attack, place, server, name):
    assert ast.get_docstring(ast.parse(ATTACKS[name]))
    graded = attack(with_attack(ATTACKS[name], place, server[0]))
    if name == "poison_the_next":
        graded = attack(with_attack(ATTACKS[name], place, server[0]))  # the second looks for what the first one left
    assert verdict(graded) == LOST.get(name, HONEST), graded
    if name in SAID:
        assert graded.needs_human
        assert any(SAID[name] in note for note in graded.notes), graded.notes


def test_nothing_of_an_attack_is_left_running(attack, place, server):
    attack(with_attack(ATTACKS["daemon"], place, server[0]))
    assert any(b"autograder.grading.inside.zygote" in line for line in command_lines())  # this would see it
    assert not any(b"course-attack-daemon" in line for line in command_lines())


def command_lines() -> list[bytes]:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            lines.append(path.read_bytes())
    return lines


@pytest.mark.parametrize("name", ["network", "secrets"])
def test_without_the_sandbox_the_same_attack_succeeds(grader, place, server, name):
    """So it is the sandbox that stops it, and these attacks are attacks. (Of those that would do no harm here.)"""
    unsandboxed = Grader(released(QUICKSTART), sandboxed=False, limits=LIMITS)
    with unsandboxed:
        graded = unsandboxed.grade(with_attack(ATTACKS[name], place, server[0]), seed=5)
    assert bool(server[1]) == (name == "network")
    server[1].clear()
    assert not graded.sandboxed
    assert verdict(graded)[:2] == ("right", 4.0)


# --- attacks that are no code -----------------------------------------------------------------------------------------


def wrong() -> dict:
    """An honest wrong answer, to which the file's format is then bent."""
    return answered(QUICKSTART, {EXERCISE: "def lora_forward(x, W0, lora_A, lora_B):\n    return x @ W0.T"})


def changed(change) -> bytes:
    submitted = wrong()
    change(submitted)
    return data(submitted)


def check_of(submitted: dict) -> dict:
    return cell(submitted, "quickstart-lora-forward-check")


def twice(submitted: dict) -> None:
    submitted["cells"] += [json.loads(json.dumps(check_of(submitted))) for _ in range(2)]


def nine_points(submitted: dict) -> None:
    check_of(submitted)["metadata"]["nbgrader"]["points"] = 9.0


def own_check(submitted: dict) -> None:
    check_of(submitted)["source"] = "4.0"
    check_of(submitted)["outputs"] = [{"output_type": "execute_result", "data": {"text/plain": "4.0"}, "metadata": {}}]


def unlocked(submitted: dict) -> None:
    for one in submitted["cells"]:
        one["metadata"].pop("tags", None)
        if one["metadata"].get("nbgrader", {}).get("locked"):
            one["metadata"]["nbgrader"]["locked"] = False
            one["source"] = "raise SystemExit('this cell is not what it was')"


def another_grade_id(submitted: dict) -> None:
    about = {"grade_id": "../../gradebook.db", "grade": True, "points": 100, "locked": True, "solution": False}
    submitted["cells"].append(code("4.0") | {"metadata": {"nbgrader": about | {"schema_version": 3, "cell_type": "code"}}})
    submitted["cells"][-1]["id"] = "../../../etc/passwd"


def in_r(submitted: dict) -> None:
    submitted["metadata"] = {"kernelspec": {"name": "ir", "language": "R", "display_name": "R"}}


def huge_outputs(submitted: dict) -> None:
    text = "x" * 1_000_000
    submitted["cells"].append(code("1") | {"outputs": [{"output_type": "stream", "name": "stdout", "text": text}] * 100})


def half_a_character(submitted: dict) -> None:
    submitted["cells"].append(code("'\ud800' + 1"))


def strange_cells(submitted: dict) -> None:
    odd = {"nbgrader": {"grade_id": ["x"], "points": "9", "locked": 1}}
    submitted["cells"] += [None, 1, [], {}, {"cell_type": [], "source": {}, "metadata": 3}, {"source": [1, None], "metadata": []}]
    submitted["cells"].append(code("1") | {"metadata": odd})


BENT = {
    twice: "is there 3 times", nine_points: "the points of quickstart-lora-forward-check were changed",
    own_check: "the locked cell quickstart-lora-forward-check was changed", unlocked: "was changed; the released one counts",
    another_grade_id: None, in_r: "made for 'R'", huge_outputs: None, half_a_character: "raised", strange_cells: None,
    lambda submitted: submitted["cells"].remove(check_of(submitted)): "the check of quickstart.lora_forward was deleted",
    lambda submitted: submitted["cells"].pop(1): "setup cell",
}


@pytest.mark.parametrize("change", BENT, ids=lambda change: change.__name__)
def test_a_bent_notebook_scores_what_its_answer_is_worth(attack, change):
    graded = attack(changed(change))
    assert verdict(graded) == HONEST, graded
    assert BENT[change] is None or any(BENT[change] in note for note in graded.notes), graded.notes


def nested(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


NO_NOTEBOOKS = {
    "empty": b"",
    "text": b"print('hello')",
    "binary": os.urandom(10_000),
    "a list": b"[]",
    "a number": b"1e999",
    "nothing in it": b"{}",
    "cut off": data(wrong())[:-50],
    "utf-16": data(wrong()).decode().encode("utf-16")[:-1],
    "a pickle": b"\x80\x04cposix\nsystem\n(S'touch /tmp/pickled'\ntR.",
    "format 9": data(wrong() | {"nbformat": 9}),
    "no cells": data(wrong() | {"cells": []}),
    "cells that are none": data(wrong() | {"cells": {"a": 1}}),
    "deep": nested(100_000),
    "deep cells": b'{"nbformat": 4, "cells": ' + nested(90_000) + b"}",
    "too many cells": data(wrong() | {"cells": [{}] * 10_000}),
    "a huge cell": data(wrong() | {"cells": [code("#" * 5_000_000)]}),
    "20 MB of nothing": b'{"cells": [' + b"{}," * 7_000_000 + b"{}]}",
    "20 MB that are no JSON": b"[" * 20_000_000,
}


@pytest.mark.parametrize("name", NO_NOTEBOOKS)
def test_what_is_no_notebook_scores_nothing_and_waits_for_a_person(attack, name):
    graded = attack(NO_NOTEBOOKS[name])
    assert verdict(graded) == UNREADABLE
    assert graded.needs_human
    assert len(graded.notes) == 1 and "notebook" in graded.notes[0]
