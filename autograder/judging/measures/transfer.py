"""Measures of the topic `transfer`: of six answers, twice the shape plus the colour, how many have the one or the other right."""

from __future__ import annotations

from typing import Any

import numpy as np


def shape_accuracy(output: np.ndarray, held: dict[str, Any]) -> float:
    """The share of the rows of logits `(m, 6)` whose largest entry names the right shape, 0 to 1, whatever the colour."""
    return float((output.argmax(1) // 2 == np.asarray(held["labels"]) // 2).mean())


def colour_accuracy(output: np.ndarray, held: dict[str, Any]) -> float:
    """The same for the colour, whatever the shape."""
    return float((output.argmax(1) % 2 == np.asarray(held["labels"]) % 2).mean())
