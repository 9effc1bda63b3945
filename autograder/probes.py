"""Probes: how an answer is asked. They run beside the student's code, and return plain outputs.

The default calls the function. An exercise whose answer is a class, a module or a training loop brings its own probe,
which must live in this file: it is handed out to students, so it may hold nothing that gives an answer away.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

REFUSED = "refused with ValueError"  # what `call_or_refuse` returns for inputs that the answer turns down


def call(answer: Callable, inputs: dict[str, Any]) -> Any:
    """Call the function with the inputs as keywords. A renamed parameter is no mistake, so fall back to the order."""
    try:
        parameters = list(inspect.signature(answer).parameters.values())
    except (TypeError, ValueError):  # builtins without a signature
        return answer(*inputs.values())
    names = {p.name for p in parameters}
    if set(inputs) <= names or any(p.kind is p.VAR_KEYWORD for p in parameters):
        return answer(**inputs)
    return answer(*inputs.values())


def call_or_refuse(answer: Callable, inputs: dict[str, Any]) -> Any:
    """Like `call`, for an answer that has to turn some inputs down: a `ValueError` it raises is then what it says."""
    try:
        return call(answer, inputs)
    except ValueError:
        return REFUSED
