"""The `course` command, as an author types it: build and run. (`course release` has its own file.)"""

import re

import nbformat
import pytest
from typer.testing import CliRunner

from autograder import places
from autograder.commands import app
from autograder.notebooks.execute import Run
from autograder.publishing import commands

pytestmark = pytest.mark.xdist_group("commands")

QUICKSTART = places.CHAPTERS / "00_quickstart.md"
EXERCISE = "quickstart.lora_forward"
HEAD = "---\njupytext:\n  text_representation:\n    extension: .md\n    format_name: myst\n---\n\n# A chapter\n\n"


def course(*arguments):
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception  # no traceback, whatever happens
    return done.exit_code, done.stdout


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

    monkeypatch.setattr(commands, "execute", execute_poorly)
    code, said = course("run")
    assert code == 1 and " 1 of 4 " in said and f"00_quickstart: {EXERCISE} earned 1.0 of 4 points\n" in said
    assert course("run", "--as-handed-out")[0] == 0


# --- course release --------------------------------------------------------------------------------------------------


def test_a_release_for_what_is_no_class_says_so_and_writes_nothing(chapters, tmp_path):
    code, said = course("release", "--class", tmp_path, "--to", tmp_path / "handout")
    assert code == 1 and said.startswith(f"{tmp_path} is no class folder") and "course build --class-folder" in said
    assert not (tmp_path / "handout").exists()
