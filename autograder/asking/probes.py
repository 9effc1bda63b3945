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


def call(answer: Callable, inputs: dict[str, Any]) -> Any:
    """Call the function with the inputs by their names; a renamed parameter is no mistake, so then by their order."""
    by_order, by_name = _arguments(answer, inputs)
    return answer(*[inputs[name] for name in by_order], **{name: inputs[name] for name in by_name})


def _arguments(answer: Callable, inputs: dict[str, Any]) -> tuple[list[str], list[str]]:
    """Which inputs go by position: as far as the signature goes, for positional-only parameters. And which go by name."""
    try:
        parameters = (_parameters if inspect.isfunction(answer) else _parameters.__wrapped__)(answer)
    except (TypeError, ValueError):  # builtins without a signature
        return list(inputs), []
    names = {p.name for p in parameters if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)}
    if not set(inputs) <= names and not any(p.kind is p.VAR_KEYWORD for p in parameters):
        return list(inputs), []
    by_order = []
    for p in parameters:
        if p.name not in inputs or p.kind not in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD):
            break
        by_order.append(p.name)
    return by_order, [name for name in inputs if name not in by_order]


@functools.lru_cache(maxsize=1000)  # a grading asks the same few hundred functions again and again; only functions surely hash
def _parameters(answer: Callable) -> tuple[inspect.Parameter, ...]:
    """The parameters; those of the wrapped function where a wrapper takes whatever comes and says nothing of what it wraps."""
    parameters = tuple(inspect.signature(answer).parameters.values())
    if {p.kind for p in parameters} == {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
        wrapped = [f for cell in getattr(answer, "__closure__", None) or () if inspect.isfunction(f := _content(cell))]
        if len(wrapped) == 1:
            return _parameters.__wrapped__(wrapped[0])
    return parameters


def _content(cell: Any) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty yet
        return None


def sample_many_times(answer: Callable, inputs: dict[str, Any]) -> tuple[list[float], list[float], str]:
    """Asks a sampler `answer(stream, capacity, rng)` for many samples of one stream, and counts what it kept.

    `inputs` are length (4 or more), capacity, runs and seed. Returns the odds of being kept against being let go, for the
    first item of the stream, for those in the middle, for the last but one and the last; the same odds turned over; and
    what the samples look like. Half a run is added on each side, so that what never happens has odds too.
    """
    length, capacity, runs = inputs["length"], inputs["capacity"], inputs["runs"]
    asked = {"stream": [], "capacity": capacity, "rng": np.random.default_rng(inputs["seed"])}
    by_order, by_name = _arguments(answer, asked)
    counts, sizes, repeated = [0] * length, set(), False
    for _ in range(runs):
        asked["stream"] = list(range(100, 100 + length))
        kept = [int(item) for item in answer(*[asked[name] for name in by_order], **{name: asked[name] for name in by_name})]
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
