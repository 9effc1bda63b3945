"""The README's table of chapters and its picture show what is there, and what is to come as such."""

import re
from xml.etree import ElementTree

import pytest
import yaml

from autograder.exercises.exercise import AuthorError
from autograder.publishing import contents, syllabus

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def folder(tmp_path):
    """Two chapters that are written and one that is not."""
    given = {
        "chapters": {"00_start": "how to begin", "01_middle": "what then", "02_end": "and at last"},
        "needs": {"00_start": [], "01_middle": ["00_start"], "02_end": ["00_start", "01_middle"]},
        "rows": [],
    }
    (tmp_path / "syllabus.yml").write_text(yaml.safe_dump(given), encoding="utf-8")
    fence = "````\n# no word of these\n```\nnor of these\n````\n"
    (tmp_path / "00_start.md").write_text(f"# Five words\n\n{fence}\nin all.\n", encoding="utf-8")
    (tmp_path / "01_middle.md").write_text("Two words.\n\n```{exercise} lora.forward\n```\n", encoding="utf-8")
    return tmp_path


def test_words_are_those_outside_of_code_and_exercises_are_counted(folder):
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in contents.table(folder).splitlines()[2:]]
    name = folder.name
    assert rows == [
        [f"[00_start]({name}/00_start.ipynb)", "how to begin", "5", "0"],
        [f"[01_middle]({name}/01_middle.ipynb)", "what then", "2", "1"],
        ["02_end", "and at last", "to come", ""],
    ]


def test_a_chapter_stands_right_of_all_that_it_builds_on_and_no_box_covers_another(folder):
    for picture, names in ((contents.picture(folder), 3), (contents.picture(), len(syllabus.read()["chapters"]))):
        tree = ElementTree.fromstring(picture)
        boxes = [{k: float(r.get(k)) for k in ("x", "y", "width", "height")} for r in tree.iter(f"{SVG}rect") if r.get("x")]
        assert len(boxes) == names == len(list(tree.iter(f"{SVG}text")))
        for n, a in enumerate(boxes):
            assert all(abs(a["x"] - b["x"]) >= a["width"] or abs(a["y"] - b["y"]) >= a["height"] for b in boxes[:n])
        width, height = map(float, tree.get("viewBox").split()[2:])
        assert all(b["x"] + b["width"] <= width and b["y"] + b["height"] <= height for b in boxes)
        for line in tree.iter(f"{SVG}path"):
            start, end = re.match(r"M(\d+),.* (\d+),\d+$", line.get("d")).groups()
            assert int(start) < int(end)


def test_what_is_not_written_is_dashed(folder):
    dashed = [r.get("stroke-dasharray") is not None for r in ElementTree.fromstring(contents.picture(folder)).iter(f"{SVG}rect")]
    assert dashed == [False, False, False, True]  # the ground, and three chapters


def test_a_circle_is_refused_and_a_chapter_that_is_not_there_is_named(folder):
    read = syllabus.read(folder)
    read["needs"]["00_start"] = ["02_end"]
    (folder / "syllabus.yml").write_text(yaml.safe_dump(read), encoding="utf-8")
    with pytest.raises(AuthorError, match="need one another in a circle"):
        contents.picture(folder)
    read["needs"] = {"01_middle": ["0_nothing"]}
    (folder / "syllabus.yml").write_text(yaml.safe_dump(read), encoding="utf-8")
    assert syllabus.complaints(folder) == ["needs: there is no chapter '0_nothing'"]


def test_a_readme_without_the_marks_is_refused():
    with pytest.raises(AuthorError, match="are missing, so the contents have no place"):
        contents.with_table("# A page\n")
    made = contents.with_table(f"above\n{contents.BEGIN}\nold\n{contents.END}\nbelow\n")
    assert made.startswith(f"above\n{contents.BEGIN}\n| chapter |") and made.endswith(f"|\n{contents.END}\nbelow\n")
