"""The student's workbook: refreshed at every `course lab`, and no work is ever lost."""

import hashlib
import json
import os

import pytest

from autograder.notebooks.copies import RECORD, refresh

FIRST, SECOND, THIRD = b"first release", b"second release", b"third release"


@pytest.fixture
def course(tmp_path):
    chapters = tmp_path / "chapters"
    chapters.mkdir()
    (chapters / "08_lora.ipynb").write_bytes(FIRST)
    (chapters / "08_lora.md").write_text("the source of the course is not for the workbook")
    return chapters, tmp_path / "workbook"


def notebooks(workbook):
    return {path.name: path.read_bytes() for path in workbook.glob("*.ipynb")}


def beside(content):
    return f"08_lora.new-{hashlib.sha256(content).hexdigest()[:8]}.ipynb"


def work_on(workbook, content=b"first release, and my answers"):
    (workbook / "08_lora.ipynb").write_bytes(content)
    return content


def test_absent_notebooks_are_copied_once(course):
    chapters, workbook = course
    assert refresh(chapters, workbook) == ["Copied into workbook: 08_lora.ipynb."]
    assert notebooks(workbook) == {"08_lora.ipynb": FIRST}
    before = {path: path.stat().st_mtime_ns for path in workbook.iterdir()}
    assert refresh(chapters, workbook) == []
    assert {path: path.stat().st_mtime_ns for path in workbook.iterdir()} == before
    (workbook / "08_lora.ipynb").unlink()  # the student wants a fresh one
    refresh(chapters, workbook)
    assert notebooks(workbook) == {"08_lora.ipynb": FIRST}


def test_an_untouched_notebook_follows_the_releases(course):
    chapters, workbook = course
    refresh(chapters, workbook)
    for release in (SECOND, THIRD):
        (chapters / "08_lora.ipynb").write_bytes(release)
        [said] = refresh(chapters, workbook)
        assert said.startswith("08_lora.ipynb was updated to the newer release")
        assert notebooks(workbook) == {"08_lora.ipynb": release}


def test_work_is_left_alone(course):
    chapters, workbook = course
    refresh(chapters, workbook)
    mine = work_on(workbook)
    assert refresh(chapters, workbook) == []
    assert notebooks(workbook) == {"08_lora.ipynb": mine}


def test_a_newer_release_lands_beside_work_once(course):
    chapters, workbook = course
    refresh(chapters, workbook)
    mine = work_on(workbook)
    (chapters / "08_lora.ipynb").write_bytes(SECOND)
    said = refresh(chapters, workbook)
    assert len(said) == 1 and beside(SECOND) in said[0] and "newer release" in said[0]
    assert notebooks(workbook) == {"08_lora.ipynb": mine, beside(SECOND): SECOND}
    assert refresh(chapters, workbook) == []
    (workbook / beside(SECOND)).unlink()  # seen and not wanted
    assert refresh(chapters, workbook) == []
    assert notebooks(workbook) == {"08_lora.ipynb": mine}

    (chapters / "08_lora.ipynb").write_bytes(THIRD)
    assert len(refresh(chapters, workbook)) == 1
    assert notebooks(workbook) == {"08_lora.ipynb": mine, beside(THIRD): THIRD}


def test_taking_the_newer_release_over_ends_the_matter(course):
    chapters, workbook = course
    refresh(chapters, workbook)
    work_on(workbook)
    (chapters / "08_lora.ipynb").write_bytes(SECOND)
    refresh(chapters, workbook)
    os.replace(workbook / beside(SECOND), workbook / "08_lora.ipynb")
    assert refresh(chapters, workbook) == []
    mine = work_on(workbook, b"second release, and my answers")
    assert refresh(chapters, workbook) == []
    assert notebooks(workbook) == {"08_lora.ipynb": mine}


def test_work_in_the_copy_beside_is_work_too(course):
    chapters, workbook = course
    refresh(chapters, workbook)
    mine = work_on(workbook)
    (chapters / "08_lora.ipynb").write_bytes(SECOND)
    refresh(chapters, workbook)
    (workbook / beside(SECOND)).write_bytes(b"second release, and my answers")
    (workbook / RECORD).unlink()
    assert refresh(chapters, workbook) == []
    assert notebooks(workbook) == {"08_lora.ipynb": mine, beside(SECOND): b"second release, and my answers"}


