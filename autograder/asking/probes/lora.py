"""Probes of the topic `lora`: a training from its start to its end, and what it did to the matrix that it had to leave alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from autograder.asking.probes.calling import call


def adapt(answer: Callable, inputs: dict[str, Any]) -> tuple[Any, Any, Any, Any, float]:
    """Runs the training twice: for all its steps, and for none, which shows where it starts.

    `inputs` are those of the student's function, `W0` and `steps` among them. Returns the trained pair, the pair after no step,
    and by how much an entry of W0 has changed at most. ValueError when no pair comes back.
    """
    W0, before = inputs["W0"].clone(), inputs["W0"].clone()
    trained = _pair(call(answer, inputs | {"W0": W0}))
    start = _pair(call(answer, inputs | {"W0": W0, "steps": 0}))
    moved = (torch.as_tensor(W0).detach() - before).abs().max().item()
    return *trained, *start, moved


def _pair(value: Any) -> tuple[Any, Any]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise ValueError(f"a pair (lora_A, lora_B) was expected, and {type(value).__name__} came")
    return value[0], value[1]
