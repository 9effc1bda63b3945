"""PPO on a policy that is a table: everything can be seen, and a run takes a fraction of a second.

There is one state and a handful of actions. A step draws actions, takes their rewards, and makes `epochs` updates of the clipped
loss on them; the KL to the reference stands in the reward, as in PPO on a language model. Source: Schulman et al. 2017,
arXiv:1707.06347.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from courselib.lab.training import Step, fit
from courselib.preference.ppo import clipped_surrogate, total_loss


class TablePolicy(nn.Module):
    """A distribution over actions, given by its logits; it starts at the reference."""

    def __init__(self, reference: Tensor) -> None:
        super().__init__()
        self.register_buffer("log_ref", reference.double().log())
        self.logits = nn.Parameter(self.log_ref.clone())

    @property
    def log_p(self) -> Tensor:
        """(actions,)"""
        return self.logits.log_softmax(-1)


@dataclass(frozen=True)
class Draws:
    """One batch of actions (samples,), with the log-probability each had when it was drawn and its advantage."""

    actions: Tensor
    log_old: Tensor
    advantage: Tensor


@dataclass(frozen=True)
class TableRun:
    """What a run leaves: `policies` (steps + 1, actions), the reference first."""

    policies: Tensor

    def expected(self, quantity: Tensor) -> Tensor:
        """The mean of a quantity of the actions under each policy: (actions,) -> (steps + 1,)."""
        return self.policies @ quantity.double()

    def divergences(self) -> Tensor:
        """KL(policy || reference) after every step, in nats: (steps + 1,)."""
        ratio = (self.policies / self.policies[0]).clamp(min=1e-300).log()
        return (self.policies * ratio).sum(-1)


def improve(
    reference: Tensor, reward: Tensor | Callable[[int, Tensor], Tensor], *, beta: float = 0.0, epsilon: float | None = 0.2,
    entropy_weight: float = 0.0, sign: int = 1, steps: int = 120, samples: int = 64, epochs: int = 1, lr: float = 0.2,
    seed: int = 0,
) -> TableRun:
    """PPO from `reference` on `reward` (actions,), or on `reward(step, policy)`, asked before every step.

    `epsilon=None` leaves the clip out. `sign=-1` subtracts the policy's loss, which carries its minus already: the formula that
    is copied wrong. The baseline is the batch's mean. One update is a step of plain gradient descent.
    """
    policy = TablePolicy(reference)
    generator = torch.Generator().manual_seed(seed)
    history = [policy.log_p.detach().exp()]

    def draws() -> Draws:
        number = len(history) - 1
        scores = (reward(number, history[-1]) if callable(reward) else reward).double()
        log_p = policy.log_p.detach()
        actions = torch.multinomial(log_p.exp(), samples, replacement=True, generator=generator)
        shaped = scores[actions] - beta * (log_p - policy.log_ref)[actions]
        return Draws(actions, log_p[actions], shaped - shaped.mean())

    def loss(model: Any, batch: Draws) -> Tensor:
        log_p = model.log_p
        ratio = (log_p[batch.actions] - batch.log_old).exp()
        policy_loss = clipped_surrogate(ratio, batch.advantage, 1e9 if epsilon is None else epsilon).mean()
        entropy = -(log_p.exp() * log_p).sum()
        return total_loss(sign * policy_loss, torch.zeros(()), entropy, 0.0, entropy_weight)

    def keep(step: Step) -> None:
        if step.number % epochs == 0:
            history.append(step.model.log_p.detach().exp())

    optimizer = torch.optim.SGD(policy.parameters(), lr=lr)
    fit(policy, _Repeated(draws, epochs), loss, optimizer, steps=steps * epochs, callbacks=[keep], progress=False)
    return TableRun(torch.stack(history))


class _Repeated:
    """Batches for `fit`: each is drawn when it is needed, and given `times` times."""

    def __init__(self, draw: Callable[[], Any], times: int) -> None:
        self.draw, self.times = draw, times

    def __iter__(self) -> Iterator[Any]:
        while True:
            batch = self.draw()
            for _ in range(self.times):
                yield batch
