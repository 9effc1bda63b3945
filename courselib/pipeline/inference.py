"""Using a trained classifier: a label and a confidence for each text, many texts at a time.

A confidence is the largest softmax probability. It says how far the text is from the model's border between the classes, not how
likely the model is right (Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from courselib.models import tokenise

NAMES = ("negative", "positive")


class Prediction(NamedTuple):
    label: str
    confidence: float


def logits_of(model: nn.Module, tokenizer: Any, texts: Sequence[str], size: int = 32, sort: bool = True) -> Tensor:
    """Logits `(n, classes)` in the order of `texts`, computed `size` texts at a time, in eval mode and without gradients.

    With `sort`, texts of like length share a batch, so that less padding is computed; the order of the answers does not change.
    Raises ValueError for a single string in place of a list, and for a size below 1.
    """
    if isinstance(texts, str) or size < 1:
        raise ValueError(f"logits_of takes a list of texts and a batch size of at least 1; it got {texts!r} and {size}.")
    model.eval()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i])) if sort else list(range(len(texts)))
    rows: list[Tensor] = [torch.empty(0)] * len(texts)
    with torch.no_grad():
        for begin in range(0, len(texts), size):
            chosen = order[begin : begin + size]
            for i, row in zip(chosen, model(**tokenise(tokenizer, [texts[i] for i in chosen])).cpu(), strict=True):
                rows[i] = row
    return torch.stack(rows)


def predict(model: nn.Module, tokenizer: Any, texts: Sequence[str], size: int = 32) -> list[Prediction]:
    """The label of every text and the probability the model gives to it (from 1 / classes to 1)."""
    probabilities = logits_of(model, tokenizer, texts, size).softmax(-1)  # (n, classes)
    best = probabilities.max(-1)
    return [Prediction(NAMES[i], p) for i, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)]


def features_of(model: Any, tokenizer: Any, texts: Sequence[str], size: int = 50) -> Tensor:
    """The sentence vectors `(n, hidden)` of a `SentenceClassifier`, for heads that are trained on ready vectors."""

    class Features(nn.Module):
        def forward(self, **tokens: Tensor) -> Tensor:
            return model.features(**tokens)

    was_training = model.training
    model.eval()
    found = logits_of(Features(), tokenizer, texts, size)
    model.train(was_training)
    return found
