"""A newer release and a student's answers: what is new is said, answers go over, and nothing is lost."""

import copy
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell
from typer.testing import CliRunner

from autograder import commands, places
from autograder.notebooks import carrying
from autograder.notebooks.cells import answer_name, with_answers
from autograder.notebooks.copies import EARLIER, refresh
from autograder.notebooks.edits import is_as_built
from autograder.notebooks.marking import read_notebook
from autograder.publishing import chapter

NAME = "08_lora"
FORWARD = "def lora_forward(*a):\n    return 'mine'"


@pytest.fixture(scope="module")
def releases(tmp_path_factory):
    """Two releases: the second has one exercise less, one more, another statement, another passage and another demonstration."""
    source = (places.CHAPTERS / f"{NAME}.md").read_text(encoding="utf-8")
    exercise = lambda name: re.search(rf"```{{exercise}} {name}\n.*?```\n", source, re.S)[0]  # noqa: E731
    second = source.replace(exercise("lora.truncate"), "").replace("All cells together compute", "All cells compute")
    first = source.replace(exercise("lora.merge"), "")
    second = re.sub(r"(:tags: \[demonstration\]\n\n)", r"\1# another line\n", second, count=1)
    made = []
    for place, text in enumerate((first, second)):
        path = tmp_path_factory.mktemp(f"release{place}") / f"{NAME}.md"
        path.write_text(text, encoding="utf-8")
        made.append(chapter.student_notebook(path))
    statement = next(cell for cell in made[1].cells if "### Exercise `lora.forward`" in cell.source)
    statement.source, statement["id"] = statement.source + "\nOne more hint.", "another"
    return made


@pytest.fixture
def mine(releases):
    """Work of a student on the first release, as JupyterLab saves it."""
    mine = with_answers(releases[0], {"lora.forward": FORWARD, "lora.truncate": "def lora_truncate(W, rank):\n    return W"})
    written = cell_of(mine, "lora.why_scale")
    written.source, written["attachments"] = "Because. ![](attachment:a.png)", {"a.png": {"image/png": "AAAA"}}
    mine.cells[2:2] = [new_code_cell("# my own try"), new_markdown_cell("A note to myself."), new_code_cell("  ")]
    next(cell for cell in mine.cells if "demonstration" in cell.metadata.get("tags", [])).source += "\nprint('seen')"
    return mine


def cell_of(notebook, exercise_id):
    return next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade_id") == answer_name(exercise_id))


def test_what_is_new_is_said_and_answers_go_over(releases, mine):
    first, second = (copy.deepcopy(release) for release in releases)
    assert carrying.is_release(mine, first) and not carrying.is_release(mine, second)
    new = carrying.renewed(mine, second)
    assert (new.new, new.changed, new.gone) == (["lora.merge"], ["lora.forward"], ["lora.truncate"])
    assert new.carried == ["lora.forward", "lora.why_scale"]
    assert new.around == 5  # reworded, demonstration; what stood around one exercise is one passage, around the other two
    assert new.left == 4  # own try, note, changed demonstration, the answer to what is gone; an empty cell is nothing
    assert cell_of(new.notebook, "lora.forward").source == FORWARD
    assert cell_of(new.notebook, "lora.why_scale").attachments == {"a.png": {"image/png": "AAAA"}}
    touched = [cell.id for cell in new.notebook.cells if not is_as_built(cell)]
    assert touched == ["another", answer_name("lora.forward"), answer_name("lora.why_scale")]
    assert carrying.is_release(new.notebook, second), "and then it is of the newest release"
    said = " ".join(new.sentences())
    assert "Look at these again, for what they ask changed: lora.forward." in said and "gone: lora.truncate" in said
    assert releases == [first, second], "neither release was changed"


def test_a_notebook_with_a_lost_cell_is_of_no_release_and_gets_it_back(releases):
    mine = copy.deepcopy(releases[0])
    mine.cells.remove(cell_of(mine, "lora.merge_checkpoint"))
    assert not carrying.is_release(mine, releases[0])
    new = carrying.renewed(mine, releases[0])
    assert (new.changed, new.new, new.carried, new.left) == (["lora.merge_checkpoint"], [], [], 0)
    assert new.notebook == releases[0]


@pytest.fixture
def course(releases, mine, tmp_path, monkeypatch):
    """A workbook of the first release, worked on, after the second has come."""
    chapters, workbook = tmp_path / "chapters", tmp_path / "workbook"
    chapters.mkdir()
    nbformat.write(releases[0], chapters / f"{NAME}.ipynb")
    refresh(chapters, workbook)
    nbformat.write(mine, workbook / f"{NAME}.ipynb")
    nbformat.write(releases[1], chapters / f"{NAME}.ipynb")
    monkeypatch.setattr(commands, "CHAPTERS", chapters)
    monkeypatch.setattr(commands, "WORKBOOK", workbook)
    return chapters, workbook


def update(*arguments, answer=None):
    done = CliRunner().invoke(commands.app, ["update", *arguments], input=answer)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.stdout


def files(workbook):
    return {str(path.relative_to(workbook)): path.read_bytes() for path in workbook.rglob("*") if path.is_file()}


def test_lab_names_the_command_and_the_command_asks(course):
    [said] = refresh(*course)
    assert f"`course update {NAME}` says what is new, and can bring your answers over" in said
    before = files(course[1])
    for answer in ("n\n", "\n", ""):  # no, nothing said, and nobody there
        said = update("08", answer=answer)
        assert "New exercises: lora.merge." in said and "Bring your answers over into it?" in said
        assert files(course[1]) == before


def test_the_old_copy_is_kept_and_the_new_one_follows_its_release(course, mine, releases):
    chapters, workbook = course
    refresh(chapters, workbook)
    old = (workbook / f"{NAME}.ipynb").read_bytes()
    said = update(answer="y\n")
    [kept] = (workbook / EARLIER).iterdir()
    assert f"Your old copy is workbook/earlier/{kept.name}." in said and kept.read_bytes() == old
    assert [path.name for path in workbook.glob("*.ipynb")] == [f"{NAME}.ipynb"], "the untouched release beside it is not needed"
    assert cell_of(read_notebook(workbook / f"{NAME}.ipynb"), "lora.forward").source == FORWARD
    assert refresh(chapters, workbook) == [], "no newer release is offered again"
    assert update() == f"{NAME} is of the newest release.\n"


def test_a_release_that_somebody_worked_in_stays_and_trouble_is_a_sentence(course):
    chapters, workbook = course
    refresh(chapters, workbook)
    [beside] = workbook.glob("*.new-*.ipynb")
    beside.write_bytes(beside.read_bytes() + b"\n")
    (workbook / EARLIER).write_text("a file of my own")
    said = update("--yes")
    assert re.search(rf"{NAME} stays as it is: the newer one could not be written \(File exists: .*earlier\)\.", said)
    (workbook / EARLIER).unlink()
    update("--yes")
    assert beside.is_file()
