"""Probes of the topic `preference`: a step of a training, run many times on data that came in.

The policy of both is a table of logits for each feature: softmax(x @ W). What it is held against, the true rewards of contexts
that are not trained on, never comes here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from autograder.asking.probes.calling import call


def align(answer: Callable, inputs: dict[str, Any]) -> torch.Tensor:
    """Runs `answer(W, reference, x, chosen, rejected, beta, lr)` over batches of preferences, from W = reference.

    Returns the log-probabilities of the policy, (test contexts, actions), in contexts that were not trained on.
    """
    x, chosen, rejected, size = inputs["x"], inputs["chosen"], inputs["rejected"], inputs["batch"]
    W = inputs["reference"].clone()
    for epoch in range(inputs["epochs"]):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(epoch))
        for rows in order.split(size):
            step = {"W": W, "reference": inputs["reference"].clone(), "x": x[rows], "chosen": chosen[rows],
                    "rejected": rejected[rows], "beta": inputs["beta"], "lr": inputs["lr"]}
            W = _weights(call(answer, step), W)
    return (inputs["x_test"] @ W).log_softmax(-1)


def improve(answer: Callable, inputs: dict[str, Any]) -> torch.Tensor:
    """Runs `answer(W, x, actions, rewards, lr)` on groups of actions that the policy itself draws, from W = start.

    Returns the log-probabilities of the policy, (test contexts, actions), in contexts that were not trained on.
    """
    x, paid, W = inputs["x"], inputs["paid"], inputs["start"].clone()
    generator = torch.Generator().manual_seed(inputs["seed"])
    for _ in range(inputs["steps"]):
        rows = torch.randint(len(x), (inputs["groups"],), generator=generator)
        actions = torch.multinomial((x[rows] @ W).softmax(-1), inputs["samples"], replacement=True, generator=generator)
        step = {"W": W, "x": x[rows], "actions": actions, "rewards": paid[rows].gather(1, actions), "lr": inputs["lr"]}
        W = _weights(call(answer, step), W)
    return (inputs["x_test"] @ W).log_softmax(-1)


def _weights(new: Any, old: torch.Tensor) -> torch.Tensor:
    """What a step returned, as weights for the next; it says so where that cannot be."""
    if new is None:
        raise ValueError("the step returned None: return the new W")
    new = torch.as_tensor(new, dtype=old.dtype).detach().clone()
    if new.shape != old.shape:
        raise ValueError(f"the step returned weights of shape {tuple(new.shape)}, but W has {tuple(old.shape)}")
    if not new.isfinite().all():
        raise ValueError("the weights are no longer finite: the steps are too large, or go the wrong way")
    return new
