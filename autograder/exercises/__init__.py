"""The exercises, one module a chapter. The package itself maps ids to exercises: `exercises["lora.gradient"]`.

Nothing is registered by hand: an exercise is there because a module of this folder defines it. `exercises["lora.x"]`
imports only `lora.py`, which keeps a check fast; iterating imports them all.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import traceback
from collections.abc import Iterator, Mapping
from types import ModuleType

from autograder.exercise import AuthorError, Exercise, Written


def _of(topic: str) -> dict[str, Exercise | Written]:
    """The exercises of one module, in the order they stand in it."""
    try:
        module = importlib.import_module(f"{__name__}.{topic}")
    except AttributeError as error:  # answers.no_such_function, most likely
        at = traceback.extract_tb(error.__traceback__)[-1]
        raise AuthorError(f"{at.filename}:{at.lineno}: {error}: is its model answer missing?") from None
    found: dict[str, Exercise | Written] = {}
    for value in vars(module).values():
        if not isinstance(value, (Exercise, Written)):
            continue
        if value.id in found:
            raise AuthorError(f"{value.origin}: the id {value.id!r} is already taken at {found[value.id].origin}")
        if value.id.split(".")[0] != topic:
            raise AuthorError(f"{value.origin}: {value.id!r} stands in {topic}.py, so its id has to begin with '{topic}.'")
        found[value.id] = value
    return found


class _Exercises(ModuleType, Mapping):
    """Makes the package a mapping, so that `from autograder import exercises` means one thing however it is imported."""

    def __iter__(self) -> Iterator[str]:
        for module in sorted(info.name for info in pkgutil.iter_modules(self.__path__)):
            yield from _of(module)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, exercise_id: str) -> Exercise | Written:
        topic = str(exercise_id).split(".")[0]
        topics = {info.name for info in pkgutil.iter_modules(self.__path__)}
        found = _of(topic) if topic in topics else {}
        if exercise_id not in found:
            known = ", ".join(found) or ", ".join(f"{topic}.…" for topic in sorted(topics))
            raise KeyError(f"there is no exercise {exercise_id!r}; known: {known}")
        return found[exercise_id]

    def __hash__(self) -> int:
        return id(self)


exercises = sys.modules[__name__]
exercises.__class__ = _Exercises
