"""A fine-tuning recipe, and whether its numbers can do what they are there for.

A recipe is a list of numbers that each look sensible: 3 epochs, a warm-up of 100 steps, a patience of 3. Whether they
fit *together* is arithmetic, and the arithmetic needs the number of examples. Two mistakes are so common that they are
printed in recipes: a warm-up that is longer than the training, and a patience that runs out after the training is over.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Recipe:
    """The settings of a fine-tuning run; the defaults are the often-copied recipe for GPT-like models, mistakes included.

    `target_share` of every batch is the new data, the rest is general data. `patience` is the number of evaluations
    without improvement after which training stops; evaluations are spread evenly over each epoch, the last at its end.
    """

    lr: float = 1e-5
    pretraining_lr: float = 3e-4
    epochs: int = 3
    batch: int = 32
    warmup_steps: int = 100
    weight_decay: float = 0.01
    dropout: float = 0.1
    target_share: float = 0.9
    patience: int = 3
    evaluations_per_epoch: int = 1

    @property
    def evaluations(self) -> int:
        """How often the model is evaluated in the whole training."""
        return self.epochs * self.evaluations_per_epoch

    def steps(self, examples: int) -> int:
        """Optimizer steps in the whole training. The last batch of an epoch may be smaller, and is a step all the same."""
        return self.epochs * math.ceil(examples / self.batch)

    def peak(self, examples: int) -> float:
        """The largest learning rate that any step uses, as a share of `lr`: 1.0 if the warm-up ends in time.

        Step s, counted from 0, uses min(1, s / warmup_steps) of it, as in `transformers`.
        """
        return warmup_factor(self.steps(examples) - 1, self.warmup_steps)

    def first_stop(self) -> int:
        """The evaluation, counted from 1, after which early stopping can first end the training."""
        return first_stop(self.patience)

    def validate(self, examples: int) -> list[str]:
        """What does not fit together, one sentence each; an empty list if all does. `examples` is what an epoch has."""
        found = self._out_of_range(examples)
        if found:
            return found  # the arithmetic below would be about nonsense
        steps = self.steps(examples)
        if self.warmup_steps >= steps:
            found.append(
                f"The warm-up of {self.warmup_steps} steps is not over before the training is, after {steps} steps: "
                f"no step uses more than {self.peak(examples):.0%} of the learning rate. Try {max(1, steps // 10)}."
            )
        if self.first_stop() >= self.evaluations:
            what = "can never fire" if self.first_stop() > self.evaluations else "can only fire when the training is over anyway"
            found.append(
                f"A patience of {self.patience} {what}: it needs {self.first_stop()} evaluations, and there are "
                f"{self.evaluations}. Evaluate more often, or be less patient."
            )
        old = round(self.batch * (1 - self.target_share))
        if self.target_share < 1 and not 0 < old < self.batch:
            found.append(
                f"A batch of {self.batch} with {self.target_share:.0%} new examples has {old} old ones. Try a larger batch."
            )
        if not 10 <= self.pretraining_lr / self.lr <= 100:
            found.append(
                f"The learning rate is {self.pretraining_lr / self.lr:.3g} times smaller than in pretraining; "
                "10 to 100 times is usual. Try 30 times."
            )
        return found

    def _out_of_range(self, examples: int) -> list[str]:
        counts = {"examples": examples, "epochs": self.epochs, "batch": self.batch, "patience": self.patience}
        counts |= {"evaluations_per_epoch": self.evaluations_per_epoch}
        found = [f"{name} is {value}; it has to be at least 1." for name, value in counts.items() if value < 1]
        found += [f"{name} is {value}; it has to be above 0." for name, value in
                  {"lr": self.lr, "pretraining_lr": self.pretraining_lr}.items() if value <= 0]
        found += [f"{name} is {value}; it cannot be negative." for name, value in
                  {"warmup_steps": self.warmup_steps, "weight_decay": self.weight_decay}.items() if value < 0]
        if not 0 <= self.dropout < 1:
            found.append(f"dropout is {self.dropout}; it is a probability, at least 0 and below 1.")
        if not 0 < self.target_share <= 1:
            found.append(f"target_share is {self.target_share}; it is a share, above 0 and at most 1.")
        return found


def warmup_factor(step: int, warmup_steps: int) -> float:
    """The share of the learning rate that step `step` (from 0) uses: it rises linearly from 0, and is 1 from warmup_steps on."""
    return min(1.0, step / warmup_steps) if warmup_steps else 1.0


def first_stop(patience: int) -> int:
    """The evaluation, counted from 1, after which early stopping can first fire: the first one sets the mark to beat."""
    return 1 + patience
