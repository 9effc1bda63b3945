"""Attacks on grading. Each file of `attacks/` is what a student might hand in; each has to score what its answer is worth.

An attack that gets something it should not have notes it in `succeeded`, and then answers right: so a success shows as full
marks. All others answer as an honest student with a known mistake does (1 of 4 points), or lose the exercise by what they do to
their own process. After each, an honest submission has to get the very marks it got before.
"""

from __future__ import annotations

import ast
import contextlib
from pathlib import Path

import pytest

from autograder import places
from autograder.grading.grader import Grader
from submissions import EXERCISE, QUICKSTART, answered, cell, code, data, released, verdict

pytestmark = pytest.mark.xdist_group("attacks")

COURSE = places.ROOT
ATTACKS = {path.stem: path.read_text(encoding="utf-8") for path in sorted(Path(__file__).with_name("attacks").glob("*.py"))}
HONEST = ("partial", 1.0, "base_only")
CRASHED, TIMED_OUT, UNREADABLE = ("crashed", 0.0, None), ("timed out", 0.0, None), ("unreadable", 0.0, None)
LOST = {  # what an attack does to its own process, and what it costs
    "exit": CRASHED, "exit_in_the_answer": CRASHED, "segfault": CRASHED, "memory_of_many": CRASHED,
    "memory_that_is_shared": CRASHED, "killed_in_the_answer": CRASHED,
    "hang": TIMED_OUT, "hang_in_the_answer": TIMED_OUT, "flood_in_the_answer": ("flooded", 0.0, None),
    "huge_answer": UNREADABLE, "strange_answers": UNREADABLE, "garbage_on_the_channel": UNREADABLE,
    "forged_answers": UNREADABLE, "replaced_modules": UNREADABLE, "patched_kernel": ("not attempted", 0.0, None),
}
SAID = {  # what the instructor reads
    "memory_of_many": "it used too much (memory)", "memory_that_is_shared": "it used too much (memory)",
    "garbage_on_the_channel": "it stopped answering (unreadable)",
    "forged_answers": "was not made by the course's own code", "replaced_modules": "was not made by the course's own code",
}
TAIL = '''

def right(x, W0, lora_A, lora_B):
    return x @ W0.T + x @ lora_A.T @ lora_B.T


if "lora_forward" not in globals():
    def lora_forward(x, W0, lora_A, lora_B):
        return right(x, W0, lora_A, lora_B) if globals().get("succeeded") else torch.nn.functional.linear(x, W0)
'''


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
    unsandboxed = Grader(released(QUICKSTART), sandboxed=False, limits=grader.limits)
    with unsandboxed:
        graded = unsandboxed.grade(with_attack(ATTACKS[name], place, server[0]), seed=5)
    assert bool(server[1]) == (name == "network")
    server[1].clear()
    assert not graded.sandboxed
    assert verdict(graded)[:2] == ("right", 4.0)
