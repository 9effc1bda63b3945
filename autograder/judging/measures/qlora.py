"""Measures of the topic `qlora`: what a trained network leaves over, and what levels lose on weights that were held back."""

from __future__ import annotations

from typing import Any

import numpy as np


def error_left(output: Any, held: dict[str, Any]) -> float:
    """The squared error of the outputs, as a share of what the network had before training: 0 is perfect, 1 is as before."""
    right, before = _array(held["y_test"]), _array(held["before"])
    return float(((_array(output) - right) ** 2).sum() / ((before - right) ** 2).sum())


def beside_nf4(output: Any, held: dict[str, Any]) -> float:
    """The mean squared error of the levels on weights that were held back, over that of NF4: below 1 is better than NF4."""
    return _error(_array(output), held) / _error(_array(held["nf4"]), held)


def out_of_order(output: Any, held: dict[str, Any]) -> float:
    """By how much a level lies below the one before it, or beyond -1 and 1, at most."""
    levels = _array(output)
    return float(max(0.0, (levels[:-1] - levels[1:]).max(), np.abs(levels).max() - 1))


def _error(levels: np.ndarray, held: dict[str, Any]) -> float:
    blocks = _array(held["weights"]).reshape(-1, int(held["block_size"]))
    absmax = np.abs(blocks).max(axis=1, keepdims=True)
    levels = np.sort(levels)
    nearest = levels[np.searchsorted((levels[1:] + levels[:-1]) / 2, blocks / absmax)]
    return float(((nearest * absmax - blocks) ** 2).mean())


def _array(value: Any) -> np.ndarray:
    return np.asarray(value, float)
