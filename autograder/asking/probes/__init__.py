"""Probes: how an answer is asked. They run beside the student's code, and return plain outputs.

`calling.call` calls the function, and is what an exercise gets that names no other. An exercise whose answer is a step of a
training, a class or a module brings its own, in the file of its topic: it runs the step in a small loop on data that came in,
and returns what came of it. Probes are handed out to students, so they may hold nothing that gives an answer away; and what
an output is held against (labels, a true value) never comes here: see `autograder.judging.measures`.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable

from autograder.asking.probes.calling import call, without_autograd


def name_of(probe: Callable) -> str:
    """The name by which a probe is known on both sides of the wall: `lora.adapt`.

    Raises:
        ValueError: when it lives elsewhere, so that it would not be there where the student's code runs.
    """
    room, _, file = probe.__module__.rpartition(".")
    if room != __name__ or not hasattr(importlib.import_module(probe.__module__), probe.__name__):
        where = f"lives in {probe.__module__}: it has to be a function of a file in {__name__}"
        raise ValueError(f"the probe {probe.__name__!r} {where}")
    return f"{file}.{probe.__name__}"


def named(name: str) -> Callable:
    """The probe of that name."""
    file, _, function = name.partition(".")
    return getattr(importlib.import_module(f"{__name__}.{file}"), function)


__all__ = ["call", "name_of", "named", "without_autograd"]
