"""The state that an answer finds: the same in a kernel in which much has happened as in one that has just begun."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator

import numpy as np
import torch


def seed_everything(seed: int) -> None:
    """Python's generator, NumPy's and torch's: what is random is the same in every run with this seed."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextlib.contextmanager
def fresh(seed: int) -> Iterator[None]:
    """Within the block: float32, gradients on, generators that begin with `seed`. Afterwards all three are as they were."""
    dtype, gradients = torch.get_default_dtype(), torch.is_grad_enabled()
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    torch.set_default_dtype(torch.float32)
    torch.set_grad_enabled(True)
    seed_everything(seed)
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        torch.set_grad_enabled(gradients)
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])
