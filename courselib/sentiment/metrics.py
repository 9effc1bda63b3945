"""What a classifier got right, counted once: four numbers, or a table for more classes, and everything else follows from them.

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


AVERAGES = ("binary", "macro", "weighted", "micro")


def averaged(table: Sequence[Sequence[int]], average: str) -> Scores:
    """The scores of a confusion table `table[truth][said]`, averaged over its classes as scikit-learn does.

    "macro": the mean of the classes' scores, so that a class of three texts counts like one of three hundred. "weighted": each by
    how many texts truly are of it; its recall is the accuracy. "micro": from the sums of all classes' counts; for one label a
    text all four are the accuracy. "binary": of class 1 alone. Raises ValueError for another word, or a table that is not square.
    """
    counts = np.asarray(table, dtype=float)
    if average not in AVERAGES or counts.ndim != 2 or counts.shape[0] != counts.shape[1] or not counts.sum():
        raise ValueError(f"averaged takes a square table of counts and one of {', '.join(AVERAGES)}; it got {average!r}.")
    if average == "binary" and len(counts) != 2:
        raise ValueError(f"binary is for two classes; the table has {len(counts)}. Try macro or weighted.")
    right, said, true = counts.diagonal(), counts.sum(0), counts.sum(1)
    accuracy = right.sum() / counts.sum()
    if average == "micro":
        return Scores(*[float(accuracy)] * 4)
    columns = _ratio(right, said), _ratio(right, true), _ratio(2 * right, said + true)
    weights = {"macro": np.ones(len(counts)), "weighted": true, "binary": np.array([0.0, 1.0][: len(counts)])}[average]
    return Scores(float(accuracy), *(float((weights * column).sum() / weights.sum()) for column in columns))


def matrices_for(n: int, decimals: int = 4, average: str = "binary", **reported: float) -> list[Confusion]:
    """Every confusion matrix of n texts of two classes that gives the reported scores, each rounded to `decimals`.

    `reported` are any of accuracy, precision, recall, f1. What they mean depends on `average`, as in `averaged`: a report seldom
    says which one it took, so an empty list for "binary" alone proves nothing. Empty for all of them: the figures cannot stand
    together. Rounding half up and half to even are both accepted. Raises ValueError for other names.
    """
    if unknown := set(reported) - set(Scores._fields):
        raise ValueError(f"There is no score {min(unknown)!r}; there are {', '.join(Scores._fields)}.")
    if average not in AVERAGES:
        raise ValueError(f"There is no average {average!r}; there are {', '.join(AVERAGES)}.")
    slack = 0.5000001 * 10**-decimals
    found = []
    for positives in range(n + 1):
        tp, fp = np.meshgrid(np.arange(positives + 1), np.arange(n - positives + 1), indexing="ij")
        tn, fn = n - positives - fp, positives - tp
        accuracy = (tp + tn) / n
        share = {"binary": 1.0, "macro": 0.5, "weighted": positives / n, "micro": 0.0}[average]  # class 1's in the mean
        one = _ratio(tp, tp + fp), _ratio(tp, tp + fn), _ratio(2 * tp, 2 * tp + fp + fn)
        zero = _ratio(tn, tn + fn), _ratio(tn, tn + fp), _ratio(2 * tn, 2 * tn + fp + fn)
        means = [accuracy] * 3 if average == "micro" else [share * a + (1 - share) * b for a, b in zip(one, zero, strict=True)]
        values = dict(zip(Scores._fields, [accuracy, *means], strict=True))
        fits = np.all([np.abs(values[name] - value) <= slack for name, value in reported.items()], axis=0)
        found += [
            Confusion(n - positives - int(f), int(f), positives - int(t), int(t)) for t, f in zip(tp[fits], fp[fits], strict=True)
        ]
    return found


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """part / whole, and 0 where there is no whole."""
    part, whole = np.asarray(part, float), np.asarray(whole, float)
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


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
