"""The `course` command, as a student types it: check and lab."""

import hashlib
import os
import re
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from nbgrader.server_extensions.validate_assignment.handlers import ValidateAssignmentHandler
from nbgrader.validator import Validator
from typer.testing import CliRunner

from autograder import commands, places
from autograder.notebooks.cells import with_answers
from autograder.notebooks.execute import Run
from autograder.publishing import chapter

pytestmark = pytest.mark.xdist_group("commands")

QUICKSTART = places.CHAPTERS / "00_quickstart.md"
EXERCISE = "quickstart.lora_forward"
WRONG = "def lora_forward(x, W0, lora_A, lora_B):\n    return x @ W0.T"


def course(*arguments):
    done = CliRunner().invoke(commands.app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception  # no traceback, whatever happens
    return done.exit_code, done.stdout


def words(text):
    """A table's text without its lines and line breaks: `what the check says` is folded."""
    return " ".join(text.split())


# --- course check ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def handed_out():
    return chapter.student_notebook(QUICKSTART)


@pytest.fixture(scope="module")
def checked(handed_out, tmp_path_factory):
    """One `course check` of a workbook with everything in it; the output by notebook, and the exit code."""
    folder = tmp_path_factory.mktemp("course")
    chapters, workbook = folder / "chapters", folder / "workbook"
    chapters.mkdir()
    workbook.mkdir()
    nbformat.write(handed_out, chapters / "00_quickstart.ipynb")

    mine = with_answers(handed_out, chapter.model_answers(QUICKSTART))
    mine.cells.insert(1, new_code_cell("# my own try\n1 / 0"))
    mine.cells.append(new_code_cell("import os; os.path.basename(os.getcwd()) == 'workbook' or 1 / 0"))
    demonstrations = [cell for cell in mine.cells if "demonstration" in cell.metadata.get("tags", [])]
    demonstrations[0].source = "raise SystemError('demonstrations are not run')"
    nbformat.write(mine, workbook / "00_quickstart.ipynb")
    newer = (chapters / "00_quickstart.ipynb").read_bytes().replace(b"three lines", b"two lines")
    (workbook / f"00_quickstart.new-{hashlib.sha256(newer).hexdigest()[:8]}.ipynb").write_bytes(newer)  # untouched
    nbformat.write(with_answers(handed_out, {EXERCISE: WRONG}), workbook / "00_quickstart.new-00000000.ipynb")  # worked in
    (workbook / "01_cut.ipynb").write_text('{"cells": [', encoding="utf-8")
    (workbook / "02_no_notebook.ipynb").write_text('{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}', encoding="utf-8")
    nbformat.write(with_answers(handed_out, {EXERCISE: "another_name = 1"}), workbook / "03_renamed.ipynb")
    nbformat.write(handed_out, workbook / "04_untouched.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "CHAPTERS", chapters)
        return course("check", workbook)


def section(said, name):
    """From the line of one notebook to the line of the next."""
    match = re.search(rf"(?ms)^{re.escape(name)}: \d.*?(?=^\S+: \d+ of \d+ points|^In all: |\Z)", said)
    assert match, said
    return match[0]


def test_check_marks_a_right_answer_and_names_the_students_own_broken_cell(checked):
    said = section(checked[1], "00_quickstart")
    assert said.startswith("00_quickstart: 4 of 4 points\n")
    assert re.search(rf"{re.escape(EXERCISE)} +✓ +4 of 4 +Right\.", said)
    assert said.count("raises") == 1
    assert "00_quickstart: your own cell that begins with `# my own try` raises ZeroDivisionError: division by zero\n" in said


def test_check_says_what_the_exercise_says(checked):
    said = section(checked[1], "00_quickstart.new-00000000")
    assert re.search(rf"{re.escape(EXERCISE)} +◐ +1 of 4 +This is the frozen layer alone\.", said)


def test_check_skips_a_release_laid_beside_that_nobody_touched(checked):
    assert re.findall(r"(?m)^(\S+): \d+ of", checked[1]) == ["00_quickstart", "00_quickstart.new-00000000"]


def test_check_says_which_name_it_misses(checked):
    assert "03_renamed: not attempted yet (1 exercise, 4 points)" in checked[1]


def test_check_gives_broken_files_a_sentence_and_ends_with_1(checked):
    code, said = checked
    assert code == 1
    assert "01_cut.ipynb is not a notebook: it is not JSON" in said
    assert "02_no_notebook.ipynb is not a notebook: " in said
    assert "Traceback" not in said


def test_check_gives_a_chapter_that_waits_one_line_and_ends_with_the_total(checked):
    lines = checked[1].splitlines()
    assert [line for line in lines if "04_untouched" in line] == ["04_untouched: not attempted yet (1 exercise, 4 points)"]
    assert lines[-1] == "In all: 5 of 16 points."  # 4 right, 1 of a known mistake, 0 renamed, 0 untouched


@pytest.fixture
def shelf(tmp_path, monkeypatch, handed_out):
    """A workbook, and a run that says what is asked for and how, without a kernel."""
    lora = chapter.student_notebook(places.CHAPTERS / "08_lora.md")
    names = {"00_quickstart": handed_out, "08_lora": lora, "08_lora.new-00000000": lora, "02b_other": handed_out}
    (tmp_path / "workbook").mkdir()
    for name, notebook in names.items():
        nbformat.write(notebook, tmp_path / "workbook" / f"{name}.ipynb")

    def execute(notebooks, workers, **how):
        said = {"lora.merge": ("right", 3.0, "Right."), "lora.gradient": ("not attempted", 0.0, "Not attempted yet.")}
        reports = {i: {"id": i, "state": state, "score": score, "message": says} for i, (state, score, says) in said.items()}
        return {name: Run(notebook, reports=reports) for name, notebook in notebooks.items()}

    monkeypatch.setattr(commands, "WORKBOOK", tmp_path / "workbook")
    monkeypatch.setattr(commands, "execute", execute)
    monkeypatch.chdir(tmp_path)
    return tmp_path / "workbook"


@pytest.mark.parametrize(
    ("asked", "marked"),
    [
        ([], ["00_quickstart", "02b_other", "08_lora", "08_lora.new-00000000"]),
        (["08"], ["08_lora", "08_lora.new-00000000"]),
        (["08_lora", "00"], ["00_quickstart", "08_lora", "08_lora.new-00000000"]),
        (["02b", "02b_other"], ["02b_other"]),
        (["workbook/08_lora.ipynb"], ["08_lora"]),
        (["workbook/08_lora.ipynb", "00"], ["08_lora", "00_quickstart"]),
        (["workbook"], ["00_quickstart", "02b_other", "08_lora", "08_lora.new-00000000"]),
    ],
)
def test_check_knows_a_chapter_by_its_number_and_its_name(shelf, asked, marked):
    _, said = course("check", *asked)
    assert re.findall(r"(?m)^(\d\S+): ", said) == marked


def test_check_of_no_chapter_is_a_sentence_and_marks_nothing(shelf):
    known = "00_quickstart, 02b_other, 08_lora, 08_lora.new-00000000"
    assert course("check", "00", "8") == (1, f"There is no chapter '8'; there are {known}.\n")
    assert course("check", "other/08_lora.ipynb")[1].startswith("There is no other/08_lora.ipynb: ")


def test_check_shows_what_was_tried_in_full_and_the_rest_in_a_line(shelf):
    _, said = course("check", "workbook/08_lora.ipynb")
    assert re.search(r"lora\.merge +✓ +3 of 3 +Right\.", said) and "Not attempted yet.\n" not in said
    [waiting] = re.findall(r"(?m)^Not attempted yet: (.*)\.$", said)
    assert "lora.gradient" in waiting.split(", ") and "lora.merge" not in waiting


def test_check_without_a_workbook_says_where_it_comes_from(tmp_path):
    none = tmp_path / "none"
    assert course("check", none) == (1, f"There is no {none}: `course lab` makes the workbook and opens it.\n")
    code, said = course("check", tmp_path)
    assert code == 1 and said.startswith(f"There is no notebook in {tmp_path}")


# --- course fits -----------------------------------------------------------------------------------------------------


def test_fits_says_the_items_the_peak_and_whether_it_fits(tmp_path):
    from courselib.qlora.memory import GB, peak_memory
    from courselib.qlora.shapes import SHAPES

    peak = peak_memory(SHAPES["llama-7b"], "qlora", 2, 1024, checkpointing=True).total / GB
    asked = ("fits", "llama-7b", "--method", "qlora", "--batch", "2", "--length", "1024", "--checkpointing")
    code, said = course(*asked, "--card", f"{peak + 0.1:.2f}")
    assert code == 0 and "It fits on" in said and re.search(rf"peak +│? *{peak:.2f}", said) and "activations" in said
    code, said = course(*asked, "--card", f"{peak - 0.1:.2f}")
    assert code == 1 and "It does not fit on" in said


def test_fits_knows_encoders_too():
    code, said = course("fits", "bert-base", "--method", "lora", "--card", "8")
    assert code == 0 and "It fits on 8 GB" in said and "adapters" in said


def test_fits_says_what_it_takes(tmp_path):
    code, said = course("fits", "llama-8x")
    assert code == 1 and "'llama-8x' is no config.json and none of" in words(said) and "llama-7b" in said
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    code, said = course("fits", tmp_path)
    assert code == 1 and "one of llama, mistral, qwen2, bert; 't5' came" in words(said)
    code, said = course("fits", "llama-7b", "--method", "half")
    assert code == 1 and "expected a method of full, lora, qlora; 'half' came." in words(said)
    (tmp_path / "config.json").write_text("{not json")
    code, said = course("fits", tmp_path)
    assert code == 1 and "is no JSON" in words(said)


# --- course lab ------------------------------------------------------------------------------------------------------


def test_lab_refreshes_the_workbook_and_becomes_jupyterlab(handed_out, tmp_path, monkeypatch):
    (tmp_path / "chapters").mkdir()
    nbformat.write(handed_out, tmp_path / "chapters" / "00_quickstart.ipynb")
    monkeypatch.setattr(commands, "CHAPTERS", tmp_path / "chapters")
    became = []
    monkeypatch.setattr(commands, "WORKBOOK", tmp_path / "workbook")
    monkeypatch.setattr(os, "execve", lambda *arguments: became.append(arguments))
    code, said = course("lab", "--no-browser")
    assert code == 0 and said.startswith("Copied into workbook: 00_quickstart.ipynb.\n")
    [(program, arguments, environment)] = became
    assert program == arguments[0] == sys.executable
    assert f"--ServerApp.root_dir={tmp_path / 'workbook'}" in arguments and "--no-browser" in arguments
    assert "--LabApp.default_url=/lab/tree/00_quickstart.ipynb" in arguments
    assert (tmp_path / "workbook" / "00_quickstart.ipynb").exists()
    assert environment["PATH"] == os.environ["PATH"]
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(commands, "WORKBOOK", tmp_path / "file")
    code, said = course("lab")
    assert code == 1 and said.endswith("move it away.\n") and len(became) == 1


def test_the_validate_button_skips_demonstrations(handed_out, tmp_path, monkeypatch):
    """nbgrader's own extension reads its configuration under the environment that `course lab` sets."""
    from autograder.notebooks.opening import lab_command

    notebook = with_answers(handed_out, {EXERCISE: WRONG})
    mark = new_code_cell(f"open({str(tmp_path / 'demonstrated')!r}, 'w').close()", metadata={"tags": ["demonstration"]})
    notebook.cells.insert(1, mark)
    nbformat.write(notebook, tmp_path / "wrong.ipynb")
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", lab_command(tmp_path, True)[1]["JUPYTER_CONFIG_PATH"])
    monkeypatch.chdir(tmp_path)
    config = ValidateAssignmentHandler.load_config(None)
    failed = Validator(config=config).validate(str(tmp_path / "wrong.ipynb"))["failed"]
    assert [cell["source"] for cell in failed] == [f'check("{EXERCISE}", lora_forward)']
    assert not (tmp_path / "demonstrated").exists()
