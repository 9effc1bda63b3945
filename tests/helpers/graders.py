"""Graders for the tests of grading, submissions of the quickstart with cells of one's own, and what was earned."""

from __future__ import annotations

import contextlib

from autograder.grading.enclosure import SandboxUnavailable
from autograder.grading.graded import Graded
from autograder.grading.grader import Grader
from autograder.grading.inside.limits import Limits
from needs import lack
from submissions import answered, cell, code, data, released

QUICKSTART, LORA, FORWARD = "00_quickstart", "08_lora", "quickstart.lora_forward"
SHORT = Limits(cell=1, cells=3, exercise=1)
RIGHT = "def lora_forward(x, W0, lora_A, lora_B):\n    return x @ W0.T + x @ lora_A.T @ lora_B.T"


@contextlib.contextmanager
def grader_of(assignment: str, **how):
    try:
        grader = Grader(released(assignment), **how).__enter__()
    except SandboxUnavailable as error:
        lack(str(error))
    with grader:
        yield grader


def earned(graded: Graded) -> dict[str, tuple]:
    return {i: (report.state, report.score) for i, report in graded.reports.items()}


def with_cells(*sources: str, answer: str = RIGHT) -> bytes:
    submitted = answered(QUICKSTART, {FORWARD: answer})
    at = submitted["cells"].index(cell(submitted, "quickstart-lora-forward"))
    submitted["cells"][at:at] = [code(source) for source in sources]
    return data(submitted)
