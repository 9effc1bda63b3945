"""A head for each task, on a trunk that all of them train: what the remedies become when the task is known.

With the task known the heads of the others cannot win by mistake; what is left to forget lies in the trunk. The springs need no
change for it (`InHeads`). Replay asks each old picture's own head. And distillation is at last what its authors wrote: the old
model is asked about the *old* heads, the labels about the new one, and the two no longer contradict each other.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.continual.distillation import distillation_loss
from courselib.continual.isolation import Answering, OwnHeads
from courselib.continual.replay import Reservoir, replay_counts
from courselib.lab.data.digits import Task
from courselib.lab.in_turn import Method, plain_loss


class InHeads(OwnHeads):
    """Another method's loss, with a head for each task: `remedy` sees the model as the task at hand does."""

    def __init__(self, remedy: Method):
        self.remedy = remedy

    def begin(self, seed: int) -> None:
        self.remedy.begin(seed)

    def before_task(self, model: Answering, task: Task) -> None:
        super().before_task(model, task)
        self.remedy.before_task(model, task)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        return self.remedy.loss(model, x, y)

    def after_step(self, model: nn.Module) -> None:
        self.remedy.after_step(model)

    def after_task(self, model: nn.Module, task: Task) -> None:
        self.remedy.after_task(model, task)


class LwF(OwnHeads):
    """Learning without Forgetting (Li and Hoiem 2016): the old heads are to answer the *new* pictures as they did before.

    The loss is the cross-entropy of the new head plus `strength` times the `distillation_loss` of every old head, against the
    frozen network of before. Trunk and all heads are trained. (The paper first warms up the new head alone; that is left out.)
    State: `teacher`, the network before the task at hand. Limits: in use the task has to be known, to choose the head; and what
    the old heads hold on to are their answers to new pictures, which helps as far as new pictures resemble old ones.
    Raises ValueError for a negative strength and for a temperature that is not above 0.
    """

    def __init__(self, strength: float = 1.0, temperature: float = 2.0):
        if strength < 0 or temperature <= 0:
            raise ValueError(
                f"LwF got strength {strength} and temperature {temperature}; the strength is 0 or more and the temperature "
                f"above 0."
            )
        self.strength, self.temperature = strength, temperature
        self.teacher: nn.Module | None = None

    def before_task(self, model: Answering, task: Task) -> None:
        self.teacher = copy.deepcopy(model.network).requires_grad_(False) if len(model.network.heads) else None
        super().before_task(model, task)
        model.network.heads.requires_grad_(True)  # the old heads may follow the trunk

    def loss(self, model: Answering, x: Tensor, y: Tensor) -> Tensor:
        features = model.network.features(x, model.task)  # (n, width)
        value = F.cross_entropy(model.network.heads[model.task](features), y)
        if self.teacher is None:
            return value
        before = self.teacher.features(x, next(iter(self.teacher.heads)))
        for name, head in self.teacher.heads.items():
            value = value + self.strength * distillation_loss(model.network.heads[name](features), head(before), self.temperature)
        return value


class ReplayHeads(OwnHeads):
    """Replay where every old picture is kept with the name of its task, and answered by that task's head.

    The mix is that of `Replay`: a share of every batch is old. State: `buffer`, and the names of the tasks. It raises what
    `Replay` does.
    """

    def __init__(self, kept: int, share: float = 0.5):
        if not 0 < share < 1:
            raise ValueError(f"The share of old examples is {share}; it is between 0 and 1.")
        self.kept, self.share, self.buffer = kept, share, Reservoir(kept)

    def begin(self, seed: int) -> None:
        self.buffer, self.names = Reservoir(self.kept, seed), []

    def before_task(self, model: Answering, task: Task) -> None:
        super().before_task(model, task)
        model.network.heads.requires_grad_(True)

    def loss(self, model: Answering, x: Tensor, y: Tensor) -> Tensor:
        if not self.buffer.seen:
            return plain_loss(model, x, y)
        old_x, old_y, whose = self.buffer.sample(replay_counts(len(y), self.share)[1])
        new = len(y) - len(old_y)
        features = model.network.features(torch.cat([x[:new], old_x]), model.task)  # (batch, width)
        total = F.cross_entropy(model.network.heads[model.task](features[:new]), y[:new], reduction="sum")
        for number in whose.unique().tolist():
            mine = whose == number
            logits = model.network.heads[self.names[number]](features[new:][mine])
            total = total + F.cross_entropy(logits, old_y[mine], reduction="sum")
        return total / len(y)

    def after_task(self, model: Answering, task: Task) -> None:
        self.buffer.add_all(task.x_train, task.y_train, torch.full((len(task.y_train),), len(self.names)))
        self.names.append(model.task)
