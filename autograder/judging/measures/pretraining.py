"""Measures of the topic `pretraining`: what a network that was trained on hidden words knows, and how it was trained.

Each takes the output of the probe `masked_training`: log-probabilities, the share of words it was shown hidden, and the loss.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def surprise_left(output: tuple, held: dict[str, Any]) -> float:
    """KL(exact ‖ model) as a share of what whoever knows only the words' frequencies leaves: 0 knows all, 1 no context.

    held: `exact` (m, words), the right distribution of each hidden word, and `frequency` (words,).
    """
    exact, frequency = np.asarray(held["exact"], float), np.asarray(held["frequency"], float)

    def divergence(log_q: np.ndarray) -> float:
        return float(np.mean(-(exact * log_q).sum(1))) - _entropy(exact)

    return divergence(np.asarray(output[0], float)) / divergence(np.log(frequency)[None, :])


def off_the_rate(output: tuple, held: dict[str, Any]) -> float:
    """How far the share of words that were hidden is from the `rate` that was asked for."""
    return abs(float(output[1]) - held["rate"])


def loss_to_entropy(output: tuple, held: dict[str, Any]) -> float:
    """The loss that the last steps returned, by the entropy of a hidden word: about 1 where hidden words alone are counted."""
    return float(output[2]) / _entropy(np.asarray(held["exact"], float))


def _entropy(exact: np.ndarray) -> float:
    return float(np.mean(-(exact * np.log(exact)).sum(1)))
