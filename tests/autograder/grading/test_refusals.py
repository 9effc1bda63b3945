"""Every way to a mark refuses while what was handed out is not what the course marks, and leaves every mark as it was."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from nbgrader.api import Gradebook

from classes import course, marks, nbgrader
from needs import need_sandbox
from students import QUICKSTART, hand_in

pytestmark = pytest.mark.xdist_group("grading")
CHECK = "quickstart-lora-forward-check"


@pytest.fixture(scope="module")
def room(tmp_path_factory, open_class, here) -> Path:
    """One student, graded and reported while all agreed; another, who has handed in since."""
    need_sandbox()
    folder = open_class(tmp_path_factory.mktemp("class"), QUICKSTART)
    hand_in(folder, "right", QUICKSTART)
    course(folder, "grade", QUICKSTART, *here)
    course(folder, "report", QUICKSTART)
    hand_in(folder, "wrong", QUICKSTART)
    return folder


@pytest.fixture(params=["the release", "the gradebook"])
def bent(room, request):
    """The class with 9 points for an exercise of 4 in one of the two copies; afterwards as it was."""
    if request.param == "the release":
        path = room / "release" / QUICKSTART / f"{QUICKSTART}.ipynb"
        before = path.read_text(encoding="utf-8")
        notebook = json.loads(before)
        check = next(c for c in notebook["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == CHECK)
        check["metadata"]["nbgrader"]["points"] = 9
        path.chmod(0o644)
        path.write_text(json.dumps(notebook), encoding="utf-8")
        yield room, "has 9 points in the released notebook and 4 points in the course"
        path.write_text(before, encoding="utf-8")
    else:
        _record(room, 9)
        yield room, "has 4 points in the released notebook and 9 points in the gradebook"
        _record(room, 4)


def _record(room: Path, most: float) -> None:
    with Gradebook(f"sqlite:///{room / 'gradebook.db'}") as book:
        book.find_grade_cell(CHECK, QUICKSTART, QUICKSTART).max_score = most
        book.db.commit()


@pytest.mark.parametrize("command", ["course grade", "course report", "nbgrader autograde"])
def test_it_refuses_in_a_sentence_and_leaves_all_marks(bent, command):
    room, told = bent
    journal, reports = room / ".course" / f"{QUICKSTART}.jsonl", room / "reports"
    before = journal.read_bytes(), {path: path.read_bytes() for path in reports.rglob("*.*")}
    if command == "nbgrader autograde":
        _, sentence = nbgrader(room, "autograde", QUICKSTART, expect=1)
    else:
        sentence = course(room, command.split()[1], QUICKSTART, *(["--workers", "1"] if "grade" in command else []), expect=1)
        assert len(sentence.splitlines()) == 1, "one sentence, and no progress bar before it"
    assert f"quickstart.lora_forward {told}" in sentence
    assert f"`nbgrader generate_assignment {QUICKSTART} --force`" in sentence
    assert str(room) in sentence
    assert (journal.read_bytes(), {path: path.read_bytes() for path in reports.rglob("*.*")}) == before
    assert marks(room, "right", QUICKSTART) == {CHECK: 4.0}
    assert not list((room / "autograded").glob("wrong/**/*.ipynb"))
