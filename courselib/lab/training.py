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
    """What a callback sees after one step. `number` counts from 1; `loss` is that step's, before the update.

    The loss is read from the device when it is asked for, so on a GPU ask no more often than you need.
    """

    number: int
    steps: int
    value: Tensor  # a scalar
    model: nn.Module
    optimizer: torch.optim.Optimizer

    @property
    def loss(self) -> float:
        return self.value.item()


def fit(
    model: nn.Module,
    batches: Iterable[Any],
    loss: Callable[[nn.Module, Any], Tensor],
    optimizer: torch.optim.Optimizer,
    *,
    steps: int,
    accumulate: int = 1,
    scheduler: Any = None,
    max_grad_norm: float | None = None,
    callbacks: Iterable[Callable[[Step], Any]] = (),
    progress: bool = True,
) -> list[float]:
    """Trains `model` for `steps` optimizer steps, one batch each, and returns the loss of every step.

    `batches` is gone through again from its beginning whenever it runs out, so a DataLoader is shuffled anew.
    `loss(model, batch)` returns a scalar. `scheduler.step()` follows every optimizer step. With `max_grad_norm`
    the gradient of all the optimizer's parameters together is scaled down to that norm if it is longer.
    A callback that returns True ends the training, and may add groups of parameters to the optimizer. The model trains in
    train mode, whatever a callback does to it, and is left in eval mode, also where a step fails. The progress bar goes to
    stdout.

    With `accumulate` a step takes so many batches, one after another: the memory of one, the gradient of all. Its loss is the
    mean of theirs, which is the loss of one large batch only if they are equally large. A mean over tokens is where that goes
    wrong: a batch of few tokens counts as much as one of many, so each of its tokens counts for more. Batches of equal size,
    or a `loss` that divides its sum by a fixed number, avoid it.

    Raises ValueError if `steps` or `accumulate` is not positive, `batches` is empty or cannot be begun again, or the loss is not
    a scalar that depends on a trainable parameter; FloatingPointError at a loss that is not finite, on the CPU before it can
    reach the weights. On a GPU, reading a loss makes the processor wait for it, so there they are read 50 at a time.
    """
    if steps < 1 or accumulate < 1:
        raise ValueError(f"fit was asked for {steps} steps of {accumulate} batches; it needs at least 1 of each.")
    callbacks, stream = tuple(callbacks), _endless(batches, steps * accumulate)
    losses: list[float] = []
    unread: list[Tensor] = []
    try:
        with tqdm(total=steps, file=sys.stdout, leave=False, disable=not progress, unit="step") as bar:
            for number in range(1, steps + 1):
                model.train()
                value = _gradient(model, stream, loss, optimizer, accumulate)
                unread.append(value)
                if len(unread) == look_every(value.device):
                    losses += _read(unread, len(losses), taken=number - 1)
                    bar.set_postfix(loss=f"{losses[-1]:.3f}", refresh=False)
                if max_grad_norm is not None:
                    nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], max_grad_norm)
                optimizer.step()
                if scheduler is not None:
                    scheduler.step()
                bar.update()
                state = Step(number, steps, value, model, optimizer)
                answers = [callback(state) for callback in callbacks]  # all are called, even if one asks to stop
                if any(answer is True for answer in answers):
                    break
            losses += _read(unread, len(losses), taken=number)
    finally:
        model.eval()
    return losses


def look_every(device: torch.device) -> int:
    """How many losses are read at a time: on the CPU each at once; elsewhere reading would stop the queue of work each time."""
    return 1 if device.type == "cpu" else 50


def _gradient(
    model: nn.Module, stream: Iterator[Any], loss: Callable[[nn.Module, Any], Tensor], optimizer: torch.optim.Optimizer,
    count: int,
) -> Tensor:
    """Puts the gradient of the mean loss of the next `count` batches into the parameters, and returns that mean."""
    values = []
    for _ in range(count):
        value = _scalar(loss(model, next(stream)))
        if not values:
            optimizer.zero_grad()
        (value / count).backward()
        values.append(value.detach().reshape(()))
    return values[0] if count == 1 else torch.stack(values).mean()


def _read(unread: list[Tensor], before: int, taken: int) -> list[float]:
    """The losses after the first `before` as floats, in one go, once they are known to be finite; empties the list.

    `taken` is how many steps have changed the weights by now.
    """
    found = torch.stack(unread).tolist() if unread else []
    unread.clear()
    for step, number in enumerate(found, before + 1):
        if not math.isfinite(number):
            state = "are as they were before this step" if taken < step else "are spoilt: begin again"
            raise FloatingPointError(
                f"The loss is {number} at step {step}. The weights {state}. "
                "Try a smaller learning rate, a warm-up, or max_grad_norm=1.0."
            )
    return found


def _endless(batches: Iterable[Any], count: int) -> Iterator[Any]:
    """Yields `count` batches, beginning `batches` again as often as needed."""
    given = 0
    while given < count:
        before = given
        for batch in batches:
            yield batch
            given += 1
            if given == count:
                return
        if given == before == 0:
            raise ValueError("batches is empty: fit needs at least one batch to train on.")
        if given == before:
            raise ValueError(
                f"batches ran out after {given} of the {count} that are needed, and cannot be begun again. "
                "Pass a list or a DataLoader instead of a generator."
            )


def _scalar(value: Tensor) -> Tensor:
    """The loss, once it is known to be something that can be minimised."""
    if not isinstance(value, Tensor) or value.numel() != 1:
        what = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else f"type {type(value).__name__}"
        raise ValueError(f"loss(model, batch) has to return a scalar tensor; it returned {what}. Try .mean().")
    if not value.requires_grad:
        raise ValueError(
            "The loss does not depend on any trainable parameter. "
            "Is every parameter frozen, or was the loss computed under torch.no_grad()?"
        )
    return value
