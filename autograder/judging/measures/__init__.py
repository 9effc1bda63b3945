"""Measures: what an output is worth, where no output is the only right one.

A student who writes a step of a training gets no number that could be compared: another order of sums, another thread count,
and the weights differ. So a part of such an exercise measures what was reached: `measure(output, held)` is a number, and the
part says how large (`at_least`) or how small (`at_most`) it has to be. `output` is what the probe returned, brought to the
form of the exercise's template (NumPy arrays, numbers); `held` is what the case held back: labels that never went in. One file a
topic. They run where no student's code runs, and in the student's own check.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable


def name_of(measure: Callable) -> str:
    """The name by which a measure is known in a trial, which is plain data: `lora.error`.

    Raises:
        ValueError: when it lives elsewhere, so that a student's bundle would not have it.
    """
    room, _, file = measure.__module__.rpartition(".")
    if room != __name__ or not hasattr(importlib.import_module(measure.__module__), measure.__name__):
        where = f"lives in {measure.__module__}: it has to be a function of a file in {__name__}"
        raise ValueError(f"the measure {measure.__name__!r} {where}")
    return f"{file}.{measure.__name__}"


def named(name: str) -> Callable:
    """The measure of that name."""
    file, _, function = name.partition(".")
    return getattr(importlib.import_module(f"{__name__}.{file}"), function)
