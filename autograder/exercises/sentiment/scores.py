"""Exercises of chapter 02b on what comes out: scores, confidence, and a report to take apart."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

import solutions.sentiment as answers
from autograder.exercises.draws import integer, normal
from autograder.exercises.exercise import Case, Exercise, Misconception, Part, Written

# --- f1_from_confusion ------------------------------------------------------------------------------------------------


def f1_cases(rng: np.random.Generator) -> list[Case]:
    drawn = {"tn": integer(rng, 60, 90), "fp": integer(rng, 12, 20), "fn": integer(rng, 2, 8), "tp": integer(rng, 25, 40)}
    named = {
        "97 / 3 / 4 / 96": ({"tn": 97, "fp": 3, "fn": 4, "tp": 96}, "main"),
        " / ".join(map(str, drawn.values())): (drawn, "main"),
        "nothing called positive": ({"tn": integer(rng, 5, 9), "fp": 0, "fn": integer(rng, 2, 4), "tp": 0}, "empty"),
        "nothing is positive": ({"tn": integer(rng, 5, 9), "fp": integer(rng, 2, 4), "fn": 0, "tp": 0}, "empty"),
        "only negatives, all right": ({"tn": 6, "fp": 0, "fn": 0, "tp": 0}, "empty"),
    }
    return [Case(label, inputs, group) for label, (inputs, group) in named.items()]


def _four(tn: int, fp: int, fn: int, tp: int) -> tuple[float, float, float, float]:
    return answers.transfer_f1_from_confusion(tn, fp, fn, tp)


def empty_is_one(tn: int, fp: int, fn: int, tp: int) -> tuple[float, float, float, float]:
    accuracy, precision, recall, f1 = _four(tn, fp, fn, tp)
    return accuracy, precision if tp + fp else 1.0, recall if tp + fn else 1.0, f1 if tp + fp + fn else 1.0


def empty_is_nan(tn: int, fp: int, fn: int, tp: int) -> tuple[float, float, float, float]:
    accuracy, precision, recall, f1 = _four(tn, fp, fn, tp)
    nan = float("nan")
    return accuracy, precision if tp + fp else nan, recall if tp + fn else nan, f1 if tp else nan


def arithmetic_mean(tn: int, fp: int, fn: int, tp: int) -> tuple[float, float, float, float]:
    accuracy, precision, recall, _ = _four(tn, fp, fn, tp)
    return accuracy, precision, recall, (precision + recall) / 2


def crossed(tn: int, fp: int, fn: int, tp: int) -> tuple[float, float, float, float]:
    accuracy, precision, recall, f1 = _four(tn, fp, fn, tp)
    return accuracy, recall, precision, f1


def other_class(tn: int, fp: int, fn: int, tp: int) -> tuple[float, float, float, float]:
    return _four(tp, fn, fp, tn)


def macro(tn: int, fp: int, fn: int, tp: int) -> tuple[float, float, float, float]:
    accuracy, *one = _four(tn, fp, fn, tp)
    return accuracy, *((a + b) / 2 for a, b in zip(one, _four(tp, fn, fp, tn)[1:], strict=True))


def macro_f1(tn: int, fp: int, fn: int, tp: int) -> tuple[float, float, float, float]:
    accuracy, precision, recall, _ = _four(tn, fp, fn, tp)
    return accuracy, precision, recall, macro(tn, fp, fn, tp)[3]


def specificity(tn: int, fp: int, fn: int, tp: int) -> tuple[float, float, float, float]:
    accuracy, precision, _, _ = _four(tn, fp, fn, tp)
    other = tn / (tn + fp) if tn + fp else 0.0
    return accuracy, precision, other, 2 * precision * other / (precision + other) if precision + other else 0.0


f1_from_confusion = Exercise(
    id="sentiment.f1_from_confusion",
    answer=answers.transfer_f1_from_confusion,
    cases=f1_cases,
    parts=[
        Part("accuracy", 1, of=0, on="main"), Part("precision", 0.5, of=1, on="main"), Part("recall", 0.5, of=2, on="main"),
        Part("F1", 1, of=3, on="main"), Part("empty classes", 1, on="empty"),
    ],
    misconceptions=[
        Misconception(
            "empty_is_one", empty_is_one, earns=3,
            says="Where a class is empty you return 1.0. Then a model that never says \"positive\" has perfect precision. "
            "Here 0/0 counts as 0.0.",
        ),
        Misconception(
            "empty_is_nan", empty_is_nan, earns=3,
            says="0/0 gives nan, and one nan spoils every mean it enters. Look at the denominators first: here 0/0 counts as "
            "0.0.",
        ),
        Misconception(
            "arithmetic_mean", arithmetic_mean, earns=3,
            says="Your F1 is the arithmetic mean. The harmonic mean, 2PR/(P + R), is drawn to the smaller of the two: with P "
            "= 1 and R = 0 it is 0, not 0.5.",
        ),
        Misconception(
            "crossed", crossed, earns=3,
            says="Precision and recall are exchanged. Precision divides by what was *called* positive (TP + FP), recall by "
            "what *is* positive (TP + FN).",
        ),
        Misconception(
            "other_class", other_class, earns=1,
            says="These are precision, recall and F1 of the negative class. TP stands in the numerators, not TN.",
        ),
        Misconception(
            "macro", macro, earns=1,
            says="These are macro averages: the mean of both classes' scores. Asked are those of the positive class alone.",
        ),
        Misconception(
            "macro_f1", macro_f1, earns=2,
            says="Your F1 is the macro average, the mean of both classes' F1. Asked is the F1 of the positive class.",
        ),
        Misconception(
            "specificity", specificity, earns=1.5,
            says="Your recall is TN / (TN + FP): that is the specificity, the share of the negatives that were found. Recall "
            "is the share of the positives.",
        ),
    ],
)

# --- confidence -------------------------------------------------------------------------------------------------------


def confidence_cases(rng: np.random.Generator) -> list[Case]:
    large = normal(rng, 4, 2) + torch.tensor([1000.0, 998.5])
    return [
        Case("two classes", {"logits": normal(rng, 7, 2, scale=2.0)}, "main"),
        # a softmax down the batch must say class 1 in some row: each of its columns sums to one
        Case("class 0 everywhere", {"logits": torch.from_numpy(rng.random((4, 2))).float() + torch.tensor([2.0, 0.0])}, "main"),
        Case("three classes", {"logits": normal(rng, 5, 3, scale=2.0)}, "main"),
        Case("logits near 1000", {"logits": large}, "large"),
    ]


def _best(scores: Tensor) -> tuple[Tensor, Tensor]:
    best = scores.max(dim=1)
    return best.indices, best.values


def over_the_batch(logits: Tensor) -> tuple[Tensor, Tensor]:
    return _best(logits.softmax(0))


def unstable(logits: Tensor) -> tuple[Tensor, Tensor]:
    return _best(logits.exp() / logits.exp().sum(1, keepdim=True))


def sigmoid(logits: Tensor) -> tuple[Tensor, Tensor]:
    return logits.argmax(1), _best(logits.sigmoid())[1]


def probability_of_one(logits: Tensor) -> tuple[Tensor, Tensor]:
    return logits.argmax(1), logits.softmax(1)[:, 1]


def log_probability(logits: Tensor) -> tuple[Tensor, Tensor]:
    return _best(logits.log_softmax(1))


def margin(logits: Tensor) -> tuple[Tensor, Tensor]:
    top = logits.softmax(1).topk(2, dim=1).values
    return logits.argmax(1), top[:, 0] - top[:, 1]


confidence = Exercise(
    id="sentiment.confidence",
    answer=answers.transfer_confidence,
    cases=confidence_cases,
    parts=[Part("classes", 1, of=0, on="main"), Part("confidences", 1, of=1, on="main"), Part("large logits", 1, on="large")],
    misconceptions=[
        Misconception(
            "unstable", unstable, earns=2,
            says="exp(1000) is infinite in floating point, and infinite / infinite is nan. Subtract each row's maximum "
            "first: it cancels in the ratio.",
        ),
        Misconception(
            "over_the_batch", over_the_batch, earns=0,
            says="You took the softmax down the batch, so a text's probability depends on its neighbours. It runs over the "
            "classes of one text: dim=1.",
        ),
        Misconception(
            "raw", lambda logits: (logits.argmax(1), logits.max(1).values), earns=1,
            says="These are the largest logits. A logit is no probability: apply the softmax first.",
        ),
        Misconception(
            "sigmoid", sigmoid, earns=1,
            says="You applied the sigmoid to each logit. Then the classes' probabilities do not sum to one. Classes that "
            "exclude each other take the softmax.",
        ),
        Misconception(
            "class_one", probability_of_one, earns=1,
            says="You return the probability of class 1 for every text. The confidence belongs to the class that was "
            "predicted, whichever it is.",
        ),
        Misconception(
            "log_probability", log_probability, earns=1,
            says="These are logarithms of probabilities: at most 0. Take exp of them.",
        ),
        Misconception(
            "margin", margin, earns=1,
            says="You return the distance between the two largest probabilities. Asked is the largest itself.",
        ),
    ],
)

# --- reported_result --------------------------------------------------------------------------------------------------

reported_result = Written(
    id="sentiment.reported_result",
    answer=answers.transfer_reported_result,
    rubric=[
        (1, "copies are not augmentation, and splitting after copying leaks: 40 texts, the overlap counted (half a point each)"),
        (1, "the test set chose the epoch (a validation set has to), or the claim about unseen reviews was not tested"),
        (1, "the four figures cannot come from one confusion matrix of 200 texts; names the search over all matrices or "
        "recomputes F1 and accuracy"),
        (1, "150 steps in all, so a warm-up of 500 never ends and the rate stays below 30 % of the peak"),
        (1, "a patience of three cannot fire within three evaluations"),
        (1, "says what to do instead: deduplicate, hold out groups, assert no overlap, choose on validation, test once, "
        "report the matrix"),
    ],
)
