"""Whatever is handed in, the class is graded: what cannot be read or written down costs itself, and an instructor is told."""

from __future__ import annotations

import base64
import csv
import json
import os
from pathlib import Path

import nbformat
import pytest

from classes import course, marks, nbgrader
from needs import need_sandbox
from students import QUICKSTART, declared, hand_in
from submissions import data, right

pytestmark = pytest.mark.xdist_group("grading")

PICTURE = base64.b64encode(bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c63f8ffff3f0005fe02fea7d6059b0000000049454e44ae426082"
)).decode()  # fmt: skip
DATES = {
    "far": "99999999999999999999999999", "early": "0001-01-01 00:00:00 +1400", "late": "9999-12-31 23:59:59 -1200",
    "odd": "\x00\x1b[2J", "relative": "tomorrow at noon", "long": "1" * 900, "zone": "2026-01-01 00:00:00 +99:99",
}  # fmt: skip


def put(folder: Path, student: str, submitted: bytes, timestamp: str = "") -> None:
    place = folder / "submitted" / student / QUICKSTART
    place.mkdir(parents=True)
    (place / f"{QUICKSTART}.ipynb").write_bytes(submitted)
    if timestamp:
        (place / "timestamp.txt").write_text(timestamp, encoding="utf-8")


def with_text(text: str, **more) -> dict:
    """A right answer with a Markdown cell of the student's own, and a locked name that is theirs."""
    submitted = right(QUICKSTART)
    submitted["cells"].insert(3, {"cell_type": "markdown", "metadata": {}, "source": text} | more)
    return submitted


def strange() -> dict[str, bytes]:
    half = json.dumps(with_text("x")).replace('"x"', '"half \\ud800 of a character"').encode()
    name = right(QUICKSTART)
    name["cells"].append({"cell_type": "code", "metadata": {"nbgrader": {"grade_id": "n"}}, "source": "pass"})
    deep = right(QUICKSTART)
    deep["metadata"]["deep"] = json.loads("[" * 900 + "]" * 900)
    return {
        "half": half,
        "halfname": data(name).replace(b'"grade_id": "n"', b'"grade_id": "\\udfff"'),
        "halfcode": data(right(QUICKSTART)).replace(b'"source": "import', b'"source": "# \\udc00\\nimport', 1),
        "deep": data(deep),
        "pages": data(with_text("<script>alert('gotcha')</script>, <img src=x onerror=alert(1)>\n\n![mine](attachment:p.png), "
                                "![lost](attachment:gone.png), the end", attachments={"p.png": {"image/png": PICTURE}})),
        "badpicture": data(with_text("![mine](attachment:p.png)", attachments={"p.png": {"image/png": 7}, "q": 3})),
        "=HYPERLINK(1)": data(right(QUICKSTART)),
    }


@pytest.fixture(scope="module")
def class_(tmp_path_factory, open_class, here) -> tuple[Path, str, str]:
    need_sandbox()
    folder = open_class(tmp_path_factory.mktemp("strange"), QUICKSTART)
    hand_in(folder, "right", QUICKSTART)
    for student, submitted in strange().items():
        put(folder, student, submitted)
    for student, timestamp in DATES.items():
        put(folder, student, data(right(QUICKSTART)), timestamp)
    put(folder, "empty", b"")
    put(folder, "escape\x1b[2Jd", data(right(QUICKSTART)))
    os.makedirs(os.fsencode(folder / "submitted") + b"/caf\xe9/" + QUICKSTART.encode())
    first = course(folder, "grade", QUICKSTART, *here, expect=1)
    again = course(folder, "grade", QUICKSTART, *here, expect=1)
    course(folder, "report", QUICKSTART)
    return folder, first, again


def test_everybody_has_the_marks_that_they_earned(class_):
    folder, _, _ = class_
    for student in ["right", *strange(), *DATES]:
        assert marks(folder, student, QUICKSTART) == full(folder, student), student
    assert set(filter(None, (marks(folder, "empty", QUICKSTART)[name] for name in declared("right", QUICKSTART)))) == set()


def full(folder: Path, student: str) -> dict:
    found = marks(folder, student, QUICKSTART)
    return found | declared("right", QUICKSTART)


def test_who_has_no_name_is_set_aside_with_a_sentence_and_nothing_steers_the_terminal(class_):
    _, first, again = class_
    for said in (first, again):
        assert "'caf\\udce9' in submitted/ was set aside: its name is not written in UTF-8. Rename it." in said
        assert "'escape\\x1b[2Jd' in submitted/ was set aside" in said
        assert "\x1b[2J" not in said and "Traceback" not in said


def test_nothing_is_graded_twice_and_nothing_is_left_undone(class_):
    _, first, again = class_
    assert "was not graded" not in first and "was not graded" not in again


def test_the_tables_hold_no_formula_and_the_pages_nothing_active(class_):
    folder, _, _ = class_
    for file in sorted((folder / "reports" / QUICKSTART).glob("*.csv")):
        for row in csv.reader(file.open(encoding="utf-8")):
            assert not [text for text in row if text.startswith("=")], file
    nbgrader(folder, "generate_feedback", QUICKSTART, "--student=pages")
    page = (folder / "feedback" / "pages" / QUICKSTART / f"{QUICKSTART}.html").read_text(encoding="utf-8")
    assert "gotcha" in page and "<script>alert('gotcha')" not in page and "onerror" not in page
    assert f"data:image/png;base64,{PICTURE}" in page and "the end" in page


def test_the_marked_notebooks_are_valid(class_):
    folder, _, _ = class_
    for student in [*strange(), *DATES]:
        nbformat.validate(nbformat.read(folder / "autograded" / student / QUICKSTART / f"{QUICKSTART}.ipynb", as_version=4))


def test_a_submission_that_the_gradebook_refuses_costs_itself_only(class_, monkeypatch):
    """Whatever the reason: the others are recorded, and the next run tries it again."""
    from autograder.grading import classwork
    from autograder.grading.classroom import classroom
    from autograder.grading.gradebook import Writer

    folder, _, _ = class_
    honest = Writer.record

    def record(self, submission, marked):
        if submission.student == "half":
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        honest(self, submission, marked)

    room = classroom(folder, QUICKSTART)
    lines = room.journal.read_text(encoding="utf-8").splitlines(keepends=True)
    room.journal.write_text("".join(line for line in lines if not ('"half"' in line and '"recorded"' in line)), encoding="utf-8")
    monkeypatch.setattr(classwork, "spread", lambda released, tasks, **how: pytest.fail("graded twice") if list(tasks) else None)
    monkeypatch.setattr(Writer, "record", record)
    how = dict(workers=1, scheduler=None, sandboxed=True, again=False)
    for _ in range(2):  # it is in the journal, and every run tries it first
        lost = classwork.grade_class(room, **how)
        assert list(lost) == ["half"] and "could not be written into the gradebook: UnicodeEncodeError" in lost["half"].why
    monkeypatch.setattr(Writer, "record", honest)
    assert classwork.grade_class(room, **how) == {}
