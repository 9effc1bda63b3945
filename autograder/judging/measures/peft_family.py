"""Measures of the topic `peft_family`: what an adapter learned and where it started, and what a prefix has left wrong."""

from __future__ import annotations

from typing import Any

import numpy as np


def right(output: tuple, held: dict[str, Any]) -> float:
    """The share of the rows of logits (m, 2) whose larger entry is the label's, 0 to 1."""
    return float((np.asarray(output[0]).argmax(1) == np.asarray(held["labels"])).mean())


def changed_before(output: tuple, held: dict[str, Any]) -> float:
    """By how much the adapter changed its input before the first step, as a share of its size."""
    return float(output[1])


def count_off(output: tuple, held: dict[str, Any]) -> float:
    """How far the number of trained parameters is from the right one."""
    return abs(float(output[2]) - held["parameters"])


def prefix_error(output: tuple, held: dict[str, Any]) -> float:
    """The squared error on queries that were held back, as a share of what attention without a prefix leaves: 0 is perfect."""
    q, k, v, target = (np.asarray(held[name], float) for name in ("q_test", "k", "v", "target"))
    found = _attention(q, *(np.concatenate([np.asarray(new, float), old]) for new, old in zip(output, (k, v), strict=True)))
    return float(((found - target) ** 2).sum() / ((_attention(q, k, v) - target) ** 2).sum())


def _attention(q: np.ndarray, k: np.ndarray, v: np.ndarray) -> np.ndarray:
    scores = q @ k.T / np.sqrt(q.shape[1])
    weights = np.exp(scores - scores.max(1, keepdims=True))
    return weights / weights.sum(1, keepdims=True) @ v
