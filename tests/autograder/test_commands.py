"""The `course` command, as a user types it: build, run, check, lab. (`course release` has its own file.)"""

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
HEAD = "---\njupytext:\n  text_representation:\n    extension: .md\n    format_name: myst\n---\n\n# A chapter\n\n"
WRONG = "def lora_forward(x, W0, lora_A, lora_B):\n    return x @ W0.T"


def course(*arguments):
    done = CliRunner().invoke(commands.app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception  # no traceback, whatever happens
    return done.exit_code, done.stdout


def words(text):
    """A table's text without its lines and line breaks: `what the check says` is folded."""
    return " ".join(text.split())


@pytest.fixture
def chapters(tmp_path, monkeypatch):
    folder = tmp_path / "chapters"
    folder.mkdir()
    (folder / QUICKSTART.name).write_text(QUICKSTART.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(commands, "CHAPTERS", folder)
    return folder


# --- course build ----------------------------------------------------------------------------------------------------


def test_build_writes_what_it_checks(chapters, tmp_path):
    notebook = chapters / "00_quickstart.ipynb"
    assert course("build", "--check") == (1, f"{notebook}: missing; run `course build`\n")
    assert not notebook.exists()
    code, said = course("build", "--class-folder", tmp_path / "class")
    assert code == 0 and str(notebook) in said and "keep them to yourself" in said
    assert course("build", "--check") == (0, "")
    source = nbformat.read(tmp_path / "class" / "source" / "00_quickstart" / "00_quickstart.ipynb", as_version=4)
    assert any("BEGIN SOLUTION" in cell.source for cell in source.cells)
    assert "BEGIN SOLUTION" not in notebook.read_text(encoding="utf-8")
    notebook.write_text(notebook.read_text(encoding="utf-8").replace("Quickstart", "Slowstart"), encoding="utf-8")
    code, said = course("build", "--check")
    assert code == 1 and str(notebook) in said and "Slowstart" in notebook.read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [["build"], ["build", "--check"], ["run"], ["release", "--to"]])
def test_an_authors_mistake_is_one_line(chapters, tmp_path, command):
    path = chapters / "01_wrong.md"
    path.write_text(HEAD + "```{exercise} quickstart.nothing\n```\n", encoding="utf-8")
    target = [tmp_path / "to"] if command[-1] == "--to" else []
    code, said = course(*command, *target)
    assert code == 1 and re.fullmatch(rf"{re.escape(str(path))}:10: there is no exercise 'quickstart.nothing'.*\n", said)
    assert not list(chapters.glob("*.ipynb")) and not (tmp_path / "to").exists()


# --- course run ------------------------------------------------------------------------------------------------------

NOISY = HEAD + """
```{code-cell} ipython3
:tags: [demonstration]

import sys
print("a warning", file=sys.stderr)
```

```{code-cell} ipython3
:tags: [demonstration]

# this cell fails
{}["key"]
```

```{code-cell} ipython3
:tags: [demonstration]

import socket; socket.create_connection(("192.0.2.1", 80), 1)
```
"""


def test_run_names_whatever_is_wrong_in_a_chapter_and_runs_the_others(chapters, tmp_path):
    (chapters / "01_noisy.md").write_text(NOISY, encoding="utf-8")
    code, said = course("run", "--workers", "2", "--save", tmp_path / "executed")
    assert code == 1
    assert re.search(r"00_quickstart +\d+\.\d +\d+\.\d +4 of 4 +0 +0 ", said)
    assert re.search(r"01_noisy +\d+\.\d +\d+\.\d +0 of 0 +2 +1 ", said)
    assert "01_noisy: cell 3 (`# this cell fails`) raised KeyError: 'key'\n" in said
    assert re.search(r"01_noisy: cell 4 .* raised OSError: the network is refused here", said)
    assert "01_noisy: on stderr: a warning\n" in said
    saved = {path.stem: nbformat.read(path, as_version=4) for path in (tmp_path / "executed").iterdir()}
    assert set(saved) == {"00_quickstart", "01_noisy"}
    assert any("largest output" in str(cell.get("outputs")) for cell in saved["00_quickstart"].cells)  # demonstrations are run


def test_run_takes_chapters_by_name_or_number_and_can_leave_them_unanswered(chapters):
    (chapters / "01_noisy.md").write_text(NOISY, encoding="utf-8")
    code, said = course("run", "00", "--as-handed-out")
    assert code == 0 and re.search(r"00_quickstart +\d+\.\d +\d+\.\d +0 of 4 +0 +0 ", said) and "01_noisy" not in said
    assert course("run", "0") == (1, "There is no chapter '0'; there are 00_quickstart, 01_noisy.\n")


def test_run_asks_for_full_marks(chapters, monkeypatch):
    def execute_poorly(notebooks, workers):
        return {name: Run(notebook, reports={EXERCISE: {"score": 1.0}}) for name, notebook in notebooks.items()}

    monkeypatch.setattr(commands, "_execute", execute_poorly)
    code, said = course("run")
    assert code == 1 and " 1 of 4 " in said and f"00_quickstart: {EXERCISE} earned 1.0 of 4 points\n" in said
    assert course("run", "--as-handed-out")[0] == 0


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
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(commands, "CHAPTERS", chapters)
        return course("check", workbook)


def section(said, name):
    """From the line of one notebook to the line of the next."""
    match = re.search(rf"(?ms)^{re.escape(name)}: \d.*?(?=^\S+: \d+ of \d+ points|\Z)", said)
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
    assert re.findall(r"(?m)^(\S+): \d+ of", checked[1]) == ["00_quickstart", "00_quickstart.new-00000000", "03_renamed"]


def test_check_says_which_name_it_misses(checked):
    said = words(section(checked[1], "03_renamed"))
    assert "✗ 0 of 4 There is no lora_forward yet: run the cell above" in said.replace(EXERCISE + " ", "")


def test_check_gives_broken_files_a_sentence_and_ends_with_1(checked):
    code, said = checked
    assert code == 1
    assert "01_cut.ipynb is not a notebook: it is not JSON" in said
    assert "02_no_notebook.ipynb is not a notebook: " in said
    assert "Traceback" not in said


def test_check_without_a_workbook_says_where_it_comes_from(tmp_path):
    none = tmp_path / "none"
    assert course("check", none) == (1, f"There is no {none}: `course lab` makes the workbook and opens it.\n")
    code, said = course("check", tmp_path)
    assert code == 1 and said.startswith(f"There is no notebook in {tmp_path}")


# --- course lab ------------------------------------------------------------------------------------------------------


def test_lab_refreshes_the_workbook_and_becomes_jupyterlab(chapters, tmp_path, monkeypatch):
    course("build", "--class-folder", tmp_path / "class")
    became = []
    monkeypatch.setattr(commands, "WORKBOOK", tmp_path / "workbook")
    monkeypatch.setattr(os, "execve", lambda *arguments: became.append(arguments))
    code, said = course("lab", "--no-browser")
    assert code == 0 and said.startswith("Copied into workbook: 00_quickstart.ipynb.\n")
    [(program, arguments, environment)] = became
    assert program == arguments[0] == sys.executable
    assert f"--ServerApp.root_dir={tmp_path / 'workbook'}" in arguments and "--no-browser" in arguments
    assert (tmp_path / "workbook" / "00_quickstart.ipynb").exists()
    assert environment["PATH"] == os.environ["PATH"]
    (tmp_path / "file").write_text("mine")
    monkeypatch.setattr(commands, "WORKBOOK", tmp_path / "file")
    code, said = course("lab")
    assert code == 1 and said.endswith("move it away.\n") and len(became) == 1


def test_the_validate_button_skips_demonstrations(handed_out, tmp_path, monkeypatch):
    """nbgrader's own extension reads its configuration under the environment that `course lab` sets."""
    from autograder.notebooks.jupyterlab import lab_command

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
