"""Measures of the topic `sentiment`: what early stopping brought back, and how long it waited."""

from __future__ import annotations

from typing import Any

import numpy as np


def loss_against_the_last(output: tuple[np.ndarray, ...], held: dict[str, Any]) -> float:
    """Test loss of the model that was returned, as a share of the test loss after the last epoch: 1 if nothing was won."""
    returned, last, _ = output
    return _loss(returned, held["labels"]) / _loss(last, held["labels"])


def waited_beyond(output: tuple[np.ndarray, ...], held: dict[str, Any]) -> float:
    """By how many epochs the wait after the best one differs from the patience asked for."""
    return abs(float(output[2][0]) - held["patience"])


def above_the_best(output: tuple[np.ndarray, ...], held: dict[str, Any]) -> float:
    """Validation loss of the model that was returned, above the lowest that there was."""
    return float(output[2][2] - output[2][1])


def _loss(logits: np.ndarray, labels: Any) -> float:
    shifted = logits - logits.max(1, keepdims=True)
    logs = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return float(-logs[np.arange(len(logs)), np.asarray(labels)].mean())
