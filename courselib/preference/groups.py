"""GRPO: a group of samples of one prompt is its own baseline, and there is no value network.

    A_i = (r_i - mean of the group) / (std of the group + 1e-4)

Shao et al. 2024, "DeepSeekMath", arXiv:2402.03300, section 4.1. How token losses are averaged matters: per response first
("grpo"), over all tokens of the batch ("bnpo"; "dapo" in Yu et al. 2025, arXiv:2503.14476), or divided by a constant ("dr_grpo":
Liu et al. 2025, arXiv:2503.20783, which also leaves out the division by the standard deviation).
"""

from __future__ import annotations

from torch import Tensor

from courselib.preference.ppo import clipped_surrogate, k3

AVERAGES = ("grpo", "bnpo", "dr_grpo")


def within_groups(rewards: Tensor, scaled: bool = True) -> Tensor:
    """Advantages (groups, samples) from rewards of the same shape; `scaled=False` leaves the standard deviation out (Dr.
    GRPO)."""
    centred = rewards - rewards.mean(-1, keepdim=True)
    return centred / (rewards.std(-1, keepdim=True) + 1e-4) if scaled else centred


def token_mean(token_loss: Tensor, mask: Tensor, how: str = "grpo", longest: int | None = None) -> Tensor:
    """One number from losses a token (batch, T), mask 1 on the response's tokens.

    "grpo": the mean of each response, then of those: a token of a long response weighs less. "bnpo": the mean over all tokens.
    "dr_grpo": the sum divided by batch * longest, a constant. ValueError for another name.
    """
    if how not in AVERAGES:
        raise ValueError(f"There is no average {how!r}; there are {', '.join(map(repr, AVERAGES))}.")
    if how == "grpo":
        return ((token_loss * mask).sum(1) / mask.sum(1).clamp(min=1)).mean()
    if how == "bnpo":
        return (token_loss * mask).sum() / mask.sum().clamp(min=1)
    return (token_loss * mask).sum() / (len(mask) * (longest or mask.shape[1]))


def group_loss(
    log_p: Tensor, log_old: Tensor, advantage: Tensor, mask: Tensor, *, epsilon: float = 0.2, beta: float = 0.0,
    log_ref: Tensor | None = None, how: str = "grpo", longest: int | None = None,
) -> Tensor:
    """The loss of GRPO, to be minimised: log-probabilities (batch, T), advantages (batch,) or (batch, T), mask (batch, T) ->
    scalar.

    At the first step on a batch `log_old` equals `log_p`: then every ratio is 1, and the value is minus the mean advantage, 0 for
    whole groups under "grpo". The gradient is not 0.
    """
    advantage = advantage if advantage.dim() == 2 else advantage[:, None]
    loss = clipped_surrogate((log_p - log_old).exp(), advantage.expand_as(log_p), epsilon)
    if beta:
        if log_ref is None:
            raise ValueError("beta weighs a KL divergence to a reference, so log_ref is needed: (batch, T), like log_p.")
        loss = loss + beta * k3(log_p, log_ref)
    return token_mean(loss, mask, how, longest)
