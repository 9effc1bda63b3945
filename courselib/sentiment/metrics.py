"""What a classifier got right, counted once: four numbers, and everything else follows from them.

Class 1 is the one that is looked for ("positive"). Accuracy, precision, recall and F1 are functions of one confusion matrix,
so they constrain each other: with n texts only some combinations can occur at all. Reported figures can be checked against
that without seeing a single prediction (the idea of Brown and Heathers' GRIM test, 2017, for means).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from courselib.lab.by_length import rows_by_length
from courselib.sentiment.dataset import SentimentDataset, collate


class Confusion(NamedTuple):
    """Counts: true negatives, false positives, false negatives, true positives; the order of scikit-learn's `ravel()`."""

    tn: int
    fp: int
    fn: int
    tp: int


class Scores(NamedTuple):
    accuracy: float
    precision: float
    recall: float
    f1: float


def confusion(labels: Sequence[int], predicted: Sequence[int]) -> Confusion:
    """Counts the four outcomes. Raises ValueError for anything but 0 and 1, unequal lengths, or nothing to count."""
    truth, said = np.asarray(labels), np.asarray(predicted)
    if truth.shape != said.shape or truth.ndim != 1 or not truth.size:
        raise ValueError(f"confusion needs two lists of equal length, at least 1; it got {truth.shape} and {said.shape}.")
    if not np.isin([*truth, *said], (0, 1)).all():
        raise ValueError("confusion is for two classes, 0 and 1. For more, scikit-learn has confusion_matrix.")
    return Confusion(*(int(((truth == t) & (said == s)).sum()) for t, s in ((0, 0), (0, 1), (1, 0), (1, 1))))


def scores(tn: int, fp: int, fn: int, tp: int) -> Scores:
    """Accuracy, precision, recall and F1. A ratio whose denominator is zero counts as 0.0.

    Raises ValueError for negative counts, or none at all.
    """
    total = tn + fp + fn + tp
    if min(tn, fp, fn, tp) < 0 or total == 0:
        raise ValueError(f"Counts are not negative and not all zero; got tn={tn}, fp={fp}, fn={fn}, tp={tp}.")
    precision = tp / (tp + fp) if tp + fp else 0.0
    recall = tp / (tp + fn) if tp + fn else 0.0
    return Scores((tp + tn) / total, precision, recall, 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 0.0)


def at_threshold(labels: Sequence[int], probabilities: Sequence[float], threshold: float) -> Confusion:
    """The confusion matrix if a text is called positive when its probability is at least `threshold`."""
    return confusion(labels, (np.asarray(probabilities) >= threshold).astype(int))


def matrices_for(n: int, decimals: int = 4, **reported: float) -> list[Confusion]:
    """Every confusion matrix of n texts that gives the reported scores, each rounded to `decimals`.

    `reported` are any of accuracy, precision, recall, f1. An empty list means that the figures cannot stand together.
    Rounding half up and half to even are both accepted. Raises ValueError for other names.
    """
    if unknown := set(reported) - set(Scores._fields):
        raise ValueError(f"There is no score {min(unknown)!r}; there are {', '.join(Scores._fields)}.")
    slack = 0.5000001 * 10**-decimals
    found = []
    for positives in range(n + 1):
        tp, fp = np.meshgrid(np.arange(positives + 1), np.arange(n - positives + 1), indexing="ij")
        with np.errstate(invalid="ignore", divide="ignore"):
            values = {
                "accuracy": (tp + n - positives - fp) / n,
                "precision": np.nan_to_num(tp / (tp + fp)),
                "recall": tp / positives if positives else np.zeros(tp.shape),
                "f1": np.nan_to_num(2 * tp / (tp + fp + positives)),
            }
        fits = np.all([np.abs(values[name] - value) <= slack for name, value in reported.items()], axis=0)
        found += [
            Confusion(n - positives - int(f), int(f), positives - int(t), int(t)) for t, f in zip(tp[fits], fp[fits], strict=True)
        ]
    return found


class Evaluation(NamedTuple):
    """What a model says about a labelled set: the mean loss, the counts, the scores, and P(class 1) for each text."""

    loss: float
    confusion: Confusion
    scores: Scores
    probabilities: Tensor  # (n,), in the order of the dataset


def evaluate(model: nn.Module, dataset: SentimentDataset, size: int = 50, pad_id: int = 0) -> Evaluation:
    """Evaluates in eval mode, without gradients, texts of like length together. The mean is over texts, not over batches.

    The model's mode is put back as it was.
    """
    was_training = model.training
    model.eval()

    def compute(chosen: list[int]) -> Tensor:
        return model(**collate([dataset[i] for i in chosen], pad_id)[0]).cpu()

    try:
        with torch.no_grad():
            logits = rows_by_length([len(ids) for ids in dataset.input_ids], size, compute)  # (n, 2)
    finally:
        model.train(was_training)
    counts = confusion(dataset.labels, logits.argmax(1).tolist())
    loss = F.cross_entropy(logits, torch.tensor(dataset.labels)).item()
    return Evaluation(loss, counts, scores(*counts), logits.softmax(1)[:, 1])
