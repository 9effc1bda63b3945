"""Measures of the topic `forgetting`: how many of the answers are right, and what is kept of what would have been lost."""

from __future__ import annotations

from typing import Any

import numpy as np


def right_about(answers: Any, labels: Any) -> float:
    """The share of the answers (n,) that are the labels (n,)."""
    return float(np.mean(np.asarray(answers) == np.asarray(labels)))


def kept_of_a(answers: Any, held: dict[str, Any]) -> float:
    """Of the accuracy on A that training without a spring loses, the share that these answers (n,) to A still have.

    `held`: the labels `y_a`, and the accuracies `before` B was learned and after it was, without a spring, `naive`.
    """
    return (right_about(answers, held["y_a"]) - held["naive"]) / (held["before"] - held["naive"])


def right_about_b(answers: Any, held: dict[str, Any]) -> float:
    """The accuracy of the answers (n,) to test inputs of task B."""
    return right_about(answers, held["y_b"])
