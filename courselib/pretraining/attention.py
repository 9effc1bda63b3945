"""Attention: how positions see each other, and the mask that decides which ones may.

Each position asks with a query, is found by its key, and is read by its value (Vaswani et al. 2017, arXiv:1706.03762, section
3.2). A masked model lets everybody look at every token. A causal one keeps the future out with a triangle, so that all its next
words can be asked for in one pass.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def attention_scores(queries: Tensor, keys: Tensor) -> Tensor:
    """How much each position would like to look at each other: `(..., n, d)` twice -> `(..., n, n)`, row i for position i.

    The dot product of query i and key j, over the root of d: for independent entries of variance 1 it has variance d, and a
    softmax of numbers that large puts everything on one position.
    """
    return queries @ keys.transpose(-1, -2) / math.sqrt(queries.shape[-1])


def attention_weights(scores: Tensor, allowed: Tensor | None = None) -> Tensor:
    """What each position looks at, in shares that add up to 1 in a row: `(..., n, n)` -> `(..., n, n)`.

    allowed: bool, broadcast to the scores; where it is False the score becomes -inf and the share is exactly zero. Raises
    ValueError for a row that may look at nothing: its shares would be 0/0.
    """
    if allowed is None:
        return scores.softmax(-1)
    if not allowed.any(-1).all():
        raise ValueError("A position may look at nothing, not even at itself. Allow every row at least one column.")
    return scores.masked_fill(~allowed, float("-inf")).softmax(-1)


def causal_mask(attention_mask: Tensor) -> Tensor:
    """Who may look at whom in a causal model: real tokens `(batch, n)` of 0 and 1 -> bool `(batch, n, n)`.

    Entry [b, i, j] is True if position i may attend to position j: j is not after i, and j is no padding.
    """
    n = attention_mask.shape[1]
    return torch.ones(n, n, dtype=torch.bool).tril() & attention_mask.bool()[:, None, :]


@torch.no_grad()
def influence(outputs: Callable[[Tensor], Tensor], input_ids: Tensor, other: int) -> Tensor:
    """How much the output at each position changes when each token in turn becomes `other`: `(seq, seq)`.

    outputs: what a model makes of tokens `(batch, seq)`, as `(batch, seq, d)`.   input_ids: `(1, seq)`.
    Entry [i, j] is the largest change at position i when token j is another. In a causal model it is exactly zero for j > i.
    """
    n = input_ids.shape[1]
    changed = input_ids.repeat(n, 1)
    changed.fill_diagonal_(other)  # row j: the sentence with another token j
    before = outputs(input_ids.repeat(n, 1))  # the same batch size: the same arithmetic
    return (outputs(changed) - before).abs().amax(-1).T
