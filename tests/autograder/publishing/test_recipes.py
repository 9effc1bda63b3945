"""The README's recipes for a new chapter and a new exercise, carried out from its own text in a copy of the course."""

import contextlib
import os
import re
import runpy
import shlex
import shutil
import subprocess
import sys
import traceback

import nbformat
import pytest

from autograder import places
from autograder.notebooks.execute import ENVIRONMENT

pytestmark = pytest.mark.xdist_group("recipes")

README = (places.ROOT / "README.md").read_text(encoding="utf-8")
FENCED = re.compile(r"(?ms)^(?:`([\w./]+)`(?:, below `([^`\n]+)`)?(, at its end)?[^\n]*:\n\n)?^(`{3,})\n(.*?)^\4$")


def recipe(title):
    """What a section of the README wants: files (path, where in it, text), then commands."""
    section = README.split(f"### {title}\n", 1)[1].split("\n### ", 1)[0].split("\n**To drop", 1)[0]
    files, commands = [], []
    for path, below, end, _, text in FENCED.findall(section):
        if path:
            files.append((path, below or end, text))
        else:
            commands += text.splitlines()
    return files, commands


def write(root, path, where, text):
    path = root / path
    path.parent.mkdir(parents=True, exist_ok=True)
    old = path.read_text(encoding="utf-8") if where else ""
    assert where or not path.exists(), f"{path} is there already"
    if where and not where.startswith(", "):
        assert f"\n{where}\n" in old
        text = old.replace(f"\n{where}\n", f"\n{where}\n{text}", 1)
    elif where:
        text = f"{old}\n{text}"
    path.write_text(text, encoding="utf-8")


def do(root, command):
    """A command of the page, with this Python in the place of the course's own: a fork of this process, which has imported
    torch already, and of the course only what it imports itself, from `root`."""
    program, *arguments = shlex.split(command)
    said = [root.parent / name for name in ("stdout", "stderr")]
    child = os.fork()
    if child == 0:
        with ending():
            for fd, path in enumerate(said, 1):
                os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), fd)
            sys.stdout, sys.stderr = (os.fdopen(fd, "w", encoding="utf-8") for fd in (1, 2))
            become(root, program, arguments)
    _, status = os.waitpid(child, 0)
    return subprocess.CompletedProcess(command, os.waitstatus_to_exitcode(status), *(path.read_text("utf-8") for path in said))


@contextlib.contextmanager
def ending():
    """This process ends with the block, as Python ends: with what it was told, or with a traceback and 1."""
    code = 1
    try:
        yield
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def become(root, program, arguments):
    os.chdir(root)
    os.environ.update(ENVIRONMENT | {"PYTHONPATH": str(root), "COLUMNS": "200"})
    for name in [name for name in sys.modules if name.split(".")[0] in ("autograder", "courselib", "solutions")]:
        del sys.modules[name]
    sys.path.insert(0, str(root))
    sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]  # it finds our own rooms
    if program == ".venv/bin/course":
        sys.argv = ["course", *arguments]
        runpy.run_module("autograder.commands", run_name="__main__")
    else:
        assert (program, arguments[0]) == (".venv/bin/python", "-c")
        exec(arguments[1], {"__name__": "__main__"})


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    """A small copy of the course: all of its machinery, and of its chapters the quickstart."""
    root = tmp_path_factory.mktemp("copied") / "course"
    skip = shutil.ignore_patterns("__pycache__", "weights", "[0-9]*_*", "A_*")
    for name in ("autograder", "chapters", "courselib", "solutions"):
        shutil.copytree(places.ROOT / name, root / name, ignore=skip)
    for folder in (root / "autograder" / "exercises").iterdir():
        if folder.is_dir() and folder.name != "quickstart":
            shutil.rmtree(folder)
    for path in places.CHAPTERS.glob("00_*"):
        shutil.copy(path, root / "chapters")
    shutil.copy(places.ROOT / "README.md", root)
    return root


@pytest.fixture(scope="module")
def done(course):
    """What each command of the two recipes came to, one recipe after the other."""
    said = {}
    for title in ("Add a chapter", "Add an exercise"):
        files, commands = recipe(title)
        for file in files:
            write(course, *file)
        said[title] = [do(course, command) for command in commands]
    return said


def test_the_page_names_every_room_and_the_commands():
    files, commands = recipe("Add a chapter")
    more, others = recipe("Add an exercise")
    assert [path for path, _, _ in files + more] == [
        "chapters/13_toy.md", "courselib/toy/__init__.py", "courselib/toy/decay.py", "chapters/syllabus.yml",
        "solutions/toy.py", "autograder/exercises/toy/__init__.py", "autograder/exercises/toy/decay.py", "chapters/13_toy.md",
    ]  # fmt: skip
    assert commands == [".venv/bin/course build", ".venv/bin/course run 13"] and others[:2] == commands and len(others) == 3


def test_a_chapter_is_added(done, course):
    build, run = done["Add a chapter"]
    assert (build.returncode, run.returncode) == (0, 0), build.stdout + build.stderr + run.stdout + run.stderr
    assert re.search(r"13_toy +\S+ +\S+ +0 of 0 +0 +0 ", run.stdout)
    readme = (course / "README.md").read_text()  # with the exercise of the second recipe
    assert re.search(r"\| \[13_toy\]\(chapters/13_toy.ipynb\) \| weight decay in one step \| \d+ \| 1 \|", readme)


def test_an_exercise_is_added_and_a_right_answer_earns_full_marks(done, course):
    build, run, check = done["Add an exercise"]
    assert [step.returncode for step in (build, run, check)] == [0, 0, 0], build.stdout + run.stdout + check.stderr
    assert re.search(r"13_toy +\S+ +\S+ +3 of 3 +0 +0 ", run.stdout)
    assert check.stdout.startswith("toy.decay_step: 3 of 3 points\nRight.\n")
    handed_out = [cell.source for cell in nbformat.read(course / "chapters" / "13_toy.ipynb", as_version=4).cells]
    assert handed_out[-1] == 'check("toy.decay_step", decay_step)' and "NotImplementedError" in handed_out[-2]
    code = "from autograder import check; check('toy.decay_step', lambda weights, lr, decay: weights - lr * decay)"
    assert "the same share of each" in do(course, f".venv/bin/python -c {shlex.quote(code)}").stdout


def test_an_exercise_is_dropped_and_half_of_it_is_refused(done, course):
    path = course / "chapters" / "13_toy.md"
    [(_, _, marker)] = [file for file in recipe("Add an exercise")[0] if file[1]]
    path.write_text(path.read_text(encoding="utf-8").replace(marker, ""), encoding="utf-8")
    refused = do(course, ".venv/bin/course build")
    assert refused.returncode == 1
    assert re.match(r"\S+/toy/decay\.py:\d+: no chapter has a marker for 'toy.decay_step'", refused.stdout)
    shutil.rmtree(course / "autograder" / "exercises" / "toy")
    (course / "solutions" / "toy.py").unlink()
    built = do(course, ".venv/bin/course build")
    assert built.returncode == 0, built.stdout + built.stderr
    assert "toy.decay_step" not in (course / "chapters" / "13_toy.ipynb").read_text(encoding="utf-8")
