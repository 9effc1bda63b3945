"""Where things stand in a chapter's text: the line that an author is sent to is the right one, whatever stands above it."""

import pytest

from autograder.exercises.exercise import AuthorError
from autograder.publishing.chapter import cell_lines, chapter_sources, exercise_ids, source_notebook
from autograder.publishing.pieces import pieces

HEAD = "---\njupytext:\n  text_representation:\n    extension: .md\n    format_name: myst\n---\n\n# A chapter\n\n"  # 9 lines
QUOTED = "An author writes\n\n````\n```{exercise} lora.merge\n```\n\n```{code-cell} ipython3\nwhatever\n```\n````\n\n"  # 11 lines


def written(tmp_path, text):
    path = tmp_path / "08_demo.md"
    path.write_text(HEAD + text, encoding="utf-8")
    return path


def demonstration(code):
    return f"```{{code-cell}} ipython3\n:tags: [demonstration]\n\n{code}\n```\n\n"


def refused(path):
    with pytest.raises(AuthorError) as error:
        source_notebook(path)
    return str(error.value).removeprefix(f"{path}:").split(": ")[0]


def test_what_is_quoted_is_prose_and_shifts_no_line(tmp_path):
    """A quoted fence was counted as a cell: every line below it was then that of the cell before."""
    untagged = "```{code-cell} ipython3\n2\n```\n"
    path = written(tmp_path, QUOTED + demonstration("1 + 1") + "```{exercise} lora.forward\n```\n\n" + untagged)
    assert exercise_ids(path) == ["lora.forward"]
    assert [(piece.line, piece.code, piece.exercise) for piece in pieces(path)] == [
        (8, False, None), (24, True, None), (27, False, "lora.forward"), (31, True, None),
    ]  # fmt: skip
    assert refused(path) == "30"  # the cell without a tag
    assert QUOTED.strip() in source_notebook(written(tmp_path, QUOTED)).cells[0].source  # and reads as it was written


def test_a_marker_inside_a_list_is_prose_and_is_left_as_it_is(tmp_path):
    listed = "- one\n\n  ```{exercise} lora.merge\n  ```\n"
    assert source_notebook(written(tmp_path, listed)).cells[0].source.endswith(listed.strip())


@pytest.mark.parametrize("above", ["", "x = 1\n" * 40])
def test_of_two_cells_that_begin_alike_the_right_one_is_named(tmp_path, above):
    """The first 200 characters of a cell were looked for, and found where another cell began with them."""
    fine, bad = demonstration(above + "y = 2"), demonstration(above + "y = 2\nlora_merge")
    path = written(tmp_path, fine + "```{exercise} lora.merge\n```\n\n" + bad)
    lines = path.read_text(encoding="utf-8").splitlines()
    assert refused(path) == str(lines.index("lora_merge") + 1)


def test_a_marker_that_holds_something_and_a_cell_that_cannot_be_read_are_refused_at_their_line(tmp_path):
    assert refused(written(tmp_path, QUOTED + "```{exercise} lora.merge\nwhat is this?\n```\n")) == "21"
    assert refused(written(tmp_path, QUOTED + "```{code-cell} ipython3\n:tags: [a\n:b: ]]\n\n1\n```\n")) == "21"


@pytest.mark.parametrize("path", chapter_sources(), ids=lambda path: path.stem)
def test_every_cell_of_the_course_is_where_its_line_says(path):
    lines, at = path.read_text(encoding="utf-8").splitlines(), cell_lines(path)
    notebook = source_notebook(path)
    assert list(at) == [cell.id for cell in notebook.cells]
    for cell in notebook.cells:
        made = lines[at[cell.id] - 1]
        assert made == cell.source.split("\n")[0] or made.startswith("```{exercise}"), cell.id
