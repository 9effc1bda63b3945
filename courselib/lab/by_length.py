"""Rows of unequal length, computed with little padding: rows of like length share a batch, and the answers keep their order."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor


def rows_by_length(lengths: Sequence[int], size: int, compute: Callable[[list[int]], Tensor], sort: bool = True) -> Tensor:
    """compute(positions) for `size` rows at a time, shortest first: (n, ...), in the order of `lengths`.

    `compute` gets the positions of some rows and returns as many rows of its own. Without `sort` they come as they stand.
    Raises ValueError for no rows, and for a size below 1.
    """
    if not lengths or size < 1:
        raise ValueError(f"There are {len(lengths)} rows, to be computed {size} at a time; both have to be at least 1.")
    order = sorted(range(len(lengths)), key=lengths.__getitem__) if sort else list(range(len(lengths)))
    found = torch.cat([compute(order[begin : begin + size]) for begin in range(0, len(order), size)])
    return found[torch.tensor(order, device=found.device).argsort()]
