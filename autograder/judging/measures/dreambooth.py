"""Measures of the topic `dreambooth`: how draws are spread, how much of a subject is learned, how far a word has moved."""

from __future__ import annotations

from typing import Any

import numpy as np


def shares_off(output: Any, held: dict[str, Any]) -> float:
    """Half the sum of |share of draws nearest to a lump - its weight|: 0 is perfect."""
    nearest = _nearest(output, held)
    weights = np.asarray(held["weights"], float)
    found = np.bincount(nearest, minlength=len(weights)) / len(nearest)
    return float(np.abs(found - weights).sum() / 2)


def width_off(output: Any, held: dict[str, Any]) -> float:
    """How far the draws' spread about their lumps is from what it should be, as a share of it; nothing is perfect, 0."""
    x = np.asarray(output, float)
    spread = np.sqrt(np.mean((x - np.asarray(held["means"], float)[_nearest(output, held)]) ** 2))
    return float(abs(spread / held["width"] - 1)) if np.isfinite(spread) else 1e9


def subject_share(output: Any, held: dict[str, Any]) -> float:
    """How often the subject's prompt brings the subject: the weight of its component, 0 to 1."""
    return float(_softmax(np.asarray(output, float).sum(0))[int(held["subject"])])


def word_drift(output: Any, held: dict[str, Any]) -> float:
    """KL(before ‖ after) in nats of what the class's prompt brings: exact, since the weights of the mixture are known."""
    before, after = _softmax(np.asarray(held["noun"], float)), _softmax(np.asarray(output, float)[0])
    return float((before * np.log(before / np.maximum(after, 1e-30))).sum())


def _nearest(output: Any, held: dict[str, Any]) -> np.ndarray:
    x = np.nan_to_num(np.asarray(output, float), nan=1e9)
    return np.abs(x[:, None] - np.asarray(held["means"], float)).argmin(1)


def _softmax(logits: np.ndarray) -> np.ndarray:
    out = np.exp(logits - logits.max())
    return out / out.sum()
