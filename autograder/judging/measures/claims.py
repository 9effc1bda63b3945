"""Measures of the topic `claims`: how well opinions and decisions agree with what is true."""

from __future__ import annotations

from typing import Any

import numpy as np


def sided(output: Any, held: dict[str, Any]) -> float:
    """The share of the statements for which the probability lies on the true side of one half."""
    p, truth = np.asarray(output, float), np.asarray(held["truth"], float)
    return float((np.where(truth > 0.5, p, 1 - p) > 0.5).mean())


def brier(output: Any, held: dict[str, Any]) -> float:
    """The mean squared distance of the probabilities from what is true, 0 or 1 (Brier 1950): 0.25 for always one half."""
    return float(((np.asarray(output, float) - np.asarray(held["truth"], float)) ** 2).mean())


def kept(output: Any, held: dict[str, Any]) -> float:
    """The share of the true claims that are said to hold up."""
    said, truth = np.asarray(output, float)[:, 0], np.asarray(held["truth"], float)
    return float(said[truth > 0.5].mean())


def caught(output: Any, held: dict[str, Any]) -> float:
    """The share of the false claims that are said not to hold up."""
    said, truth = np.asarray(output, float)[:, 0], np.asarray(held["truth"], float)
    return float(1 - said[truth < 0.5].mean())


def used(output: Any, held: dict[str, Any]) -> float:
    """The mean share of the draws that was taken; 1 for a function that misjudges many claims, for that is not sparing."""
    both = min(kept(output, held), caught(output, held))
    return float(np.asarray(output, float)[:, 1].mean()) if both >= 0.7 else 1.0
