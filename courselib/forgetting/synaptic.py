"""Synaptic intelligence: how much each weight has done for a task, added up while it is learned (Zenke, Poole and Ganguli 2017).

A small step changes the loss by g . delta, a sum over the weights. So -g_i delta_i, added up along the whole way, is what
weight i has contributed to learning the task: a path integral, where EWC looks at one point, the end of the way. Divided by the
square of the distance the weight has come it is a stiffness, which would make a quadratic loss fall by just that contribution.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from courselib.forgetting.fisher import Weights, add
from courselib.forgetting.penalties import Spring, anchor, ewc_penalty
from courselib.lab.data.digits import Task
from courselib.lab.in_turn import plain_loss


class SynapticIntelligence(Spring):
    """A spring on every weight, as strong as its contribution to learning the tasks so far.

    omega_i = sum over the steps of -g_i delta_i, with g the gradient of the task's loss alone; then the stiffness grows by
    omega_i / (distance_i^2 + damping), and the penalty is that of EWC. State: `importance`, the stiffness so far, and of the task
    at hand `begun`, `last`, `omega`. It needs no pass over the data at the end, and one more backward pass in every step.
    Raises ValueError for a negative strength and for a damping that is not above 0.
    """

    def __init__(self, strength: float, damping: float = 1e-3):
        super().__init__(strength)
        if damping <= 0:
            raise ValueError(f"The damping is {damping}; weights that have not moved would be divided by 0. Give more than 0.")
        self.damping = damping
        self.importance: Weights | None = None

    def before_task(self, model: nn.Module, task: Task) -> None:
        self.begun = self.last = anchor(model)
        self.omega = {name: torch.zeros_like(p) for name, p in self.begun.items()}

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        value = plain_loss(model, x, y)
        weights = [p for p in model.parameters() if p.requires_grad]
        self.gradient = dict(zip(self.last, torch.autograd.grad(value, weights, retain_graph=True), strict=True))
        return value + self.penalty(model)

    def pull(self, model: nn.Module) -> Tensor:
        return ewc_penalty(model, self.start, self.importance, self.strength)

    def after_step(self, model: nn.Module) -> None:
        here = anchor(model)
        for name, g in self.gradient.items():
            self.omega[name] -= g * (here[name] - self.last[name])
        self.last = here

    def after_task(self, model: nn.Module, task: Task) -> None:
        super().after_task(model, task)
        found = {  # a weight that was only carried along, and did harm on its way, needs no holding
            name: self.omega[name].clamp_min(0) / ((self.last[name] - self.begun[name]) ** 2 + self.damping)
            for name in self.omega
        }
        self.importance = found if self.importance is None else add(self.importance, found)
