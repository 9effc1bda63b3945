"""Measures of the topic `instruction`: what a fine-tuned model said, held against what is right."""

from __future__ import annotations

from typing import Any

import numpy as np


def answered(output: np.ndarray, held: dict[str, Any]) -> float:
    """The share of prompts of which the first token said is the right answer. output: (n, 3)."""
    return float(np.mean(np.asarray(output)[:, 0] == np.asarray(held["answers"])))


def stopped(output: np.ndarray, held: dict[str, Any]) -> float:
    """The share of prompts after which the model ends its turn right after its answer of one token. output: (n, 3)."""
    return float(np.mean(np.asarray(output)[:, 1] == held["end"]))


def right_on_the_whole(output: np.ndarray, held: dict[str, Any]) -> float:
    """The share of right signs. output: (m,)."""
    return float(np.mean(np.asarray(output) == np.asarray(held["labels"])))


def right_on_the_worst_kind(output: np.ndarray, held: dict[str, Any]) -> float:
    """The share of right signs, of that kind of instruction where it is lowest. output: (m,)."""
    right, kinds = np.asarray(output) == np.asarray(held["labels"]), np.asarray(held["kinds"])
    return float(min(right[kinds == kind].mean() for kind in np.unique(kinds)))
