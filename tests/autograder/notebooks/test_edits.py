"""A notebook that was edited by hand is not overwritten unasked, and its author is told which text to edit instead."""

import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from autograder import places
from autograder.exercises.exercise import AuthorError
from autograder.notebooks import edits
from autograder.publishing import build, chapter

QUICKSTART = places.CHAPTERS / "00_quickstart.md"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / QUICKSTART.name).write_text(QUICKSTART.read_text(encoding="utf-8"), encoding="utf-8")
    build.build(tmp_path)
    return tmp_path


def place(notebook, text):
    return next(i for i, cell in enumerate(notebook.cells) if text in cell.source)


def reworded(notebook):
    cell = notebook.cells[place(notebook, "A pretrained network knows")]
    cell.source = cell.source.replace("a great deal", "very much")


def another_line_in_the_setup(notebook):
    notebook.cells[place(notebook, "import torch")].source += "\nimport math"


def an_answer(notebook):
    cell = notebook.cells[place(notebook, "    raise NotImplementedError")]
    cell.source = cell.source.split("    raise")[0] + "    return x"


def other_points(notebook):
    notebook.cells[place(notebook, "check(\"quick")].metadata.nbgrader.points = 5


def added_prose(notebook):
    notebook.cells.insert(3, new_markdown_cell("A remark."))


def added_code(notebook):
    notebook.cells.insert(3, new_code_cell("1 + 1"))


EDITS = {  # what a hand does: what the sentence names, and a piece of the line of the source that it sends to
    reworded: ("`# 00 · Quickstart", "# 00 · Quickstart"),
    another_line_in_the_setup: ("`import torch`", "import torch"),
    an_answer: ("quickstart-lora-forward", "```{exercise}"),
    other_points: ("quickstart-lora-forward-check", "```{exercise}"),
    added_prose: ("`A remark.`", None),
    added_code: ("`1 + 1`", None),
}


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.__name__)
def test_an_edited_notebook_is_kept_named_and_overwritten_only_by_force(folder, edit):
    path, source = folder / "00_quickstart.ipynb", folder / QUICKSTART.name
    fresh, notebook = path.read_bytes(), nbformat.read(path, as_version=4)
    edit(notebook)
    nbformat.write(notebook, path)
    mine = path.read_bytes()
    with pytest.raises(AuthorError) as error:
        build.build(folder)
    named, line = EDITS[edit]
    at, by_hand = f"{re.escape(str(source))}:(\\d+)", f"{re.escape(str(path))} was edited by hand in (.*)"
    match = re.fullmatch(rf"{at}: {by_hand}\. It is .*", str(error.value))
    assert match and named in match[2] and "`course build --force` overwrites it" in str(error.value)
    if line:
        assert line in source.read_text(encoding="utf-8").splitlines()[int(match[1]) - 1]
    else:
        assert int(match[1]) == chapter.cell_lines(source)[notebook.cells[2].id]  # the cell above the one that was added
    assert path.read_bytes() == mine and build.stale(folder) == [str(error.value)]
    assert build.build(folder, force=True) == [path] and path.read_bytes() == fresh


def test_nothing_is_written_when_one_notebook_is_refused(folder):
    (folder / "01_other.md").write_text("# Another chapter\n", encoding="utf-8")
    (folder / "00_quickstart.ipynb").write_text('{"cells": [<<<<<<<', encoding="utf-8")
    with pytest.raises(AuthorError, match="this is no notebook that a build made"):
        build.build(folder)
    assert not (folder / "01_other.ipynb").exists()
    assert len(build.build(folder, force=True)) == 2


def test_what_an_older_build_made_is_no_edit_and_what_is_stale_is_named(folder):
    """Also when it was run since, and holds outputs."""
    path, source = folder / "00_quickstart.ipynb", folder / QUICKSTART.name
    notebook = nbformat.read(path, as_version=4)
    ran = notebook.cells[place(notebook, "import torch")]
    ran.outputs, ran.execution_count = [new_output("stream", text="hello")], 3
    nbformat.write(notebook, path)
    [said] = build.stale(folder)
    assert said.startswith(f"{path}: holds cells, outputs or settings")
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("import torch\n", "import math\n\nimport torch\n", 1), encoding="utf-8")
    line = source.read_text(encoding="utf-8").splitlines().index("import math") + 1
    assert build.stale(folder) == [f"{path}: the cell `import math` is not what {source}:{line} makes today; run `course build`"]
    assert build.build(folder) == [path] and build.stale(folder) == []


def test_the_build_of_a_class_keeps_what_the_instructor_changed(folder, tmp_path):
    [path] = build.build_class(tmp_path / "class", folder)
    first = path.read_bytes()
    assert build.build_class(tmp_path / "class", folder) == [path] and path.read_bytes() == first
    notebook = nbformat.read(path, as_version=4)
    cell = notebook.cells[place(notebook, "### BEGIN SOLUTION")]
    cell.source = cell.source.replace("### BEGIN SOLUTION", "### BEGIN SOLUTION\n    # as in the lecture")
    nbformat.write(notebook, path)
    with pytest.raises(AuthorError, match="was edited by hand in its cell quickstart-lora-forward"):
        build.build_class(tmp_path / "class", folder)
    assert b"as in the lecture" in path.read_bytes()
    build.build_class(tmp_path / "class", folder, force=True)
    assert path.read_bytes() == first


def test_no_cell_of_the_course_looks_edited():
    for source in chapter.chapter_sources():
        assert edits.first_edit(nbformat.read(source.with_suffix(".ipynb"), as_version=4)) is None


def test_two_builds_that_git_has_merged_are_no_edit(folder):
    """Cells of an older build beside those of today, in an order that none made: nothing in it was written by hand."""
    path, source = folder / "00_quickstart.ipynb", folder / QUICKSTART.name
    text = source.read_text(encoding="utf-8")
    source.write_text(text.replace("A pretrained network knows", "A network knows"), encoding="utf-8")
    older, fresh = nbformat.read(path, as_version=4), path.read_bytes()
    build.build(folder)
    both = nbformat.read(path, as_version=4)
    both.cells = [both.cells[0], *older.cells[:4], *reversed(both.cells[4:7])]
    nbformat.write(both, path)
    source.write_text(text, encoding="utf-8")
    assert "by hand" not in build.stale(folder)[0]
    assert build.build(folder) == [path] and path.read_bytes() == fresh
