"""The exercises: a folder is a topic. The package itself maps ids to exercises: `exercises["lora.gradient"]`.

Nothing is registered by hand: an exercise is there because a module of its topic's folder defines it. `exercises["lora.x"]`
imports only what lies in `lora/`, which keeps a check fast; iterating imports every topic.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

from autograder.exercises.exercise import AuthorError, Exercise, Written


def topics() -> list[str]:
    """The words of which each names a chapter, a room of courselib, a module of solutions and a folder here."""
    return sorted(info.name for info in pkgutil.iter_modules([str(Path(__file__).parent)]) if info.ispkg)


def _of(topic: str) -> dict[str, Exercise | Written]:
    """The exercises of one folder, file after file, in the order in which they stand there."""
    folder = Path(__file__).parent / topic
    found: dict[str, Exercise | Written] = {}
    for name in sorted(info.name for info in pkgutil.iter_modules([str(folder)])):
        try:
            module = importlib.import_module(f"{__name__}.{topic}.{name}")
        except AttributeError as error:  # answers.no_such_function, most likely
            at = traceback.extract_tb(error.__traceback__)[-1]
            raise AuthorError(f"{at.filename}:{at.lineno}: {error}: is its model answer missing?") from None
        for value in vars(module).values():
            if not isinstance(value, (Exercise, Written)) or found.get(value.id) is value:
                continue
            if value.id in found:
                raise AuthorError(f"{value.origin}: the id {value.id!r} is already taken at {found[value.id].origin}")
            if value.id.split(".")[0] != topic:
                raise AuthorError(f"{value.origin}: {value.id!r} stands in {topic}/, so its id has to begin with '{topic}.'")
            found[value.id] = value
    return found


class _Exercises(ModuleType, Mapping):
    """Makes the package a mapping, so that `from autograder import exercises` means one thing however it is imported."""

    def __iter__(self) -> Iterator[str]:
        for topic in topics():
            yield from _of(topic)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, exercise_id: str) -> Exercise | Written:
        topic = str(exercise_id).split(".")[0]
        found = _of(topic) if topic in topics() else {}
        if exercise_id not in found:
            known = ", ".join(found) or ", ".join(f"{topic}.…" for topic in topics())
            raise KeyError(f"there is no exercise {exercise_id!r}; known: {known}")
        return found[exercise_id]

    def __hash__(self) -> int:
        return id(self)


exercises = sys.modules[__name__]
exercises.__class__ = _Exercises
