"""The one training loop of the course.

Gradient descent is five lines: loss, zero, backward, step, repeat. Every chapter that trains uses these, so that
two methods compared differ in what is trained and in nothing else. Where a chapter needs more (an evaluation
every ten steps, early stopping, a penalty's bookkeeping) it passes a callback.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from tqdm import tqdm


@dataclass(frozen=True)
class Step:
    """What a callback sees after one step. `number` counts from 1; `loss` is that step's, before the update."""

    number: int
    steps: int
    loss: float
    model: nn.Module
    optimizer: torch.optim.Optimizer


def fit(
    model: nn.Module,
    batches: Iterable[Any],
    loss: Callable[[nn.Module, Any], Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    steps: int,
    scheduler: Any = None,
    max_grad_norm: float | None = None,
    callbacks: Iterable[Callable[[Step], Any]] = (),
    progress: bool = True,
) -> list[float]:
    """Trains `model` for `steps` optimizer steps, one batch each, and returns the loss of every step.

    `batches` is gone through again from its beginning whenever it runs out, so a DataLoader is shuffled anew.
    `loss(model, batch)` returns a scalar. `scheduler.step()` follows every optimizer step. With `max_grad_norm`
    the gradient of all the optimizer's parameters together is scaled down to that norm if it is longer.
    A callback that returns True ends the training. The model trains in train mode, whatever a callback does to
    it, and is left in eval mode, ready for use. The progress bar goes to stdout.

    Raises ValueError if `steps` is not positive, `batches` is empty or cannot be begun again, or the loss is not
    a scalar that depends on a trainable parameter; FloatingPointError at a loss that is not finite, before it
    can reach the weights.
    """
    if steps < 1:
        raise ValueError(f"fit was asked for {steps} steps; it needs at least 1.")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    callbacks = tuple(callbacks)
    losses: list[float] = []
    with tqdm(total=steps, file=sys.stdout, leave=False, disable=not progress, unit="step") as bar:
        for batch in _endless(batches, steps):
            model.train()
            value = loss(model, batch)
            losses.append(_checked(value, len(losses) + 1))
            optimizer.zero_grad()
            value.backward()
            if max_grad_norm is not None:
                nn.utils.clip_grad_norm_(parameters, max_grad_norm)
            optimizer.step()
            if scheduler is not None:
                scheduler.step()
            bar.update()
            bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
            state = Step(len(losses), steps, losses[-1], model, optimizer)
            answers = [callback(state) for callback in callbacks]  # all are called, even if one asks to stop
            if any(answer is True for answer in answers):
                break
    model.eval()
    return losses


def _endless(batches: Iterable[Any], steps: int) -> Iterator[Any]:
    """Yields `steps` batches, beginning `batches` again as often as needed."""
    given = 0
    while given < steps:
        before = given
        for batch in batches:
            yield batch
            given += 1
            if given == steps:
                return
        if given == before == 0:
            raise ValueError("batches is empty: fit needs at least one batch to train on.")
        if given == before:
            raise ValueError(
                f"batches ran out after {given} of {steps} steps and cannot be begun again. "
                "Pass a list or a DataLoader instead of a generator."
            )


def _checked(value: Tensor, step: int) -> float:
    """The loss as a float, once it is known to be something that can be minimised."""
    if not isinstance(value, Tensor) or value.numel() != 1:
        what = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"type {type(value).__name__}"
        raise ValueError(f"loss(model, batch) has to return a scalar tensor; it returned {what}. Try .mean().")
    if not value.requires_grad:
        raise ValueError(
            "The loss does not depend on any trainable parameter. "
            "Is every parameter frozen, or was the loss computed under torch.no_grad()?"
        )
    number = value.item()
    if not math.isfinite(number):
        raise FloatingPointError(
            f"The loss is {number} at step {step}. The weights are as they were before this step. "
            "Try a smaller learning rate, a warm-up, or max_grad_norm=1.0."
        )
    return number
