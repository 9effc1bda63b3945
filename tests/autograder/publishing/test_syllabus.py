"""The syllabus names only what exists, and covers every row it set out to cover."""

import copy

import pytest
import yaml

from autograder.publishing import syllabus


def test_every_row_is_there_once():
    numbers = sorted(row["number"] for row in syllabus.read()["rows"])
    assert numbers == [n for n in range(1, 253) if n != 220]  # 220 is left out on purpose


def test_what_the_syllabus_names_exists():
    assert syllabus.complaints() == []


def test_rows_of_a_chapter_that_exists_are_built():
    """A chapter may not be in the house with rows still open: each says at least in which section it is."""
    rows = [row for row in syllabus.read()["rows"] if (syllabus.CHAPTERS / f"{row['chapter']}.md").exists()]
    assert rows, "no chapter with rows exists"
    assert [row["number"] for row in rows if "section" not in row] == []


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"section": "No such heading"}, "no heading 'No such heading'"),
        ({"courselib": "courselib.lora.no_such_name"}, "there is no courselib.lora.no_such_name"),
        ({"courselib": "courselib.no_such_module.f"}, "there is no courselib.no_such_module.f"),
        ({"exercise": "lora.no_such_exercise"}, "no exercise 'lora.no_such_exercise'"),
        ({"chapter": "99_nothing"}, "no chapter '99_nothing'"),
    ],
)
def test_a_wrong_entry_is_found(tmp_path, change, complaint):
    whole = syllabus.read()
    row = copy.deepcopy(next(r for r in whole["rows"] if r["number"] == 139))
    (tmp_path / "08_lora.md").write_text((syllabus.CHAPTERS / "08_lora.md").read_text(encoding="utf-8"), encoding="utf-8")
    for entry, expected in [(row, 0), (row | change, 1)]:
        (tmp_path / "syllabus.yml").write_text(yaml.safe_dump({"chapters": whole["chapters"], "rows": [entry]}), encoding="utf-8")
        found = syllabus.complaints(tmp_path)
        assert len(found) == expected
    assert complaint in found[0]
