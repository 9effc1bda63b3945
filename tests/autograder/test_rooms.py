"""The rooms of autograder, by the rules of the house: the wall is a folder, one file knows paths, tests stand by subjects."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from autograder import places
from autograder.exercises import exercises
from autograder.exercises.exercise import Exercise
from autograder.grading.staging import INSIDE
from autograder.publishing.release import HALF

AUTOGRADER, TESTS = places.ROOT / "autograder", places.ROOT / "tests"
FILES = sorted(path for path in AUTOGRADER.rglob("*.py"))


def ours(path: Path) -> set[str]:
    """What a file imports of autograder, courselib and solutions, at its top and inside its functions; `a.b.c` for a module."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        found |= {name for name in names if name.split(".")[0] in ("autograder", "courselib", "solutions")}
    return found


def room(name: str) -> str:
    parts = name.split(".")
    return ".".join(parts[1:3]) if parts[1:3] == ["grading", "inside"] else parts[1] if len(parts) > 1 else ""


def in_room(path: Path) -> str:
    return room("autograder." + ".".join(path.relative_to(AUTOGRADER).with_suffix("").parts))


# --- rule 4: an exercise closes its own room -----------------------------------------------------------------------------


def test_an_exercise_closes_its_own_room_and_setup_cells_open_none():
    for exercise in (exercises[i] for i in exercises if isinstance(exercises[i], Exercise)):
        assert f"courselib.{exercise.id.split('.')[0]}" in exercise.closed
        assert all(name.startswith("courselib.lab.") for name in exercise.closed[1:]), f"rule 4: {exercise.id} closes others"
    for path in places.CHAPTERS.glob("[0-9A-Z]*_*.md"):
        text = path.read_text(encoding="utf-8")
        cells = re.findall(r"^```\{code-cell\}[^\n]*\n:tags: \[setup[^\n]*\n(.*?)^```", text, re.S | re.M)
        assert cells and not any("courselib" in cell for cell in cells), f"rule 4: a setup cell of {path.name} imports courselib"


# --- rule 5: the wall is a folder ------------------------------------------------------------------------------------------

MAY = {
    "asking": {"asking"},
    "grading.inside": {"asking", "grading.inside"},
    "judging": {"asking", "judging", "places"},
    "notebooks": {"asking", "judging", "notebooks", "places", "nbgrader_config"},
    "exercises": {"asking", "judging", "exercises"},
    "publishing": {"asking", "judging", "notebooks", "exercises", "publishing", "places", "nbgrader_config"},
    "grading": {"asking", "judging", "notebooks", "exercises", "publishing", "grading", "grading.inside", "places",
                "nbgrader_config"},
}


@pytest.mark.parametrize("name", MAY)
def test_a_room_imports_only_what_it_may(name):
    for path in (path for path in FILES if in_room(path) == name):
        entered = {room(found) for found in ours(path) if found.startswith("autograder.")}
        assert entered <= MAY[name], f"rule 5: {path.relative_to(places.ROOT)} imports from {entered - MAY[name]}"
        if name in ("asking", "grading.inside", "judging", "notebooks"):
            answers = {found for found in ours(path) if found.startswith(("solutions", "courselib"))}
            assert not answers, f"rule 5: {path.relative_to(places.ROOT)} imports {answers}, which knows answers"


def test_the_bundle_and_the_sandbox_take_rooms_and_not_files():
    assert {pattern for pattern in HALF if "/" in pattern} == {"asking/**/*", "judging/**/*", "notebooks/**/*"}
    assert {pattern for pattern in INSIDE if "*" in pattern} == {"asking/**/*.py", "grading/inside/*.py"}
    faces = {path.name for path in AUTOGRADER.glob("*.py")}
    assert faces == {name for name in HALF if "/" not in name}, "rule 5: beside the rooms lies only what the world knows by name"


# --- rule 6: places alone knows paths ---------------------------------------------------------------------------------------


def test_places_alone_knows_paths():
    for path in FILES:
        if path != AUTOGRADER / "places.py":
            text = path.read_text(encoding="utf-8")
            assert ".parents[" not in text, f"rule 6: {path.relative_to(places.ROOT)} counts folders; ask autograder.places"


# --- rule 7: a test stands where its subject stands ------------------------------------------------------------------------


def test_a_test_stands_where_its_subject_stands():
    assert not list(TESTS.rglob("__init__.py")), "rule 7: a package under tests/ would shadow the one it tests"
    settings = tomllib.loads((places.ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["pytest"]["ini_options"]
    assert "--import-mode=importlib" in settings["addopts"] and settings["pythonpath"] == ["tests/helpers"]
    for package in ("courselib", "autograder"):
        rooms = {path.name for path in (TESTS / package).iterdir() if path.is_dir() and path.name != "__pycache__"}
        assert rooms <= {path.name for path in (places.ROOT / package).iterdir()}, f"rule 7: tests/{package} has another room"
    loose = {path.name for path in TESTS.glob("test_*.py")}
    assert not loose, f"rule 7: {loose} stand in no room"


def test_no_file_is_longer_than_one_reads():
    for folder in ("autograder", "courselib", "solutions", "benchmarks", "tests", "install"):
        for path in (places.ROOT / folder).rglob("*.py"):
            lines = path.read_text(encoding="utf-8").count("\n")
            assert lines <= 280, f"{path.relative_to(places.ROOT)} has {lines} lines: cut it where its subject changes"


@pytest.mark.parametrize("module, spared", [
    ("autograder.commands", {"torch", "jupytext", "nbgrader", "autograder.checking"}),  # `course lab` starts at once
    ("autograder.grading.grader", {"jupytext", "nbgrader", "nbformat", "distributed"}),  # of which there are many
])
def test_what_starts_often_loads_only_what_it_needs(module, spared):
    code = f"import importlib, json, sys; importlib.import_module({module!r}); print(json.dumps(list(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", code], cwd=places.ROOT, capture_output=True, text=True, check=True)
    assert spared.isdisjoint(json.loads(said.stdout.splitlines()[-1]))
