"""Attacks that are no code: a notebook bent in its format scores what its answer is worth, and what is none scores nothing."""

from __future__ import annotations

import json
import os

import pytest

from submissions import EXERCISE, QUICKSTART, answered, cell, code, data, verdict

pytestmark = pytest.mark.xdist_group("attacks")


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
    assert verdict(graded) == ("partial", 1.0, "base_only"), graded
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
    assert verdict(graded) == ("unreadable", 0.0, None)
    assert graded.needs_human
    assert len(graded.notes) == 1 and "notebook" in graded.notes[0]
