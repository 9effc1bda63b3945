"""The objective of RLHF where it can be solved: a policy that is a table of probabilities.

    J(pi) = sum_y pi(y) r(y) - beta KL(pi || pi_ref)

Its maximum is pi*(y) = pi_ref(y) exp(r(y) / beta) / Z, with J(pi*) = beta log Z (Ziebart 2010; Peters et al. 2010; Rafailov et
al. 2023, arXiv:2305.18290, appendix A.1). Everything here is float64, and stable from beta = 0.001 up.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F


def optimum(reference: Tensor, reward: Tensor, beta: float) -> Tensor:
    """pi* of the objective, (..., actions): `reference` probabilities, `reward` of each action. ValueError if beta is not above
    0.

    In logarithms: exp(r / beta) itself is infinite for beta = 0.001 and r = 1.
    """
    if beta <= 0:
        raise ValueError(f"beta weighs the KL divergence and has to be above 0, but {beta} came. At 0 take the best action.")
    return (reference.double().log() + reward.double() / beta).softmax(-1)


def log_partition(reference: Tensor, reward: Tensor, beta: float) -> Tensor:
    """log Z = log sum_y pi_ref(y) exp(r(y) / beta), (..., actions) -> (...). The value of the objective at its maximum is beta
    log Z."""
    return (reference.double().log() + reward.double() / beta).logsumexp(-1)


def divergence(policy: Tensor, reference: Tensor) -> Tensor:
    """KL(policy || reference) in nats, (..., actions) -> (...); actions without probability add nothing (0 log 0 = 0)."""
    policy, reference = policy.double(), reference.double()
    return (torch.xlogy(policy, policy) - torch.xlogy(policy, reference)).sum(-1)


def regularised_reward(policy: Tensor, reference: Tensor, reward: Tensor, beta: float) -> Tensor:
    """J(policy): expected reward less beta times KL(policy || reference), (..., actions) -> (...)."""
    return (policy.double() * reward.double()).sum(-1) - beta * divergence(policy, reference)


def implied_reward(policy: Tensor, reference: Tensor, beta: float) -> Tensor:
    """beta log(policy / reference): the reward whose optimum `policy` is, up to one constant. DPO's implicit reward."""
    return beta * (policy.double().log() - reference.double().log())


def exact_preferences(reward: Tensor) -> Tensor:
    """P(i is preferred to j) for all pairs of actions: (actions,) -> (actions, actions)."""
    return torch.sigmoid(reward.double()[:, None] - reward.double()[None, :])


def fitted_by_preferences(
    reference: Tensor, wins: Tensor, beta: float, steps: int = 400, lengths: Tensor | None = None
) -> Tensor:
    """The policy that minimises DPO's expected loss on a table of preferences: (actions,), (actions, actions) -> (actions,).

    `wins[i, j]` weighs "i was preferred to j"; zero where a pair is never seen. With `lengths` (actions,), in tokens, log-ratios
    are means over tokens, as in `dpo_of_means`. It is trained from the reference by Newton-like steps (L-BFGS) on the logits of
    the policy, as any parametric policy would be: the closed form is never used.
    """
    log_ref = reference.double().log()
    logits = log_ref.clone().requires_grad_()
    optimizer = torch.optim.LBFGS(
        [logits], max_iter=steps, tolerance_grad=1e-12, tolerance_change=1e-14, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        ratio = beta * (logits.log_softmax(-1) - log_ref) / (1 if lengths is None else lengths)  # (actions,)
        loss = -(wins.double() * F.logsigmoid(ratio[:, None] - ratio[None, :])).sum() / wins.sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return logits.detach().softmax(-1)
