"""Submissions for the tests of grading: notebooks as bytes, made from the released ones."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from autograder import places
from autograder.exercises import exercises
from autograder.notebooks.cells import answer_name
from autograder.publishing import chapter


def released(assignment: str) -> bytes:
    return (places.CHAPTERS / f"{assignment}.ipynb").read_bytes()


def notebook(assignment: str) -> dict[str, Any]:
    return json.loads(released(assignment))


def answered(assignment: str, answers: Mapping[str, str]) -> dict[str, Any]:
    """The released notebook with `answers` (exercise id -> source) in it."""
    filled = copy.deepcopy(notebook(assignment))
    for exercise_id, source in answers.items():
        cell(filled, answer_name(exercise_id))["source"] = source
    return filled


def right(assignment: str) -> dict[str, Any]:
    """The model answers."""
    return answered(assignment, chapter.model_answers(places.CHAPTERS / f"{assignment}.md"))


def cell(of: dict[str, Any], grade_id: str) -> dict[str, Any]:
    return next(c for c in of["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == grade_id)


def code(source: str) -> dict[str, Any]:
    """A cell that a student adds."""
    return {"cell_type": "code", "id": "added", "metadata": {}, "execution_count": None, "outputs": [], "source": source}


def data(of: dict[str, Any]) -> bytes:
    return json.dumps(of).encode()


def misconceived(assignment: str, names: Mapping[str, str]) -> dict[str, Any]:
    """The released notebook with a misconception (exercise id -> its name) as each answer.

    Nothing in the sandbox knows the misconceptions, so the submission brings the modules that define them, as text.
    """
    answers = {}
    for exercise_id, name in names.items():
        topic = exercise_id.split(".")[0]
        answers[exercise_id] = f"{exercises[exercise_id].name} = brought({topic!r}, {exercise_id!r}, {name!r})"
    filled = answered(assignment, answers)
    topics = {exercise_id.split(".")[0] for exercise_id in names}
    sources = {name: text for topic in topics for name, text in _sources(topic).items()}
    filled["cells"].insert(0, code(f"SOURCES = {sources!r}\n{_BRING}"))
    return filled


def _sources(topic: str) -> dict[str, str]:
    """The modules that the exercises of a topic are made of, by name."""
    paths = [*(places.ROOT / "autograder" / "exercises").glob("[a-z]*.py"), *(places.ROOT / "solutions").rglob("*.py")]
    paths += (places.ROOT / "autograder" / "exercises" / topic).rglob("*.py")
    closed = {name for e in exercises.values() if e.id.startswith(topic + ".") for name in getattr(e, "closed", ())}
    for name in closed:
        path = places.ROOT.joinpath(*name.split("."))
        paths += path.rglob("*.py") if path.is_dir() else [path.with_suffix(".py")]
    found = {".".join(path.relative_to(places.ROOT).with_suffix("").parts).removesuffix(".__init__"): path for path in paths}
    texts = {name: path.read_text(encoding="utf-8") for name, path in found.items()}
    return {"autograder.exercises": "", "solutions": ""} | texts


_BRING = """
import importlib
import importlib.abc
import importlib.util
import sys


class Brought(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(self, name, path=None, target=None):
        package = any(other.startswith(name + ".") for other in SOURCES)
        return importlib.util.spec_from_loader(name, self, is_package=package) if name in SOURCES else None

    def exec_module(self, module):
        exec(compile(SOURCES[module.__name__], module.__name__, "exec"), module.__dict__)


sys.meta_path.insert(0, Brought())


def brought(topic, exercise_id, name):
    module = importlib.import_module("autograder.exercises." + topic)
    exercise = next(value for value in vars(module).values() if getattr(value, "id", None) == exercise_id)
    return next(mistake for mistake in exercise.misconceptions if mistake.name == name).wrong
"""
