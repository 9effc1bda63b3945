"""Measures of the topic `strategy`: what a strategy's changes are worth on three tasks, and what they cost.

Everything is worked out from the changes that came back, with weights and texts that never went in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from autograder.asking.probes.strategy import Reader, changes_of

LEARNED = 0.74  # below that accuracy on the new task nothing is credited for what was kept, or for what was saved
LOST = 1.0  # what is said to be lost then


def quality(layout: Sequence[np.ndarray], held: dict[str, Any]) -> float:
    """Accuracy on new texts of the new world. `held`: weights, test (n, 12), labels (n,), old_test, topic, feeling."""
    return _accuracy(layout, held, "test", "new", "labels")


def lost(layout: Sequence[np.ndarray], held: dict[str, Any]) -> float:
    """By how much the accuracy of the worse of the two old tasks has fallen; 1 where the new one was not learned."""
    if quality(layout, held) < LEARNED:
        return LOST
    nothing = [np.zeros_like(item) for item in layout]
    now, before = ([_accuracy(given, held, "old_test", t, t) for t in ("topic", "feeling")] for given in (layout, nothing))
    return max(old - new for old, new in zip(before, now, strict=True))


def numbers(layout: Sequence[np.ndarray], held: dict[str, Any]) -> float:
    """How many numbers are not zero; all the model's where the new task was not learned."""
    if quality(layout, held) < LEARNED:
        return float(sum(torch.as_tensor(w).numel() for w in held["weights"].values()))
    return float(sum(np.count_nonzero(item) for item in layout))


def stored_bytes(layout: Sequence[np.ndarray], held: dict[str, Any]) -> float:
    """2 bytes for a number that half precision holds exactly, 4 for any other, 0 for a zero."""
    if quality(layout, held) < LEARNED:
        return 4 * numbers(layout, held)
    found = 0
    for item in layout:
        values = torch.as_tensor(np.asarray(item)).float()
        halves = values == values.half().float()
        found += 2 * int((halves & (values != 0)).sum()) + 4 * int((~halves).sum())
    return float(found)


@torch.no_grad()
def _accuracy(layout: Sequence[np.ndarray], held: dict[str, Any], texts: str, task: str, labels: str) -> float:
    weights = {name: torch.as_tensor(w) for name, w in held["weights"].items()}
    changes = changes_of(weights, tuple(torch.as_tensor(np.asarray(item)).float() for item in layout))
    said = Reader(weights)(torch.as_tensor(held[texts]), task, changes).argmax(-1)
    return float((said == torch.as_tensor(held[labels])).float().mean())
