"""Half-way between the old weights and the new: no training, one number to choose (Wortsman et al. 2022, "WiSE-FT").

    theta(t) = (1 - t) theta* + t theta_B,    t from 0, the old model, to 1, the fine-tuned one.

It works as far as the loss of both tasks stays low along the straight line between the two; fine-tuned weights that have not
gone far often lie in one basin with their start. Nothing has to be kept but the old weights.
"""

from __future__ import annotations

import copy

import torch
from torch import nn

from courselib.forgetting.fisher import Weights


def interpolated(start: Weights, model: nn.Module, share: float) -> nn.Module:
    """A copy of `model` with the weights (1 - share) * start + share * its own. What `start` does not name is the model's.

    Raises ValueError for a share outside 0 to 1: that would be beyond one of the two.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"The share is {share}; between the old weights (0) and the new ones (1) it is 0 to 1.")
    mixed = copy.deepcopy(model)
    with torch.no_grad():
        for name, p in mixed.named_parameters():
            if name in start:
                p.copy_(torch.lerp(start[name], p, share))
    return mixed
