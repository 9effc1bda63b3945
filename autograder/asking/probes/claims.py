"""Probes of the topic `claims`: opinions as numbers, and a function that decides by drawing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from autograder.asking.probes.calling import call


def opinions(answer: Callable, inputs: dict[str, Any]) -> Any:
    """The probabilities that the student's dict gives to the statements `letters`, in their order: (statements,)."""
    given, letters = call(answer, {}), inputs["letters"]
    if not isinstance(given, dict) or set(given) != set(letters):
        what = f"a dict with {len(given)} entries" if isinstance(given, dict) else type(given).__name__
        raise TypeError(f"a dict with the letters {letters[0]} to {letters[-1]} was expected, and {what} came")
    values = [float(given[letter]) for letter in letters]
    if not all(0 <= value <= 1 for value in values):
        raise ValueError(f"a probability lies from 0 to 1, and {next(v for v in values if not 0 <= v <= 1):g} came")
    return torch.tensor(values)


def decisions(answer: Callable, inputs: dict[str, Any]) -> Any:
    """For each claim what the student's function says (1 it holds up, 0 not) and the share of the draws it took: (claims, 2)."""
    found = []
    for pool, claimed, margin in zip(inputs["pools"], inputs["claimed"], inputs["margins"], strict=True):
        used = 0

        def sample(n: int, pool: torch.Tensor = pool) -> torch.Tensor:
            nonlocal used
            n = int(n)
            if n < 0 or used + n > len(pool):
                raise ValueError(f"{used} of {len(pool)} draws are used, and {n} more were asked for")
            used += n
            return pool[used - n : used].clone()

        said = call(answer, {"sample": sample, "claimed": float(claimed), "margin": float(margin)})
        found.append([float(bool(said)), used / len(pool)])
    return torch.tensor(found)
