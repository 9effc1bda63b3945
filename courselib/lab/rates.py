"""The learning rate's way through a training, as most chapters take it: a short warm-up, and a straight line down."""

from __future__ import annotations

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def falling_rate(optimizer: Optimizer, warmup: int, steps: int, fall: float = 1.0) -> LambdaLR:
    """A scheduler for `fit`: step s (from 0) has the peak rate times min(1, (s + 1) / warmup) * (1 - fall * s / steps).

    So the first step does move something. `fall` is the share of the peak that is gone at the end: with 0 it stays there.
    Raises ValueError for a warm-up or a number of steps below 1, and for a `fall` that is no share.
    """
    if warmup < 1 or steps < 1 or not 0 <= fall <= 1:
        raise ValueError(
            f"falling_rate got warmup {warmup}, steps {steps} and fall {fall}; the first two are at least 1, and the last is a "
            "share, 0 to 1. Try 10 steps of warm-up."
        )
    return LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / warmup) * (1 - fall * step / steps))
