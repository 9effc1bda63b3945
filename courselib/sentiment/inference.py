"""Using a trained classifier: a label and a confidence for each text, many texts at a time.

A confidence is the largest softmax probability. It says how far the text is from the model's border between the classes, not how
likely the model is right (Guo et al. 2017, "On Calibration of Modern Neural Networks", arXiv:1706.04599).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torch import nn

from courselib.lab.classification import logits_of

NAMES = ("negative", "positive")


class Prediction(NamedTuple):
    label: str
    confidence: float


def predict(model: nn.Module, tokenizer: Any, texts: Sequence[str], size: int = 32) -> list[Prediction]:
    """The label of every text and the probability the model gives to it (from 1 / classes to 1)."""
    probabilities = logits_of(model, tokenizer, texts, size).softmax(-1)  # (n, classes)
    best = probabilities.max(-1)
    return [Prediction(NAMES[i], p) for i, p in zip(best.indices.tolist(), best.values.tolist(), strict=True)]


