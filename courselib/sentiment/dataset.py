"""From texts to batches: token ids, truncation, padding, and an order that can be taken up again in the middle.

A `SentimentDataset` answers `len` and `[i]`, which is all a DataLoader asks of a dataset. Padding is not its business:
how long a row has to be is known only when it is known who stands beside it, so it is done batch by batch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from courselib.lab import runtime

Batch = tuple[dict[str, Tensor], Tensor]


class SentimentDataset(torch.utils.data.Dataset):
    """Labelled texts as token ids. `dataset[i]` is a dict of `input_ids` (a list of at most `max_length`) and `labels`.

    Truncation keeps the special tokens: of a text that is too long, the last words are left out, not the end mark. Raises
    ValueError if texts and labels differ in number, or `max_length` leaves no room for a word.
    """

    def __init__(self, texts: Sequence[str], labels: Sequence[int], tokenizer: Any, max_length: int = 128) -> None:
        if len(texts) != len(labels):
            raise ValueError(f"There are {len(texts)} texts and {len(labels)} labels; each text needs one.")
        if max_length < 3:
            raise ValueError(f"max_length is {max_length}; two special tokens and a word need at least 3.")
        self.labels = list(labels)
        self.input_ids = tokenizer(list(texts), truncation=True, max_length=max_length)["input_ids"]

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, i: int) -> dict[str, Any]:
        return {"input_ids": self.input_ids[i], "labels": self.labels[i]}


def pad(sequences: Sequence[Sequence[int]], pad_id: int) -> dict[str, Tensor]:
    """A rectangle from lists of ids: `input_ids` and `attention_mask` (1 real, 0 padding), both `(batch, longest)`."""
    longest = max(map(len, sequences))
    ids = [[*sequence, *[pad_id] * (longest - len(sequence))] for sequence in sequences]
    mask = [[1] * len(sequence) + [0] * (longest - len(sequence)) for sequence in sequences]
    device = runtime.device()
    return {"input_ids": torch.tensor(ids, device=device), "attention_mask": torch.tensor(mask, device=device)}


def collate(examples: Sequence[dict[str, Any]], pad_id: int = 0) -> Batch:
    """A batch `(tokens, labels)` for `fit` from items of a `SentimentDataset`."""
    labels = torch.tensor([example["labels"] for example in examples], device=runtime.device())
    return pad([example["input_ids"] for example in examples], pad_id), labels


class Batches:
    """Shuffled batches whose order is a function of the seed and the epoch, so that training can go on in the middle.

    `fit` goes through it again for every epoch. `state_dict()` says where it stands; after `load_state_dict` the next batch
    is the one that would have come. A DataLoader with `shuffle=True` draws its order from torch's global generator and
    cannot say how far it has come.
    """

    def __init__(self, dataset: SentimentDataset, size: int, seed: int = 0, pad_id: int = 0) -> None:
        if size < 1:
            raise ValueError(f"The batch size is {size}; it has to be at least 1.")
        self.dataset, self.size, self.seed, self.pad_id = dataset, size, seed, pad_id
        self.epoch = self.position = 0

    def __len__(self) -> int:
        """Batches in an epoch; the last may be smaller."""
        return -(-len(self.dataset) // self.size)

    def order(self, epoch: int) -> list[int]:
        """The order of the examples in an epoch: the same on every machine, whatever else draws random numbers."""
        return np.random.default_rng((self.seed, epoch)).permutation(len(self.dataset)).tolist()

    def __iter__(self) -> Iterator[Batch]:
        if self.position == len(self):  # the state was saved after the last batch of an epoch
            self.epoch, self.position = self.epoch + 1, 0
        order = self.order(self.epoch)
        while self.position < len(self):
            begin = self.position * self.size
            self.position += 1  # before the batch is handed out: it counts as used
            yield collate([self.dataset[i] for i in order[begin : begin + self.size]], self.pad_id)
        self.epoch, self.position = self.epoch + 1, 0

    def state_dict(self) -> dict[str, int]:
        return {"seed": self.seed, "epoch": self.epoch, "position": self.position}

    def load_state_dict(self, state: dict[str, int]) -> None:
        self.seed, self.epoch, self.position = state["seed"], state["epoch"], state["position"]


class Lengths(NamedTuple):
    """How long the texts of a corpus are, in tokens, special tokens included."""

    mean: float
    p95: float
    longest: int


def token_lengths(texts: Sequence[str], tokenizer: Any) -> list[int]:
    """The number of tokens of each text, special tokens included, nothing cut."""
    return [len(ids) for ids in tokenizer(list(texts))["input_ids"]]


def length_statistics(lengths: Sequence[int]) -> Lengths:
    """Mean, 95th percentile and maximum of a list of lengths. The percentile is one of the lengths, never in between."""
    return Lengths(float(np.mean(lengths)), float(np.percentile(lengths, 95, method="higher")), max(lengths))
