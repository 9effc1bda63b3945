"""From documents to training batches of a causal model: one long stream of tokens, and windows cut from it at random."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from courselib.lab import runtime


def token_stream(tokenizer: Any, texts: Sequence[str]) -> Tensor:
    """All documents one after another, each followed by the end-of-text token: (tokens,)."""
    end = tokenizer.eos_token_id
    return torch.tensor([token for ids in tokenizer(list(texts))["input_ids"] for token in (*ids, end)])


class Windows:
    """Endless batches of windows, `shares[i]` of them from `streams[i]`: (sum of shares, length).

    The n-th batch depends on the seed and on n alone, so training that begins at batch `first` sees what uninterrupted training
    would have seen from there on. Raises ValueError for a stream that is shorter than a window.
    """

    def __init__(self, streams: Sequence[Tensor], shares: Sequence[int], length: int, seed: int, first: int = 0) -> None:
        for number, (stream, share) in enumerate(zip(streams, shares, strict=True)):
            if share and len(stream) <= length:
                raise ValueError(f"stream {number} has {len(stream)} tokens, and a window takes {length}: give more documents.")
        self.streams, self.shares, self.length, self.seed, self.first = streams, shares, length, seed, first

    def __iter__(self) -> Iterator[Tensor]:
        number = self.first
        while True:
            draw = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
            rows = []
            for stream, share in zip(self.streams, self.shares, strict=True):
                if share:
                    starts = torch.randint(0, len(stream) - self.length, (share,), generator=draw)
                    rows += [stream[i : i + self.length] for i in starts.tolist()]
            yield torch.stack(rows).to(runtime.device())  # (sum of shares, length)
            number += 1
