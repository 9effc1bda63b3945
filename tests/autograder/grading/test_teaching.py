"""docs/teaching.md, carried out: its files written, its commands typed, from the first to the last."""

from __future__ import annotations

import json
import re
import shlex
import shutil

import pytest

from autograder import places
from autograder.publishing import build
from classes import course, nbgrader
from needs import need_sandbox
from students import QUICKSTART, hand_in

pytestmark = pytest.mark.xdist_group("nbgrader")

PAGE = (places.ROOT / "docs" / "teaching.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"(?ms)^```(python)?\n(.*?)^```$", PAGE)
COMMANDS = [line for language, block in BLOCKS if not language for line in block.splitlines()]
FILES = [block for language, block in BLOCKS if language]


def test_a_page_of_commands_is_what_it_is():
    """If the page were read wrongly, nothing below would be tried."""
    assert len(COMMANDS) > 12 and len(FILES) == 2
    assert {line.split()[1] for line in COMMANDS if line.startswith("course ")} == {
        "doctor", "build", "release", "grade", "report", "why", "regrade", "extend", "similar",
    }  # fmt: skip


def test_every_command_does_what_the_page_says(tmp_path, monkeypatch, open_class):
    need_sandbox()
    root = tmp_path / "course"
    folder = open_class(root / "class", QUICKSTART)  # what the first commands made, for another test has made it already
    (folder / "late_rule.py").write_text(FILES[0])
    with (folder / "nbgrader_config.py").open("a") as file:
        file.write("\n" + FILES[1])
    (folder / "students.csv").write_text("id,first_name,last_name,email,lms_user_id\nbob,Bob,Builder,bob@example.org,17\n")
    monkeypatch.setattr(build, "build", lambda *_: [])
    monkeypatch.setattr(build, "build_class", lambda *_: [])
    said: dict[str, str] = {}
    for line in COMMANDS:
        program, *arguments = shlex.split(line)
        if program == "nbgrader" and arguments[0] != "generate_assignment":
            said[line] = "".join(nbgrader(folder, *arguments))
        elif program == "course":
            if arguments[0] == "grade":
                collected(folder)
            said[line] = course(folder, *arguments)
        else:
            assert line.split()[0] in ("export", "cd", "nbgrader"), f"the page has a command that nobody tried: {line}"
    words = {arguments.split()[1]: text for arguments, text in said.items() if arguments.startswith("course ")}
    assert "00_quickstart is due on 2026-12-01 22:59 UTC." in words["release"]
    assert (root / "handout" / "chapters" / "due.yml").is_file()
    assert "00_quickstart: 2 submissions: 1 all right, 1 with mistakes." in words["grade"]
    assert "Asked again now, with the same inputs: the same report." in words["why"]
    assert "bob: nothing changed." in words["regrade"] and "bob has until 2026-12-04 22:59 UTC" in words["extend"]
    assert "2 students" in words["similar"]
    log = (folder / ".course" / "audit.jsonl").read_text().splitlines()
    assert [json.loads(line)["student"] for line in log] == ["bob", "bob"]
    page = (folder / "feedback" / "bob" / QUICKSTART / f"{QUICKSTART}.html").read_text()
    assert "Late submission penalty" in page
    shutil.rmtree(root)


def collected(folder):
    for student, like in (("ada", "right"), ("bob", "wrong")):
        hand_in(folder, like, QUICKSTART)
        (folder / "submitted" / like).rename(folder / "submitted" / student)
    (folder / "submitted" / "bob" / QUICKSTART / "timestamp.txt").write_text("2026-12-02 08:00:00 UTC")
