"""Packing: several conversations in one row, so that no computation is spent on padding.

A causal model reads everything to the left. In a packed row that includes other people's conversations, unless a mask says which
tokens belong together: token i may look at token j if j is not later *and* both are of the same conversation. Positions have to
begin anew too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor


class Packed(NamedTuple):
    """Conversations in one row: `input_ids`, which conversation each token is of (from 0), and its position in that one: all
    (seq,)."""

    input_ids: Tensor
    segments: Tensor
    positions: Tensor


def pack(chats: Sequence[Sequence[int]]) -> Packed:
    """All conversations one after another. Raises ValueError for none, and for an empty one."""
    if not chats or not all(chats):
        raise ValueError("There is nothing to pack: give at least one conversation, each with at least one token.")
    ids = torch.tensor([token for chat in chats for token in chat])
    segments = torch.repeat_interleave(torch.arange(len(chats)), torch.tensor([len(chat) for chat in chats]))
    return Packed(ids, segments, torch.cat([torch.arange(len(chat)) for chat in chats]))


def block_mask(segments: Tensor) -> Tensor:
    """Which token may look at which: (seq,) -> (seq, seq), True where row i may attend to column j."""
    together = segments[:, None] == segments[None, :]
    return together & torch.ones_like(together).tril()


@torch.no_grad()
def packed_logits(model: torch.nn.Module, packed: Packed, masked: bool = True, restarted: bool = True) -> Tensor:
    """The model's logits for the packed row: (seq, vocab). Without `masked`, or with positions that run on, it leaks or
    shifts."""
    seq = len(packed.input_ids)
    allowed = block_mask(packed.segments) if masked else torch.ones(seq, seq, dtype=torch.bool).tril()
    positions = packed.positions if restarted else torch.arange(seq)
    found = model(
        input_ids=packed.input_ids[None].to(model.device), position_ids=positions[None].to(model.device),
        attention_mask=allowed[None, None].to(model.device),
    )
    return found.logits[0]


def padding_share(lengths: Sequence[int], size: int) -> float:
    """The share of positions that are padding if rows of these lengths go in batches of `size`, in the order in which they
    stand."""
    batches = [lengths[i : i + size] for i in range(0, len(lengths), size)]
    return 1 - sum(lengths) / sum(max(batch) * len(batch) for batch in batches)
