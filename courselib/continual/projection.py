"""A step that does not point against the old tasks: averaged gradient episodic memory, "A-GEM" (Chaudhry et al. 2019).

Chapter 04 measures the angle between the gradient g of the new task and g_ref of the old ones. GEM (Lopez-Paz and Ranzato 2017)
acts on it: as long as the angle is below 90 degrees the step is as it was; above, the part that points against g_ref is
taken out. A-GEM takes the gradient on one batch of all old examples together for g_ref.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from courselib.continual.replay import Replay
from courselib.lab.in_turn import plain_loss


def conflict(gradient: Sequence[Tensor], reference: Sequence[Tensor]) -> float:
    """How much of the reference has to be added to a gradient so that the two no longer point apart: max(0, -g . r / r . r).

    Both are one tensor a weight, and one long vector: the angle is taken once, and not weight by weight.
    """
    along = sum((g * r).sum().item() for g, r in zip(gradient, reference, strict=True))
    size = sum((r * r).sum().item() for r in reference)
    return max(0.0, -along / size) if size else 0.0


def projected(gradient: Sequence[Tensor], reference: Sequence[Tensor]) -> list[Tensor]:
    """The gradient nearest to `gradient` with no part against `reference`. Source: Chaudhry et al. 2019, eq. 11."""
    share = conflict(gradient, reference)
    return [g + share * r for g, r in zip(gradient, reference, strict=True)]


class AGEM(Replay):
    """Takes out of each step what points against the gradient on old examples, drawn from a reservoir of `kept`.

    The projected gradient is that of L_new + c L_old with c = `conflict`, a number that each step chooses for itself: so A-GEM
    is replay that speaks only when it is contradicted. Of a batch it leaves the new examples whole and draws as many old ones.
    Limits: it keeps data; it needs two gradients; and where nothing contradicts, it learns nothing from what it keeps.
    """

    def __init__(self, kept: int):
        super().__init__(kept)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        value = plain_loss(model, x, y)
        if not self.buffer.seen:
            return value
        old = plain_loss(model, *self.buffer.sample(len(y)))
        weights = [p for p in model.parameters() if p.requires_grad]
        new_gradient, old_gradient = (torch.autograd.grad(part, weights, retain_graph=True) for part in (value, old))
        return value + conflict(new_gradient, old_gradient) * old
