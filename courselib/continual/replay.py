"""Replay: keep a few old examples, drawn fairly, and mix them in (Chaudhry et al. 2019)."""

from __future__ import annotations

import random

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.lab.data.digits import Task
from courselib.lab.in_turn import Method, plain_loss


class Reservoir:
    """A fair sample of a stream whose length nobody knows: Algorithm R (Vitter 1985, after Waterman).

    The first `capacity` examples are kept. Example number n after that replaces a random one with probability
    capacity / n; then every example seen so far is inside with the same probability, however early it came.
    So old tasks stay in the buffer in proportion to what was seen of them. State: `items`, and `seen`, a count.
    """

    def __init__(self, capacity: int, seed: int = 0):
        if capacity < 1:
            raise ValueError(f"The capacity is {capacity}; a reservoir needs room for at least 1 example.")
        self.capacity = capacity
        self.items: list[tuple[Tensor, ...]] = []
        self.seen = 0
        self._rng = random.Random(seed)

    def add(self, *example: Tensor) -> None:
        """Shows it one example, such as (x, y), which is kept or let go."""
        self.seen += 1
        if len(self.items) < self.capacity:
            self.items.append(example)
        elif (place := self._rng.randrange(self.seen)) < self.capacity:  # place is uniform over 0 .. seen - 1
            self.items[place] = example

    def add_all(self, *tensors: Tensor) -> None:
        """Shows it every row of tensors of equal length, such as x (n, d) and y (n,), in order."""
        for example in zip(*tensors, strict=True):
            self.add(*example)

    def sample(self, count: int) -> tuple[Tensor, ...]:
        """`count` kept examples (all, if there are fewer), stacked: x (count, d), y (count,), without repeats."""
        if not self.items:
            raise ValueError("The reservoir is empty, so there is nothing to replay. Call add or add_all first.")
        chosen = self._rng.sample(self.items, min(count, len(self.items)))
        return tuple(torch.stack(column) for column in zip(*chosen, strict=True))


def replay_counts(batch: int, old_share: float) -> tuple[int, int]:
    """How many new and how many old examples make a batch: replay_counts(32, 0.1) is (29, 3).

    Raises ValueError unless both kinds are there.
    """
    old = round(batch * old_share)
    if not 0 < old < batch:
        raise ValueError(
            f"A batch of {batch} with a share of {old_share} old examples has {old} of them; it needs some of both kinds. "
            "Try a larger batch, or another share."
        )
    return batch - old, old


def replay_loss(model: nn.Module, new: tuple[Tensor, Tensor], old: tuple[Tensor, Tensor], alpha: float = 1.0) -> Tensor:
    """L_new + alpha * L_old, each the mean cross-entropy of its own examples (x, y), in one pass of the model."""
    n = len(new[1])
    logits = model(torch.cat([new[0], old[0]]))  # (n_new + n_old, classes)
    return F.cross_entropy(logits[:n], new[1]) + alpha * F.cross_entropy(logits[n:], old[1])


class Replay(Method):
    """Rehearses old examples: of each batch a share is not the new task's, but drawn from a reservoir of `kept` old examples.

    A batch stays as large as it was, so a step costs what it cost before, and of the new task it sees the fewer examples. If the
    reservoir holds fewer than the share asks for, new ones take their place. State: `buffer`, the reservoir, filled when a task
    has been learned. Limits: it keeps data, which may not be allowed; and each of many tasks has few examples in it.
    Raises ValueError unless `kept` is at least 1 and `share` between 0 and 1.
    """

    def __init__(self, kept: int, share: float = 0.5):
        if not 0 < share < 1:
            raise ValueError(f"The share of old examples is {share}; it is between 0 and 1. Without any, use `Method`.")
        self.kept, self.share, self.buffer = kept, share, Reservoir(kept)

    def begin(self, seed: int) -> None:
        self.buffer = Reservoir(self.kept, seed)

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        if not self.buffer.seen:  # nothing is old yet
            return plain_loss(model, x, y)
        old_x, old_y = self.buffer.sample(replay_counts(len(y), self.share)[1])
        new = len(y) - len(old_y)
        return plain_loss(model, torch.cat([x[:new], old_x]), torch.cat([y[:new], old_y]))

    def after_task(self, model: nn.Module, task: Task) -> None:
        self.buffer.add_all(task.x_train, task.y_train)


class DarkReplay(Replay):
    """Rehearses old *answers*: a kept example comes with the logits it got when its task had been learned (Buzzega et al. 2020).

    The new part of the batch has its labels, the old part the squared distance to the kept logits times `strength`. It is replay
    and distillation in one: the old model is asked, but about pictures that it knew. (The paper keeps logits along the way
    instead of at the end of a task.) Limits and errors are those of `Replay`; a negative strength is refused.
    """

    def __init__(self, kept: int, share: float = 0.5, strength: float = 1.0):
        super().__init__(kept, share)
        if strength < 0:
            raise ValueError(f"The strength is {strength}; below 0 it would reward forgetting. Give 0 or more.")
        self.strength = strength

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        if not self.buffer.seen:
            return plain_loss(model, x, y)
        old_x, answers = self.buffer.sample(replay_counts(len(y), self.share)[1])
        new = len(y) - len(old_x)
        logits = model(torch.cat([x[:new], old_x]))  # (batch, classes)
        return F.cross_entropy(logits[:new], y[:new]) + self.strength * F.mse_loss(logits[new:], answers)

    def after_task(self, model: nn.Module, task: Task) -> None:
        with torch.no_grad():
            self.buffer.add_all(task.x_train, model(task.x_train))