@pytest.mark.parametrize(
    "damage",
    [None, b"", b"\xff", b"[]", b'{"08_lora.ipynb": {"han', b'{"08_lora.ipynb": "x"}', b'{"08_lora.ipynb": {"handed_out": 1}}'],
)
def test_without_its_record_everything_has_work_in_it(course, damage):
    chapters, workbook = course
    refresh(chapters, workbook)
    (workbook / RECORD).unlink() if damage is None else (workbook / RECORD).write_bytes(damage)
    (chapters / "08_lora.ipynb").write_bytes(SECOND)
    assert len(refresh(chapters, workbook)) == 1
    assert notebooks(workbook) == {"08_lora.ipynb": FIRST, beside(SECOND): SECOND}
    assert json.loads((workbook / RECORD).read_text())  # and the record is sound again
    assert refresh(chapters, workbook) == []


def test_what_the_course_dropped_stays(course):
    chapters, workbook = course
    refresh(chapters, workbook)
    mine = work_on(workbook)
    (chapters / "08_lora.ipynb").unlink()
    assert refresh(chapters, workbook) == ["08_lora.ipynb is no longer part of the course; your copy stays."]
    assert refresh(chapters, workbook) == []
    assert notebooks(workbook) == {"08_lora.ipynb": mine}


def test_what_cannot_be_read_is_said_and_the_rest_goes_on(course):
    chapters, workbook = course
    (workbook / "08_lora.ipynb").mkdir(parents=True)
    (chapters / "09_peft.ipynb").write_bytes(FIRST)
    said = refresh(chapters, workbook)
    assert any("08_lora.ipynb could not be read and was left alone" in sentence for sentence in said)
    assert (workbook / "09_peft.ipynb").read_bytes() == FIRST


def test_a_file_in_the_place_of_the_workbook_is_refused(course):
    chapters, workbook = course
    workbook.write_text("my notes")
    with pytest.raises(NotADirectoryError, match="is a file"):
        refresh(chapters, workbook)
    assert workbook.read_text() == "my notes"


@pytest.mark.parametrize("broken", ["fsync", "replace"])
def test_an_interruption_loses_nothing(tmp_path, monkeypatch, broken):
    """Stop at the first write, the second, and so on: at each stop every notebook is whole, and the next call finishes."""
    chapters, names = tmp_path / "chapters", ("00_new", "01_untouched", "02_worked_on")
    chapters.mkdir()
    real, stops = getattr(os, broken), 0
    for steps in range(20):
        workbook = tmp_path / f"workbook-{steps}"
        for name in names[1:]:
            (chapters / f"{name}.ipynb").write_bytes(FIRST)
        (chapters / "00_new.ipynb").unlink(missing_ok=True)
        refresh(chapters, workbook)
        (workbook / "02_worked_on.ipynb").write_bytes(b"mine")
        for name in names:
            (chapters / f"{name}.ipynb").write_bytes(SECOND)
        left = iter([True] * steps)

        def stop(*arguments, left=left):
            if not next(left, False):
                raise KeyboardInterrupt
            return real(*arguments)

        monkeypatch.setattr(os, broken, stop)
        try:
            refresh(chapters, workbook)
            finished = True
        except KeyboardInterrupt:
            finished, stops = False, stops + 1
        monkeypatch.setattr(os, broken, real)
        found = notebooks(workbook)
        assert found["02_worked_on.ipynb"] == b"mine"
        assert found["01_untouched.ipynb"] in (FIRST, SECOND)
        assert all(content == SECOND for name, content in found.items() if name[:2] == "00" or ".new-" in name)
        assert not list(workbook.glob(".*.part"))
        refresh(chapters, workbook)
        done = {"00_new.ipynb": SECOND, "01_untouched.ipynb": SECOND, "02_worked_on.ipynb": b"mine"}
        assert notebooks(workbook) == done | {beside(SECOND).replace("08_lora", "02_worked_on"): SECOND}
        assert refresh(chapters, workbook) == []
        if finished:
            break
    assert finished and stops == 6  # three notebooks and their three records
