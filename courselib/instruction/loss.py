"""The loss of instruction tuning: the cross-entropy of continued pretraining, over fewer tokens.

    L = - (1 / |y|) sum_t log p(y_t | x, y_<t)

for an instruction x and a response y. In code that is a matter of labels: a token that is not to be learned has the label -100,
which torch's cross-entropy leaves out of the sum and out of the count. Everything that goes wrong with this loss goes wrong in
three places: which labels are -100, whether they are shifted once, and by what the sum is divided.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

IGNORE_INDEX = -100  # what torch's cross_entropy leaves out unless told otherwise


def response_labels(input_ids: Tensor, assistant_mask: Tensor) -> Tensor:
    """The ids where the mask is 1, and -100 elsewhere: both (..., seq) -> (..., seq). Not shifted: the loss does that.

    Raises ValueError if the two differ in shape.
    """
    if input_ids.shape != assistant_mask.shape:
        raise ValueError(
            f"input_ids has shape {tuple(input_ids.shape)} and assistant_mask {tuple(assistant_mask.shape)}; each token has one "
            "entry in both."
        )
    return input_ids.masked_fill(assistant_mask == 0, IGNORE_INDEX)


def response_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """Mean negative log-likelihood, in nats, over all labelled tokens of the batch: (batch, seq, vocab), (batch, seq) -> scalar.

    Position t predicts token t + 1. The mean is over tokens, so a long response counts for more than a short one. Raises
    ValueError if no token is labelled: torch would divide nothing by nothing and return NaN.
    """
    predicted, targets = logits[:, :-1], labels[:, 1:]
    if not (targets != IGNORE_INDEX).any():
        raise ValueError(
            "No token of this batch has a label, so its mean loss is 0/0. Was the response cut off (a limit on the length), or "
            "did the template not mark the assistant's tokens?"
        )
    return F.cross_entropy(predicted.flatten(0, 1), targets.flatten(), ignore_index=IGNORE_INDEX)


def sequence_mean_loss(logits: Tensor, labels: Tensor) -> Tensor:
    """The other mean: first over the labelled tokens of each row, then over the rows. A short response counts like a long one.

    Rows without a label are left out. Raises ValueError if none has one.
    """
    predicted, targets = logits[:, :-1], labels[:, 1:]
    each = F.cross_entropy(predicted.flatten(0, 1), targets.flatten(), ignore_index=IGNORE_INDEX, reduction="none")
    counted = (targets != IGNORE_INDEX).sum(1)  # (batch,)
    if not counted.any():
        raise ValueError("No row of this batch has a labelled token, so there is nothing to take a mean of.")
    rows = each.view_as(targets).sum(1)[counted > 0] / counted[counted > 0]
    return rows.mean()


def chain_loss(steps: Sequence[Tensor]) -> float:
    """The loss of a chain of thought from token log-probabilities: one tensor a reasoning step, and last that of the answer.

    It is the loss of one response that happens to consist of steps: the negative mean over all tokens, whichever step they are
    in. Raises ValueError for a chain without tokens.
    """
    tokens = torch.cat([torch.as_tensor(step, dtype=torch.float64).flatten() for step in steps]) if steps else torch.empty(0)
    if not len(tokens):
        raise ValueError("This chain has no tokens, so it has no mean.")
    return float(-tokens.mean())


def mean_over_steps(steps: Sequence[Tensor]) -> float:
    """What you may meet instead, -1/(K + 1) sum_k log p(r_k): K steps and an answer, each summed over its tokens and counted
    once.

    The numerator is the same; the divisor is not. It agrees with `chain_loss` only if every step is one token.
    """
    return float(-sum(torch.as_tensor(step, dtype=torch.float64).sum() for step in steps) / len(steps))
