"""Direct preference optimisation, and the losses that differ from it in a line.

DPO (Rafailov et al. 2023, arXiv:2305.18290, equation 7) puts the reward that a policy implies, beta log(pi / pi_ref), into the
loss of a reward model: log Z is the same for both responses of a prompt and cancels. IPO (Azar et al. 2023, arXiv:2310.12036,
equation 17), KTO (Ethayarajh et al. 2024, arXiv:2402.01306), ORPO (Hong et al. 2024, arXiv:2403.07691, equation 6) and SimPO
(Meng et al. 2024, arXiv:2405.14734, equation 6).

A log-probability of a response is the *sum* over its tokens: `response_log_probs`. What takes the mean says so.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class Margins(NamedTuple):
    """log pi - log pi_ref of the chosen and of the rejected responses, each (pairs,), sums over tokens; and their lengths in
    tokens."""

    chosen: Tensor
    rejected: Tensor
    chosen_length: Tensor
    rejected_length: Tensor


def dpo(margins: Margins, beta: float = 0.1, smoothing: float = 0.0) -> Tensor:
    """-log sigma(beta (chosen - rejected)), the mean over pairs; ln 2 where the policy is the reference.

    `smoothing` is the share of labels taken to be flipped; the loss is then the unbiased one of "robust" DPO (Chowdhury et al.
    2024, arXiv:2403.00409), not a mean of the two.
    """
    z = beta * (margins.chosen - margins.rejected)
    if not smoothing:
        return -F.logsigmoid(z).mean()
    return (-(1 - smoothing) * F.logsigmoid(z) + smoothing * F.logsigmoid(-z)).mean() / (1 - 2 * smoothing)


def dpo_of_means(margins: Margins, beta: float = 0.1) -> Tensor:
    """DPO with the mean log-ratio a token instead of the sum: long responses no longer count for more, and Z no longer cancels
    exactly."""
    z = margins.chosen / margins.chosen_length - margins.rejected / margins.rejected_length
    return -F.logsigmoid(beta * z).mean()


def hinge(margins: Margins, beta: float = 0.1) -> Tensor:
    """max(0, 1 - beta (chosen - rejected)): SLiC (Zhao et al. 2023, arXiv:2305.10425) with a reference."""
    return torch.relu(1 - beta * (margins.chosen - margins.rejected)).mean()


def ipo(margins: Margins, beta: float = 0.1, of_means: bool = False) -> Tensor:
    """(chosen - rejected - 1 / (2 beta))^2: a margin to be met, not to be grown without end. trl takes means over tokens."""
    chosen, rejected = margins.chosen, margins.rejected
    if of_means:
        chosen, rejected = chosen / margins.chosen_length, rejected / margins.rejected_length
    return (chosen - rejected - 1 / (2 * beta)).square().mean()


def kto(margins: Margins, beta: float = 0.1, zero: float = 0.0) -> Tensor:
    """1 - sigma(beta (chosen - z0)) and 1 - sigma(beta (z0 - rejected)), each response judged alone: no pairs are needed.

    `zero` is the reference point z0, an estimate of KL(pi || pi_ref) through which no gradient flows.
    """
    return ((1 - torch.sigmoid(beta * (margins.chosen - zero))) + (1 - torch.sigmoid(beta * (zero - margins.rejected)))).mean()


def simpo(chosen: Tensor, rejected: Tensor, beta: float = 2.0, gamma: float = 1.0) -> Tensor:
    """-log sigma(beta (chosen - rejected) - gamma) with *mean* log-probabilities of the policy, (pairs,): no reference at all."""
    return -F.logsigmoid(beta * (chosen - rejected) - gamma).mean()


def orpo_ratio(chosen: Tensor, rejected: Tensor) -> Tensor:
    """-log sigma(log odds(chosen) - log odds(rejected)), odds(p) = p / (1 - p), of *mean* log-probabilities (pairs,).

    ORPO adds this, times a weight, to the ordinary loss on the chosen response; there is no reference.
    """
    odds = (chosen - torch.log1p(-chosen.exp())) - (rejected - torch.log1p(-rejected.exp()))
    return -F.logsigmoid(odds).mean()


def response_log_probs(model: nn.Module, ids: Tensor, mask: Tensor, response: Tensor) -> Tensor:
    """log p of each token of the responses, (batch, seq - 1), zero elsewhere: sum over the last axis for log p(response |
    prompt).

    ids, mask (1 on tokens that are no padding), response (1 on the tokens to be counted): (batch, seq). Position t holds the
    token t + 1, so everything is shifted once, here. Only positions that predict a response's token are turned into logits.
    """
    hidden = model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state[:, :-1]  # (batch, seq - 1, width)
    counted = response[:, 1:].bool()
    logits = model.get_output_embeddings()(hidden[counted])  # (counted, vocab)
    out = torch.zeros(counted.shape, dtype=logits.dtype, device=ids.device)
    out[counted] = -F.cross_entropy(logits.float(), ids[:, 1:][counted], reduction="none").to(logits.dtype)
    return out


def margins_of(log_p: Tensor, log_ref: Tensor, response: Tensor) -> Margins:
    """Margins from token log-probabilities (2 pairs, seq - 1): first all chosen responses, then all rejected ones."""
    ratio = (log_p - log_ref).sum(1)  # (2 pairs,)
    return Margins(*ratio.chunk(2), *response[:, 1:].sum(1).chunk(2))
