"""Probes: how an answer is asked. They run beside the student's code, and return plain outputs.

The default calls the function. An exercise whose answer is a class, a module or a training loop brings its own probe,
which must live in this file: it is handed out to students, so it may hold nothing that gives an answer away.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np

REFUSED = "refused with ValueError"  # what `call_or_refuse` returns for inputs that the answer turns down


def call(answer: Callable, inputs: dict[str, Any]) -> Any:
    """Call the function with the inputs as keywords. A renamed parameter is no mistake, so fall back to the order."""
    return answer(**inputs) if _knows(answer, inputs) else answer(*inputs.values())


def _knows(answer: Callable, inputs: dict[str, Any]) -> bool:
    """Whether the function takes all the inputs by their names."""
    try:
        names, takes_any = (_parameters if inspect.isfunction(answer) else _parameters.__wrapped__)(answer)
    except (TypeError, ValueError):  # builtins without a signature
        return False
    return takes_any or set(inputs) <= names


@functools.lru_cache(maxsize=1000)  # a grading asks the same few hundred functions again and again; only functions surely hash
def _parameters(answer: Callable) -> tuple[set[str], bool]:
    """The names of the parameters, and whether any other name is welcome too."""
    parameters = inspect.signature(answer).parameters.values()
    return {p.name for p in parameters}, any(p.kind is p.VAR_KEYWORD for p in parameters)


def call_or_refuse(answer: Callable, inputs: dict[str, Any]) -> Any:
    """Like `call`, for an answer that has to turn some inputs down: a `ValueError` it raises is then what it says."""
    try:
        return call(answer, inputs)
    except ValueError:
        return REFUSED


def three_numbers_or_refuse(answer: Callable, inputs: dict[str, Any]) -> Any:
    """Like `call_or_refuse`, for an answer of three numbers: what it turns down is three times -1."""
    try:
        return call(answer, inputs)
    except ValueError:
        return -1, -1, -1.0


def sample_many_times(answer: Callable, inputs: dict[str, Any]) -> tuple[list[float], list[float], str]:
    """Asks a sampler `answer(stream, capacity, rng)` for many samples of one stream, and counts what it kept.

    `inputs` are length (4 or more), capacity, runs and seed. Returns the odds of being kept against being let go, for the
    first item of the stream, for those in the middle, for the last but one and the last; the same odds turned over; and
    what the samples look like. Half a run is added on each side, so that what never happens has odds too.
    """
    length, capacity, runs = inputs["length"], inputs["capacity"], inputs["runs"]
    asked = {"stream": [], "capacity": capacity, "rng": np.random.default_rng(inputs["seed"])}
    by_name = _knows(answer, asked)
    counts, sizes, repeated = [0] * length, set(), False
    for _ in range(runs):
        asked["stream"] = list(range(100, 100 + length))
        kept = [int(item) for item in (answer(**asked) if by_name else answer(*asked.values()))]
        sizes.add(len(kept))
        repeated = repeated or len(set(kept)) < len(kept)
        for item in set(kept):
            if not 100 <= item < 100 + length:
                raise ValueError(f"the sample holds {item}, which is not in the stream")
            counts[item - 100] += 1
    found = [counts[0], sum(counts[1:-2]) / (length - 3), counts[-2], counts[-1]]
    odds = [(kept + 0.5) / (runs - kept + 0.5) for kept in found]
    size = " to ".join(str(s) for s in sorted({min(sizes), max(sizes)}))
    return odds, [1 / o for o in odds], f"{size} items, {'some' if repeated else 'none'} twice"
