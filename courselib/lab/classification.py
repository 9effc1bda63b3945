"""Classifying sentences with an encoder and a head: batches, the loss, the optimizer, a head on ready vectors, predictions.

Every chapter that classifies text trains with these, so that two methods compared differ in what is trained and in nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from courselib.lab import runtime
from courselib.lab.by_length import rows_by_length
from courselib.lab.models import SentenceClassifier, tokenise
from courselib.lab.training import fit

HEAD_LEARNING_RATE = 3e-3  # a fresh head starts from nothing and needs longer strides than pretrained weights
BATCH = 16
FROZEN_STEPS = 100  # all sentences at once; a step on ready vectors costs next to nothing

def optimizer_for(model: SentenceClassifier, lr: float, head_lr: float = HEAD_LEARNING_RATE) -> torch.optim.AdamW:
    """AdamW over what is trainable in the encoder, at `lr`, and over the head, at `head_lr`."""
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]
    groups = [{"params": encoder, "lr": lr}, {"params": model.classifier.parameters(), "lr": head_lr}]
    return torch.optim.AdamW(groups, fused=True)  # fused: one pass over the weights, where memory is the limit


def batches(tokenizer, texts: list[str], labels: list[int], size: int = BATCH) -> DataLoader:
    """Shuffled batches `(tokens, labels)` for `fit`, each padded to its own longest sentence."""

    def collate(examples: list[tuple[str, int]]) -> tuple[dict[str, Tensor], Tensor]:
        some_texts, some_labels = zip(*examples, strict=True)
        return tokenise(tokenizer, list(some_texts)), torch.tensor(some_labels, device=runtime.device())

    return DataLoader(list(zip(texts, labels, strict=True)), batch_size=size, shuffle=True, collate_fn=collate)


def classification_loss(model: nn.Module, batch: tuple[dict[str, Tensor], Tensor]) -> Tensor:
    """Mean cross-entropy of a batch from `batches`."""
    tokens, labels = batch
    return F.cross_entropy(model(**tokens), labels)


def train_head(
    model: SentenceClassifier, tokenizer, texts: list[str], labels: list[int], optimizer: torch.optim.Optimizer
) -> list[float]:
    """Trains the head alone, on sentence vectors computed once, without dropout. `optimizer` is over the head. Returns losses."""
    model.eval()
    with torch.no_grad():
        features = model.features(**tokenise(tokenizer, texts))  # (n, hidden)
    targets = torch.tensor(labels, device=features.device)

    def loss(head: nn.Module, batch: tuple[Tensor, Tensor]) -> Tensor:
        return F.cross_entropy(head(batch[0]), batch[1])

    return fit(model.classifier, [(features, targets)], loss, optimizer, steps=FROZEN_STEPS, progress=False)


def logits_of(model: Callable[..., Tensor], tokenizer: Any, texts: Sequence[str], size: int = 32, sort: bool = True) -> Tensor:
    """What `model(**tokens)` says of every text, `(n, classes)` in the order of `texts`, computed `size` at a time.

    Without gradients. With `sort`, texts of like length share a batch, so that less padding is computed; the order of the
    answers does not change. A module is put into eval mode, and back. Raises ValueError for a single string in place of a
    list, and for a size below 1.
    """
    if isinstance(texts, str) or size < 1:
        raise ValueError(f"logits_of takes a list of texts and a batch size of at least 1; it got {texts!r} and {size}.")

    def compute(chosen: list[int]) -> Tensor:
        return model(**tokenise(tokenizer, [texts[i] for i in chosen])).cpu()

    was_training = getattr(model, "training", False)
    if isinstance(model, nn.Module):
        model.eval()
    try:
        with torch.no_grad():
            return rows_by_length([len(text) for text in texts], size, compute, sort)
    finally:
        if isinstance(model, nn.Module):
            model.train(was_training)


def sentence_vectors(model: SentenceClassifier, tokenizer: Any, texts: Sequence[str], size: int = 50) -> Tensor:
    """The mean vector of every text, `(n, hidden)`, without dropout: for heads that are trained on ready vectors."""
    was_training = model.training
    model.eval()
    try:
        return logits_of(model.features, tokenizer, texts, size)
    finally:
        model.train(was_training)


@torch.no_grad()
def accuracy(logits: Tensor, labels: Tensor) -> float:
    """The share of rows of logits (n, classes) whose largest entry is the label's, 0 to 1."""
    return (logits.argmax(-1) == labels).double().mean().item()


def text_accuracy(model: nn.Module, tokenizer: Any, texts: Sequence[str], labels: Sequence[int]) -> float:
    """The share of texts whose label is predicted, 0 to 1."""
    return accuracy(logits_of(model, tokenizer, texts, 50), torch.tensor(labels))
