"""Measures of the topic `preference`: how much better a policy has become, and how far it went for that."""

from __future__ import annotations

from typing import Any

import numpy as np


def gained(output: np.ndarray, held: dict[str, Any]) -> float:
    """The gain in true expected reward over the reference, as a share of what the best policy gains at this β.

    `output` are log-probabilities (contexts, actions); `held` has `reward`, `reference` and `best`, the last two probabilities.
    """
    reward, reference, best = (np.asarray(held[name], dtype=float) for name in ("reward", "reference", "best"))
    start = (reference * reward).sum(1).mean()
    return float(((np.exp(output) * reward).sum(1).mean() - start) / ((best * reward).sum(1).mean() - start))


def distance(output: np.ndarray, held: dict[str, Any]) -> float:
    """KL(policy ‖ reference), the mean over contexts, in units of that of the best policy."""
    reference, best = (np.asarray(held[name], dtype=float) for name in ("reference", "best"))
    kl = (np.exp(output) * (output - np.log(reference))).sum(1).mean()
    return float(kl / (best * np.log(best / reference)).sum(1).mean())


def reached(output: np.ndarray, held: dict[str, Any]) -> float:
    """The true expected reward of a policy, 0 for that at the start and 1 for always taking the best action."""
    reward, start = (np.asarray(held[name], dtype=float) for name in ("reward", "start"))
    low, high = (start * reward).sum(1).mean(), reward.max(1).mean()
    return float(((np.exp(output) * reward).sum(1).mean() - low) / (high - low))
