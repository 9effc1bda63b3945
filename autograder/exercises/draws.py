"""Drawing inputs for cases: small helpers so that a case reads as what it is."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def normal(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> Tensor:
    """A float32 tensor of the given shape with entries N(0, scale²), drawn from NumPy's generator."""
    return torch.from_numpy(scale * rng.standard_normal(shape)).float()


def integer(rng: np.random.Generator, low: int, high: int) -> int:
    """A whole number in [low, high], both ends included."""
    return int(rng.integers(low, high + 1))
