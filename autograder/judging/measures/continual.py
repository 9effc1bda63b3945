"""Measures of the topic `continual`: whether samples of a stream are fair, and what is left of tasks gone by."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def whole_samples(samples: np.ndarray, held: dict[str, Any]) -> float:
    """The share of the samples (runs, capacity + 1) that have as many items as fit, none of them twice. -1 is an empty place."""
    samples = np.sort(np.asarray(samples), axis=1)
    size = min(held["length"], samples.shape[1] - 1)
    there = samples >= 0
    twice = ((samples[:, 1:] == samples[:, :-1]) & there[:, 1:]).any(axis=1)
    return float(np.mean((there.sum(axis=1) == size) & ~twice))


def _times(samples: np.ndarray, held: dict[str, Any]) -> np.ndarray:
    """How often each item of the stream is in a sample, as a multiple of what is fair."""
    samples = np.asarray(samples).astype(np.int64).ravel()
    fair = len(samples) / (held["capacity"] + 1) * held["capacity"] / held["length"]
    return np.bincount(samples[samples >= 0], minlength=held["length"])[: held["length"]] / fair


def early(samples: np.ndarray, held: dict[str, Any]) -> float:
    """How often the first item is kept, as a multiple of what is fair."""
    return float(_times(samples, held)[0])


def late(samples: np.ndarray, held: dict[str, Any]) -> float:
    """How often the last item is kept, as a multiple of what is fair."""
    return float(_times(samples, held)[-1])


def unevenness(samples: np.ndarray, held: dict[str, Any]) -> float:
    """Chi-square of all counts, as standard deviations above its mean for a fair sampler: about -1 to 3 is chance."""
    times, n, runs = _times(samples, held), held["length"], len(samples)
    fair = held["capacity"] / n
    chi = (n - 1) / (n * (1 - fair)) * runs * fair * np.sum((times - 1) ** 2)
    return float((chi - (n - 1)) / np.sqrt(2 * (n - 1)))


def worst_old(answers: Sequence[np.ndarray], held: dict[str, Any]) -> float:
    """The lowest accuracy on any task but the last. `held`: the labels `y`, one array a task."""
    return min(float(np.mean(np.asarray(a) == np.asarray(y))) for a, y in zip(answers[:-1], held["y"][:-1], strict=True))


def newest(answers: Sequence[np.ndarray], held: dict[str, Any]) -> float:
    """The accuracy on the last task."""
    return float(np.mean(np.asarray(answers[-1]) == np.asarray(held["y"][-1])))
