"""Many documents in one window, without one seeing the other.

Continued pretraining puts documents one after another and cuts the stream into windows, so that no position is padding. A token
then sees the end of the document before its own. Whoever does not want that needs two things: positions that begin again at 0 in
every document, and a mask that ends at its border. Positions alone do not stop attention.

Source: Krell et al. 2021, "Efficient sequence packing without cross-contamination", arXiv:2107.02027.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def segments(lengths: Sequence[int]) -> Tensor:
    """Which document each position belongs to, (sum of lengths,): lengths 2 and 3 give 0 0 1 1 1. ValueError for an empty one."""
    if not len(lengths) or min(lengths) < 1:
        raise ValueError(f"Each document needs at least one token; the lengths are {list(lengths)}.")
    return torch.repeat_interleave(torch.arange(len(lengths)), torch.tensor(lengths))


def positions(lengths: Sequence[int]) -> Tensor:
    """The position of each token in its own document, (sum of lengths,): lengths 2 and 3 give 0 1 0 1 2."""
    return torch.cat([torch.arange(length) for length in lengths])


def packed_mask(lengths: Sequence[int]) -> Tensor:
    """(seq, seq), True where position i (row) may see position j (column): j is not later, and of the same document."""
    segment = segments(lengths)
    return (segment[:, None] == segment[None, :]).tril()


def token_losses(model: torch.nn.Module, documents: Sequence[Tensor], *, mask: bool = True, restart: bool = True) -> Tensor:
    """-log p of every token but each document's first, all documents packed into one sequence: (tokens - documents,), in nats.

    `mask` keeps a document from seeing those before it, `restart` begins its positions at 0. Without both this is the plain
    stream of continued pretraining, except that the first tokens are not asked about.
    """
    lengths = [len(document) for document in documents]
    ids = torch.cat(list(documents)).to(model.device)  # (seq,)
    allowed = packed_mask(lengths) if mask else torch.ones(len(ids), len(ids), dtype=torch.bool).tril()
    place = positions(lengths) if restart else torch.arange(len(ids))
    allowed, place = allowed[None, None].to(ids.device), place[None].to(ids.device)  # (1, 1, seq, seq), (1, seq)
    logits = model(input_ids=ids[None], attention_mask=allowed, position_ids=place).logits[0]  # (seq, vocab)
    log_p = logits[:-1].log_softmax(-1).gather(-1, ids[1:, None]).squeeze(-1)  # (seq - 1,)
    inside = segments(lengths)  # a prediction across a border is none
    return -log_p[(inside[1:] == inside[:-1]).to(log_p.device)]
