"""Measures of the topic `lora`: what an adapter learned, where it started, and whether the frozen matrix was left alone.

Each takes the output of the probe `lora.adapt`: lora_A, lora_B, both of them after no step at all, and how far W0 has moved.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def error_left(output: tuple, held: dict[str, Any]) -> float:
    """The squared error on inputs that were held back, as a share of what the frozen layer alone leaves: 0 is perfect."""
    lora_A, lora_B = output[:2]
    x, missing = _array(held["x_test"]), _array(held["missing"])  # (n, d_in), (n, d_out): the right outputs less x W0^T
    update = held["alpha"] / held["rank"] * x @ np.asarray(lora_A, float).T @ np.asarray(lora_B, float).T
    return float(((update - missing) ** 2).sum() / (missing**2).sum())


def start_size(output: tuple, held: dict[str, Any]) -> float:
    """The largest entry of lora_B lora_A before the first step."""
    return float(np.abs(np.asarray(output[3], float) @ np.asarray(output[2], float)).max())


def moved(output: tuple, held: dict[str, Any]) -> float:
    """By how much an entry of W0 has changed at most."""
    return float(output[4])


def _array(value: Any) -> np.ndarray:
    return np.asarray(value, float)
